import { expect, test } from 'vitest';
import { asBridgeError, BridgeError, ERRORS, type ErrorCode } from './errors.ts';
import { silentLog } from './log.ts';

const rows = Object.entries(ERRORS) as [ErrorCode, (typeof ERRORS)[ErrorCode]][];

test.each(rows)('%s has a fitting status and number', (code, { status, errcode, retryable }) => {
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
  expect(errcode).toBeGreaterThan(0);
  // A retry may help after 408, 429 and what a server may recover from; it never helps after another 4xx.
  if (status < 500) expect(retryable).toBe([408, 429].includes(status));
  expect(new BridgeError(code, 'text').traits).toBe(ERRORS[code]);
  expect(new BridgeError(code, 'text').errcode).toBe(errcode);
});

test('the statuses that the gateway promises', () => {
  const statusOf = (code: ErrorCode): number => ERRORS[code].status;
  expect({
    notListed: statusOf('PATH_NOT_LISTED'),
    notPermitted: statusOf('CALLER_FORBIDDEN'),
    unknownCaller: statusOf('CALLER_UNKNOWN'),
    unknownApp: statusOf('APP_UNKNOWN'),
    tooLarge: statusOf('REQUEST_TOO_LARGE'),
    upstreamFailed: statusOf('UPSTREAM_UNREACHABLE'),
    answerTooLarge: statusOf('RESPONSE_TOO_LARGE'),
    noCredential: statusOf('CREDENTIAL_UNAVAILABLE'),
    timedOut: statusOf('UPSTREAM_TIMEOUT'),
  }).toEqual({
    notListed: 403,
    notPermitted: 403,
    unknownCaller: 401,
    unknownApp: 404,
    tooLarge: 413,
    upstreamFailed: 502,
    answerTooLarge: 502,
    noCredential: 503,
    timedOut: 504,
  });
});

test("the platform's own errcode comes before ours", () => {
  const error = new BridgeError('CREDENTIAL_UNAVAILABLE', 'no token', {
    upstream: { errcode: 40164, errmsg: 'invalid ip 1.2.3.4' },
    hint: 'add it',
    retryAfterMs: 5,
  });
  expect(error.errcode).toBe(40164);
  expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', hint: 'add it', retryAfterMs: 5 });
});

test('an error without a cause has no cause property', () => {
  expect('cause' in new BridgeError('INTERNAL', 'text')).toBe(false);
  expect(new BridgeError('INTERNAL', 'text', { cause: 1 }).cause).toBe(1);
});

test('whatever is thrown becomes a BridgeError whose message gives nothing away', () => {
  const own = new BridgeError('NOT_FOUND', 'text');
  expect(asBridgeError(own)).toBe(own);
  const wrapped = asBridgeError(new Error('select * from secrets'));
  expect(wrapped.code).toBe('INTERNAL');
  expect(wrapped.message).not.toContain('select');
  expect((wrapped.cause as Error).message).toBe('select * from secrets');
  expect(asBridgeError('text').cause).toBe('text');
});

test('the silent log takes everything', () => {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    expect(silentLog[level]({ a: 1 }, 'text')).toBeUndefined();
  }
});
