import { errorRules, REFUSED_ALIKE, rows, STOP_RETRY_MS } from './error-rules.ts';
import type { ErrorRule } from './platform.ts';

const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;

/** Where secrets and IP lists of mini programs and official accounts are. */
const ACCOUNT_PAGE =
  'mp.weixin.qq.com > Settings and Development > Basic Configuration (开发 > 基本配置 / 开发管理)';
/** Where those of website and mobile apps are. */
const OPEN_PAGE = 'open.weixin.qq.com > Management Center (管理中心)';

const SESSION_HINT =
  'the session_key is not the current one: have the user call wx.login and exchange its code';

/**
 * Errcodes of api.weixin.qq.com that change what we do or what we advise. Sources: the pages of
 * getAccessToken and getStableAccessToken, of code2Session, checkSessionKey and getUserEncryptKey, of the
 * OAuth login, and the global return codes page.
 */
const table = (secretPage: string): readonly (readonly [number, ErrorRule])[] => [
  ...rows('token', {
    40001: {
      hint: 'the access_token is not the latest one; another holder of the secret may have refreshed it',
    },
    40014: { hint: 'the access_token is malformed' },
    42001: { hint: 'the access_token has expired' },
  }),
  ...rows('address', {
    40164: {
      hint: `add {ip} to the IP list of {appid}: ${secretPage}, IP whitelist (IP白名单)`,
      retryAfterMs: STOP_RETRY_MS,
    },
    61004: {
      hint: `add {ip} to the IP list of {appid}: ${secretPage}, IP whitelist (IP白名单)`,
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
    ...REFUSED_ALIKE,
    40125: {
      hint: `the secret configured for {appid} is wrong; look it up or reset it at ${secretPage}`,
      retryAfterMs: STOP_RETRY_MS,
    },
    40243: {
      hint: `the secret of {appid} is frozen; unfreeze it at ${secretPage} (takes 10 minutes to apply)`,
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
    40226: { hint: 'the platform blocks this user as a high risk, so the code cannot be exchanged' },
    42003: { hint: 'the code has expired; log in again' },
  }),
  ...rows('permission', {
    48001: {
      hint: 'this account may not call this API: check its type (mini program or official account) and permissions, or name the right account with from_appid',
    },
    85105: { hint: 'the account has not authorised this call; name the right account with from_appid' },
  }),
  ...rows('other', {
    40030: { hint: 'the refresh_token is not valid; the user must log in again' },
    42002: {
      hint: 'the refresh_token has ended, as it does 30 days after login; the user must log in again',
    },
    42007: { hint: 'the user has changed the password, which ends all tokens; the user must log in again' },
    87007: { hint: SESSION_HINT },
    87008: { hint: 'sig_method must be hmac_sha256' },
    87009: { hint: `${SESSION_HINT}; or the signature does not cover exactly the body that was sent` },
  }),
];

/** What to do about an errcode of api.weixin.qq.com, for a mini program or an official account. */
export const weixinErrorRule = errorRules(table(ACCOUNT_PAGE));

/** The same for a website or mobile app, whose settings are on the open platform's site. */
export const openWeixinErrorRule = errorRules(table(OPEN_PAGE));
