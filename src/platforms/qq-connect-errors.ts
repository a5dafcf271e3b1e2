import { errorRules, rows, STOP_RETRY_MS } from './error-rules.ts';

const CONSOLE = 'connect.qq.com > App Management (应用管理)';

/**
 * Codes of graph.qq.com, from QQ Connect's page of common return codes. That page says what a code means
 * but not which call gives it, so which of them a refused refresh token brings is unconfirmed. Codes about
 * a user's token are `other`, as no credential of the app is at fault.
 */
export const qqConnectErrorRule = errorRules([
  ...rows('configuration', {
    100008: {
      hint: `there is no app {appid}: check it in the configuration against ${CONSOLE}`,
      retryAfterMs: STOP_RETRY_MS,
    },
    100009: {
      hint: `the secret (APP Key) configured for {appid} is wrong; look it up at ${CONSOLE}`,
      retryAfterMs: STOP_RETRY_MS,
    },
    100011: { hint: `the app {appid} is not online; see ${CONSOLE}`, retryAfterMs: STOP_RETRY_MS },
  }),
  ...rows('one-shot', {
    100018: { hint: 'the code is not valid; log in again' },
    100019: { hint: 'the code could not be exchanged: it is invalid or has expired; log in again' },
    100020: { hint: 'the code has been used; log in again' },
  }),
  ...rows('permission', {
    100048: { hint: `{appid} may not see unionids; apply for it at ${CONSOLE}` },
  }),
  ...rows('other', {
    100010: {
      hint: `the redirect_uri must be the one that the code was asked for with, and be registered for {appid} at ${CONSOLE}`,
    },
    100013: { hint: 'the access_token is not valid; the user must log in again' },
    100014: { hint: 'the access_token has expired; refresh it, or have the user log in again' },
    100015: { hint: 'the access_token was revoked; the user must log in again' },
    100016: { hint: 'the access_token was refused; refresh it, or have the user log in again' },
    100022: { hint: 'the refresh_token is not valid; the user must log in again' },
    100030: {
      hint: 'the user has not granted this API, or has withdrawn the grant; the user must log in again',
    },
  }),
]);
