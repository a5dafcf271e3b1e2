import type { Account } from '../accounts.ts';
import { ok, plain } from '../answers.ts';
import { type AccountApi, type Call, need, type OpenApi, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';
import { accountOfSecret } from './token.ts';

const OAUTH_LIFE_SECONDS = 7200;
const ENCRYPT_KEY_LIFE_SECONDS = 3600;

/**
 * The account and user of a one-shot code. Any text is a code; one that begins with `invalid` is
 * refused with 40029 and one that begins with `blocked` with 40226. What stands before the first `:`
 * names the user, so `alice:1` and `alice:2` are two codes of one user.
 */
function exchange(
  call: Call,
  parameter: string,
  missing: number,
): { account: Account; openid: string; code: string } {
  const { query, entry, platform } = call;
  const account = accountOfSecret(call, { appid: query.get('appid'), secret: query.get('secret') });
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(48001);
  if (query.get('grant_type') !== 'authorization_code') throw new ApiError(40002);
  const code = query.get(parameter);
  if (code === null || code === '') throw new ApiError(missing);
  if (code.startsWith('invalid')) throw new ApiError(40029);
  if (code.startsWith('blocked')) throw new ApiError(40226);
  useOnce(account, `${parameter} ${code}`);
  const [user = code] = code.split(':');
  return { account, openid: platform.derived.openid(account.appid, user), code };
}

/** Marks a one-shot code as used; 40163 the second time. */
export function useOnce(account: Account, code: string): void {
  if (account.data.usedCodes.has(code)) throw new ApiError(40163);
  account.data.usedCodes.set(code, true);
}

function sessionKey(call: Call, ...parts: string[]): string {
  return call.platform.derived.bytes(16, 'session_key', ...parts).toString('base64');
}

/** GET /sns/jscode2session, page code2Session: no errcode on success. */
const code2Session: OpenApi = call => {
  const { account, openid, code } = exchange(call, 'js_code', 41008);
  return plain({ session_key: sessionKey(call, account.appid, code), openid });
};

/** GET /sns/oauth2/access_token, page snsAccessToken. */
const snsAccessToken: OpenApi = call => {
  const { account, openid, code } = exchange(call, 'code', 41008);
  const { derived } = call.platform;
  return plain({
    access_token: derived.token('user', account.appid, code),
    expires_in: OAUTH_LIFE_SECONDS,
    refresh_token: derived.token('refresh', account.appid, openid),
    openid,
    scope: 'snsapi_base',
  });
};

/** GET /sns/oauth2/refresh_token, page snsRefreshToken: any refresh_token passes. */
const snsRefreshToken: OpenApi = ({ query, platform }) => {
  const appid = query.get('appid');
  if (!appid) throw new ApiError(41002);
  if (platform.accounts.get(appid) === undefined) throw new ApiError(40013);
  if (query.get('grant_type') !== 'refresh_token') throw new ApiError(40002);
  const refresh_token = query.get('refresh_token');
  if (!refresh_token) throw new ApiError(41003);
  if (refresh_token.startsWith('invalid')) throw new ApiError(40030);
  return plain({
    access_token: platform.derived.token('user', appid, refresh_token),
    expires_in: OAUTH_LIFE_SECONDS,
    refresh_token,
    openid: platform.derived.openid(appid, refresh_token),
    scope: 'snsapi_base',
  });
};

function requireUser({ query }: Call): string {
  if (!query.get('access_token')) throw new ApiError(41001);
  const openid = query.get('openid');
  if (!openid) throw new ApiError(41009);
  return openid;
}

/** GET /sns/auth, page snsAuth. */
const snsAuth: OpenApi = call => {
  requireUser(call);
  return ok();
};

/** GET /sns/userinfo, page snsUserInfo. */
const snsUserInfo: OpenApi = call =>
  plain({
    openid: requireUser(call),
    nickname: 'user',
    sex: 0,
    province: '',
    city: '',
    country: '',
    headimgurl: '',
    privilege: [],
  });

function signedUser({ query }: Call): string {
  const openid = query.get('openid');
  if (!openid) throw new ApiError(40003);
  if (!query.get('signature')) throw new ApiError(87009);
  return openid;
}

/** GET /wxa/checksession, page checkSessionKey: the signature's presence is checked, not its value. */
const checkSession: AccountApi = call => {
  signedUser(call);
  return ok();
};

/** GET /wxa/resetusersessionkey, page resetUserSessionKey. */
const resetUserSessionKey: AccountApi = call => {
  const openid = signedUser(call);
  call.account.data.serial += 1;
  return ok({
    openid,
    session_key: sessionKey(call, call.account.appid, openid, String(call.account.data.serial)),
  });
};

/** /wxa/business/getuserencryptkey, page getUserEncryptKey: a body, even {}, breaks the signature. */
const getUserEncryptKey: AccountApi = call => {
  const { account, platform } = call;
  const openid = signedUser(call);
  if (call.body.length > 0) throw new ApiError(87009);
  const now = secondsOf(call);
  const newest = Math.floor(now / ENCRYPT_KEY_LIFE_SECONDS);
  const key_info_list = [newest, newest - 1, newest - 2].map(version => ({
    encrypt_key: platform.derived.bytes(16, 'encrypt_key', account.appid, openid, version).toString('base64'),
    version,
    expire_in: Math.max(0, (version + 1) * ENCRYPT_KEY_LIFE_SECONDS - now),
    iv: platform.derived.hex(16, 'iv', account.appid, openid, version),
    create_time: version * ENCRYPT_KEY_LIFE_SECONDS,
  }));
  return ok({ key_info_list });
};

/** POST /wxa/business/getuserphonenumber, page getPhoneNumber; the code is one-shot. */
const getPhoneNumber: AccountApi = call => {
  const { account, fields, platform } = call;
  const code = need(fields, 'code', 40029);
  if (code.startsWith('invalid')) throw new ApiError(40029);
  useOnce(account, `phone ${code}`);
  const digits = platform.derived.bytes(2, 'phone', account.appid, code).readUInt16BE(0) % 10_000;
  const number = `1380000${String(digits).padStart(4, '0')}`;
  const watermark = { timestamp: secondsOf(call), appid: account.appid };
  return ok({ phone_info: { phoneNumber: number, purePhoneNumber: number, countryCode: '86', watermark } });
};

export const snsOpenApis: Record<string, OpenApi> = {
  '/sns/jscode2session': code2Session,
  '/sns/oauth2/access_token': snsAccessToken,
  '/sns/oauth2/refresh_token': snsRefreshToken,
  '/sns/auth': snsAuth,
  '/sns/userinfo': snsUserInfo,
};

export const snsAccountApis: Record<string, AccountApi> = {
  '/wxa/checksession': checkSession,
  '/wxa/resetusersessionkey': resetUserSessionKey,
  '/wxa/business/getuserencryptkey': getUserEncryptKey,
  '/wxa/business/getuserphonenumber': getPhoneNumber,
};
