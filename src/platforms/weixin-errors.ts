import type { ErrorClass, ErrorRule } from './platform.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const OTHER: ErrorRule = { class: 'other' };

/** How long an address or configuration refusal keeps us from asking again: long enough not to hammer, short enough to heal unattended. */
const STOP_RETRY_MS = MINUTE;

/** Turns a class with its codes into rows of the table. */
function rows(
  errorClass: ErrorClass,
  hints: Record<number, Omit<ErrorRule, 'class'>>,
): [number, ErrorRule][] {
  return Object.entries(hints).map(([code, rest]) => [Number(code), { class: errorClass, ...rest }]);
}

const SECRET_PAGE =
  'mp.weixin.qq.com > Settings and Development > Basic Configuration (开发 > 基本配置 / 开发管理)';

/**
 * Errcodes of api.weixin.qq.com that change what we do. Codes not listed are `other` and pass on as
 * they are. Sources: the pages of getAccessToken and getStableAccessToken, the global return codes page.
 */
const RULES: ReadonlyMap<number, ErrorRule> = new Map([
  ...rows('token', {
    40001: {
      hint: 'the access_token is not the latest one; another holder of the secret may have refreshed it',
    },
    40014: { hint: 'the access_token is malformed' },
    42001: { hint: 'the access_token has expired' },
  }),
  ...rows('address', {
    40164: {
      hint: `add {ip} to the IP list of {appid}: ${SECRET_PAGE}, IP whitelist (IP白名单)`,
      retryAfterMs: STOP_RETRY_MS,
    },
    61004: {
      hint: `add {ip} to the IP list of {appid}: ${SECRET_PAGE}, IP whitelist (IP白名单)`,
      retryAfterMs: STOP_RETRY_MS,
    },
    89501: { hint: 'an administrator of {appid} is asked to confirm this IP {ip}', retryAfterMs: 5 * MINUTE },
    89502: { hint: 'an administrator of {appid} is asked to confirm this IP {ip}', retryAfterMs: 5 * MINUTE },
    89503: {
      hint: 'an administrator of {appid} has been sent a message: confirm the call from {ip}, or add it to the IP whitelist',
      retryAfterMs: 5 * MINUTE,
    },
    89504: { hint: 'an administrator of {appid} is asked to confirm this IP {ip}', retryAfterMs: 5 * MINUTE },
    89505: { hint: 'an administrator of {appid} is asked to confirm this IP {ip}', retryAfterMs: 5 * MINUTE },
    89506: {
      hint: 'an administrator of {appid} refused {ip} repeatedly; the platform allows another try after 24 hours, or add it to the IP whitelist',
      retryAfterMs: 24 * HOUR,
    },
    89507: {
      hint: 'an administrator of {appid} refused {ip}; the platform allows another try after 1 hour, or add it to the IP whitelist',
      retryAfterMs: HOUR,
    },
  }),
  ...rows('configuration', {
    40002: {
      hint: 'the grant_type was refused; this is a fault of this program',
      retryAfterMs: STOP_RETRY_MS,
    },
    40013: {
      hint: 'check the appid {appid} and its platform in the configuration',
      retryAfterMs: STOP_RETRY_MS,
    },
    40125: {
      hint: `the secret configured for {appid} is wrong; look it up or reset it at ${SECRET_PAGE}`,
      retryAfterMs: STOP_RETRY_MS,
    },
    40243: {
      hint: `the secret of {appid} is frozen; unfreeze it at ${SECRET_PAGE} (takes 10 minutes to apply)`,
      retryAfterMs: 5 * MINUTE,
    },
    41002: {
      hint: 'the appid was missing from the request; check the configuration',
      retryAfterMs: STOP_RETRY_MS,
    },
    41004: {
      hint: 'the secret of {appid} was missing from the request; check the configuration',
      retryAfterMs: STOP_RETRY_MS,
    },
    50004: {
      hint: '{appid} may not use the token API; the account may be under penalty',
      retryAfterMs: 10 * MINUTE,
    },
    50007: { hint: '{appid} is frozen by the platform; see its message centre', retryAfterMs: 10 * MINUTE },
    61024: {
      hint: '{appid} is a third-party platform; it needs component credentials',
      retryAfterMs: 10 * MINUTE,
    },
  }),
  ...rows('quota', {
    45009: {
      hint: 'the daily quota of {appid} is used up; it resets at midnight China time, or clear it with clear_quota',
      untilMidnight: true,
    },
    45011: { hint: 'too many calls this minute for {appid}', retryAfterMs: MINUTE },
  }),
  ...rows('busy', { [-1]: { hint: 'the platform is busy; it is asked again shortly' } }),
  ...rows('one-shot', {
    40029: { hint: 'the code is invalid or has expired; log in again' },
    40163: { hint: 'the code has been used; log in again' },
  }),
  ...rows('permission', {
    48001: {
      hint: 'this account may not call this API: check its type (mini program or official account) and permissions, or name the right account with from_appid',
    },
    85105: { hint: 'the account has not authorised this call; name the right account with from_appid' },
  }),
]);

/** What to do about an errcode of api.weixin.qq.com. */
export function weixinErrorRule(errcode: number): ErrorRule {
  return RULES.get(errcode) ?? OTHER;
}
