import { Secret } from '../base/secret.ts';
import { incompleteAnswer, textIn } from './answer-fields.ts';
import { codeToSession } from './code-session.ts';
import type { EncryptKey, SessionPlan, SignedInput, UpstreamRequest } from './platform.ts';
import { loginStateSignature } from './weixin-signatures.ts';

const SECOND = 1000;

/**
 * A request signed with the session key. Everything is in the query and there is no body, because the
 * signature would have to cover one: with even `{}` in it the platform answers 87009.
 */
function signed(path: string, { openid, accessToken, sessionKey }: SignedInput): UpstreamRequest {
  return {
    method: 'GET',
    path,
    query: {
      access_token: accessToken.reveal(),
      openid,
      signature: loginStateSignature(sessionKey),
      sig_method: 'hmac_sha256',
    },
  };
}

/** One entry of `key_info_list`. A key whose life is over is listed with `expire_in: 0`. */
function readEncryptKey(entry: unknown): EncryptKey {
  if (typeof entry !== 'object' || entry === null) throw incompleteAnswer('key_info_list of keys');
  const key = entry as Readonly<Record<string, unknown>>;
  const version = key['version'];
  if (typeof version !== 'number' || !Number.isSafeInteger(version))
    throw incompleteAnswer('version of an encrypt_key');
  const seconds = Number(key['expire_in']);
  return {
    encryptKey: new Secret(textIn(key, 'encrypt_key')),
    iv: textIn(key, 'iv'),
    version,
    lifeMs: seconds > 0 && Number.isFinite(seconds) ? seconds * SECOND : 0,
  };
}

/**
 * Sessions of a WeChat mini program: code2Session, checkSessionKey, ResetUserSessionKey,
 * getUserEncryptKey and getPhoneNumber.
 */
export const weixinSessions: SessionPlan = {
  ...codeToSession,
  check: input => signed('/wxa/checksession', input),
  reset: input => signed('/wxa/resetusersessionkey', input),
  readReset: answer => new Secret(textIn(answer, 'session_key')),
  encryptKeys: input => signed('/wxa/business/getuserencryptkey', input),
  readEncryptKeys: answer => {
    const list = answer['key_info_list'];
    if (!Array.isArray(list)) throw incompleteAnswer('key_info_list');
    return list.map(readEncryptKey);
  },
  phoneNumber: (accessToken, code) => ({
    method: 'POST',
    path: '/wxa/business/getuserphonenumber',
    query: { access_token: accessToken.reveal() },
    json: { code },
  }),
  sessionRefusedCodes: new Set([87007, 87009]),
};
