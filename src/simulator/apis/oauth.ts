import type { Account } from '../accounts.ts';
import { type Answer, type JsonObject, ok, plain } from '../answers.ts';
import type { Call, OpenApi } from '../call.ts';
import { ApiError } from '../errors.ts';
import { requireWellFormed } from '../subject.ts';
import { userTokenExpiresIn, verdictOnRefresh, verdictOnUserToken } from '../users/grants.ts';
import type { Grant } from '../users/user.ts';
import { lookUpCode, type RefusalCodes } from './login.ts';
import { accountOfSecret, requireThawed } from './token.ts';

const OAUTH_REFUSALS: RefusalCodes = { unknown: 40029, used: 40163, expired: 42003, blocked: 40226 };

/** The scope that gives no more than the openid. */
const OPENID_ONLY = 'snsapi_base';

function requireRate(account: Account, { entry, now }: Call): void {
  if (!account.quotas.spendMinute(entry.path, account.settings.quotas.oauthPerMinute, now))
    throw new ApiError(45011);
}

/** The user's unionid, which only a consent to more than the openid shows. */
function unionidIn(account: Account, { user, scope }: Grant): JsonObject {
  const unionid = scope === OPENID_ONLY ? undefined : account.users.unionidOf(user);
  return unionid === undefined ? {} : { unionid };
}

function tokensOf(grant: Grant, now: number): JsonObject {
  return {
    access_token: grant.token.value,
    expires_in: userTokenExpiresIn(grant.token, now),
    refresh_token: grant.refreshToken,
    openid: grant.user.openid,
    scope: grant.scope,
  };
}

/** GET /sns/oauth2/access_token, page snsAccessToken. */
const snsAccessToken: OpenApi = call => {
  const { query, entry, now } = call;
  const account = accountOfSecret(call, { appid: query.get('appid'), secret: query.get('secret') });
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(48001);
  requireThawed(account);
  if (query.get('grant_type') !== 'authorization_code') throw new ApiError(40002);
  const text = query.get('code');
  if (!text) throw new ApiError(41008);
  requireRate(account, call);
  const code = lookUpCode(account, 'oauth', text, now, OAUTH_REFUSALS);
  account.users.codes.spend(code);
  const grant = account.users.consent(code, now);
  return plain({
    ...tokensOf(grant, now),
    ...(grant.snapshot ? { is_snapshotuser: 1 } : {}),
    ...unionidIn(account, grant),
  });
};

/** GET /sns/oauth2/refresh_token, page snsRefreshToken; it takes no secret. */
const snsRefreshToken: OpenApi = call => {
  const { query, platform, entry, now } = call;
  const appid = query.get('appid');
  if (!appid) throw new ApiError(41002);
  const account = platform.accounts.at(entry.site, appid);
  if (account === undefined) throw new ApiError(40013);
  if (query.get('grant_type') !== 'refresh_token') throw new ApiError(40002);
  const value = query.get('refresh_token');
  if (!value) throw new ApiError(41003);
  requireRate(account, call);
  const grant = platform.accounts.userTokens.refresh(value);
  if (grant === undefined || grant.user.appid !== appid) throw new ApiError(40030);
  const verdict = verdictOnRefresh(grant, value, now);
  if (verdict !== 0) throw new ApiError(verdict);
  account.users.refresh(grant, now);
  return plain(tokensOf(grant, now));
};

/** The consent behind the call's access_token and openid. Throws 41001, 41009, 40014, 40001, 42001, 42007 or 40003. */
function consentOf({ query, userToken, now }: Call): Grant {
  requireWellFormed(query.get('access_token'));
  const openid = query.get('openid');
  if (!openid) throw new ApiError(41009);
  // An app's own token is none of a user's, and so as unknown as any other text.
  if (userToken === undefined) throw new ApiError(40001);
  const { grant, token } = userToken;
  const verdict = verdictOnUserToken(grant, token, now);
  if (verdict !== 0) throw new ApiError(verdict);
  if (grant.user.openid !== openid) throw new ApiError(40003);
  return grant;
}

/** GET /sns/auth, page snsAuth. */
const snsAuth: OpenApi = call => {
  consentOf(call);
  return ok();
};

/** GET /sns/userinfo, page snsUserInfo. */
const snsUserInfo: OpenApi = (call): Answer => {
  const grant = consentOf(call);
  if (grant.scope === OPENID_ONLY) throw new ApiError(48001);
  const { appid, openid, name = 'user' } = grant.user;
  const account = call.platform.accounts.get(appid);
  return plain({
    openid,
    nickname: name,
    // No more than these is given since October 2021.
    sex: 0,
    province: '',
    city: '',
    country: '',
    headimgurl: '',
    privilege: [],
    ...(account === undefined ? {} : unionidIn(account, grant)),
  });
};

export const oauthApis: Record<string, OpenApi> = {
  '/sns/oauth2/access_token': snsAccessToken,
  '/sns/oauth2/refresh_token': snsRefreshToken,
  '/sns/auth': snsAuth,
  '/sns/userinfo': snsUserInfo,
};
