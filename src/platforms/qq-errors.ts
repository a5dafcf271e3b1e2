import { errorRules, REFUSED_ALIKE, rows, STOP_RETRY_MS } from './error-rules.ts';

const MINUTE = 60 * 1000;

const REFUSED_TOKEN = 'the access_token is not valid or no longer the latest one';

/**
 * Errcodes of api.q.qq.com, for QQ mini programs. -1, 40001, 40002, 40013, 40029 and 45011 are on the pages
 * of getAccessToken and code2Session; the rest is unconfirmed: -101222100 and the codes from -1800110109 to
 * -1800110107 are what public clients report and act upon, the others are taken over from WeChat, whose
 * numbers QQ uses.
 */
export const qqErrorRule = errorRules([
  ...rows('token', {
    40001: { hint: `${REFUSED_TOKEN}; while a token is fetched, it means that the secret is wrong` },
    40014: { hint: REFUSED_TOKEN },
    42001: { hint: 'the access_token has expired' },
    [-1800110107]: { hint: REFUSED_TOKEN },
    [-1800110108]: { hint: REFUSED_TOKEN },
    [-1800110109]: { hint: REFUSED_TOKEN },
  }),
  ...rows('configuration', {
    ...REFUSED_ALIKE,
    [-101222100]: {
      hint: 'check appid and secret of {appid} in the configuration against q.qq.com > Development Settings (开发设置)',
      retryAfterMs: STOP_RETRY_MS,
    },
  }),
  ...rows('quota', {
    45009: { hint: 'the daily quota of {appid} is used up', untilMidnight: true },
    45011: { hint: 'too many calls this minute for {appid}', retryAfterMs: MINUTE },
  }),
  ...rows('busy', { [-1]: { hint: 'the platform is busy; it is asked again shortly' } }),
  ...rows('one-shot', {
    40029: { hint: 'the code is invalid or has expired; log in again' },
    40163: { hint: 'the code has been used; log in again' },
  }),
]);
