import { ok } from '../answers.ts';
import { type AccountApi, type AccountCall, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';
import { encryptKeyExpiresIn } from '../users/encrypt-keys.ts';
import { isLoginSignature } from '../users/login-signature.ts';
import { liveSession } from '../users/session-keys.ts';
import type { SessionKey, User } from '../users/user.ts';

/**
 * The user whom the query names and whose session_key signed the body. Everything is read from the
 * query; a body, even `{}`, is what the signature must cover. Throws 40003, 87008, 87007 or 87009.
 */
function signedUser({ query, account, now, body }: AccountCall): { user: User; session: SessionKey } {
  const openid = query.get('openid');
  if (!openid) throw new ApiError(40003);
  if (query.get('sig_method') !== 'hmac_sha256') throw new ApiError(87008);
  const user = account.users.find(openid);
  const session = user && liveSession(user, now);
  if (user === undefined || session === undefined) throw new ApiError(87007);
  if (!isLoginSignature(query.get('signature') ?? '', session.value, body)) throw new ApiError(87009);
  return { user, session };
}

/** GET /wxa/checksession, page checkSessionKey. */
const checkSession: AccountApi = call => {
  signedUser(call);
  return ok();
};

/** GET /wxa/resetusersessionkey, page resetUserSessionKey. */
const resetUserSessionKey: AccountApi = call => {
  const { account, entry, now } = call;
  const { user, session } = signedUser(call);
  if (!account.quotas.spendMinute(entry.path, account.settings.quotas.resetPerMinute, now))
    throw new ApiError(45011);
  return ok({
    openid: user.openid,
    session_key: account.users.resetSession(user, session, now).value,
  });
};

/** GET or POST /wxa/business/getuserencryptkey, page getUserEncryptKey. */
const getUserEncryptKey: AccountApi = call => {
  const { account, now } = call;
  const { user } = signedUser(call);
  account.users.latestEncryptKey(user, now);
  return ok({
    key_info_list: user.encryptKeys.map(key => ({
      encrypt_key: key.value,
      version: key.version,
      expire_in: encryptKeyExpiresIn(user, key, now),
      iv: key.iv,
      create_time: secondsOf({ now: key.createdAt }),
    })),
  });
};

export const loginStateApis: Record<string, AccountApi> = {
  '/wxa/checksession': checkSession,
  '/wxa/resetusersessionkey': resetUserSessionKey,
  '/wxa/business/getuserencryptkey': getUserEncryptKey,
};
