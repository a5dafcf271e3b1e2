import type { Account } from '../accounts.ts';
import { type Answer, bytes, type JsonObject } from '../answers.ts';
import type { Call, OpenApi } from '../call.ts';
import { ApiError } from '../errors.ts';
import { connectAnswer } from '../failures.ts';
import { userTokenExpiresIn, verdictOnRefresh, verdictOnUserToken } from '../users/grants.ts';
import type { Grant } from '../users/user.ts';
import { lookUpCode, type RefusalCodes } from './login.ts';
import { requireThawed } from './token.ts';

const CONNECT_REFUSALS: RefusalCodes = { unknown: 100019, used: 100020, expired: 100019, blocked: 100019 };

/** What an access_token of QQ Connect looks like; anything else is malformed, 100013. */
const WELL_FORMED = /^[0-9A-F]{32}$/;

/** The value of a parameter, or the errcode. */
function ask({ query }: Call, name: string, errcode: number): string {
  const value = query.get(name);
  if (!value) throw new ApiError(errcode);
  return value;
}

function clientOf(call: Call): Account {
  const appid = ask(call, 'client_id', 100001);
  const secret = ask(call, 'client_secret', 100002);
  const account = call.platform.accounts.at(call.entry.site, appid);
  if (account === undefined) throw new ApiError(100008);
  if (account.settings.secret !== secret) throw new ApiError(100009);
  requireThawed(account);
  return account;
}

function exchange(call: Call, account: Account): Grant {
  const { query, now } = call;
  const code = lookUpCode(account, 'oauth', ask(call, 'code', 100005), now, CONNECT_REFUSALS);
  if (code.redirectUri !== undefined && query.get('redirect_uri') !== code.redirectUri)
    throw new ApiError(100010);
  account.users.codes.spend(code);
  return account.users.consent(code, now);
}

function renew(call: Call, account: Account): Grant {
  const { platform, now } = call;
  const value = ask(call, 'refresh_token', 100006);
  const grant = platform.accounts.userTokens.refresh(value);
  if (grant?.user.appid !== account.appid) throw new ApiError(100022);
  if (verdictOnRefresh(grant, value, now) !== 0) throw new ApiError(100022);
  account.users.refresh(grant, now);
  return grant;
}

/** GET /oauth2.0/token of QQ Connect: form text, or JSON with `fmt=json`. */
const token: OpenApi = (call): Answer => {
  const { query, now } = call;
  const grantType = query.get('grant_type');
  if (grantType !== 'authorization_code' && grantType !== 'refresh_token') throw new ApiError(100004);
  const account = clientOf(call);
  const grant = grantType === 'refresh_token' ? renew(call, account) : exchange(call, account);
  const fields = {
    access_token: grant.token.value,
    expires_in: userTokenExpiresIn(grant.token, now),
    refresh_token: grant.refreshToken,
    ...(query.get('need_openid') === '1' ? { openid: grant.user.openid } : {}),
  };
  if (query.get('fmt') === 'json') return connectAnswer(call, fields);
  const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return bytes(Buffer.from(text.join('&')), 'text/plain');
};

function unionidIn(account: Account, { user }: Grant): JsonObject {
  const unionid = account.users.unionidOf(user);
  // What an app is told that has not applied for unionids.
  if (unionid === undefined) throw new ApiError(100048);
  return { unionid };
}

/** GET /oauth2.0/me of QQ Connect: a call of `callback`, or JSON with `fmt=json`. */
const me: OpenApi = (call): Answer => {
  const { query, userToken, now, platform } = call;
  const text = ask(call, 'access_token', 100007);
  if (!WELL_FORMED.test(text)) throw new ApiError(100013);
  const account = userToken && platform.accounts.get(userToken.grant.user.appid);
  if (userToken === undefined || account === undefined) throw new ApiError(100016);
  const { grant } = userToken;
  if (verdictOnUserToken(grant, userToken.token, now) !== 0) throw new ApiError(100016);
  return connectAnswer(call, {
    client_id: account.appid,
    openid: grant.user.openid,
    ...(query.get('unionid') === '1' ? unionidIn(account, grant) : {}),
  });
};

export const qqConnectApis: Record<string, OpenApi> = { '/oauth2.0/token': token, '/oauth2.0/me': me };
