import { expect, test } from 'vitest';
import type { ErrorClass } from './platform.ts';
import { qqConnectErrorRule } from './qq-connect-errors.ts';
import { qqErrorRule } from './qq-errors.ts';
import { qqUserTokens } from './qq-user-tokens.ts';

const MINI_PROGRAM: readonly [number, ErrorClass][] = [
  [-1, 'busy'],
  [40001, 'token'],
  [40014, 'token'],
  [42001, 'token'],
  [-1800110107, 'token'],
  [-1800110108, 'token'],
  [-1800110109, 'token'],
  [40002, 'configuration'],
  [40013, 'configuration'],
  [-101222100, 'configuration'],
  [40029, 'one-shot'],
  [40163, 'one-shot'],
  [45009, 'quota'],
  [45011, 'quota'],
  [87014, 'other'],
  [0, 'other'],
];

/** None is of class `token`: there is no token of the app's own that could be replaced. */
const CONNECT: readonly [number, ErrorClass][] = [
  [100008, 'configuration'],
  [100009, 'configuration'],
  [100011, 'configuration'],
  [100018, 'one-shot'],
  [100019, 'one-shot'],
  [100020, 'one-shot'],
  [100048, 'permission'],
  [100010, 'other'],
  [100013, 'other'],
  [100014, 'other'],
  [100015, 'other'],
  [100016, 'other'],
  [100022, 'other'],
  [100030, 'other'],
  [40001, 'other'],
  [0, 'other'],
];

test.each(MINI_PROGRAM)('%i of a QQ mini program is of class %s', (errcode, errorClass) => {
  expect(qqErrorRule(errcode).class).toBe(errorClass);
});

test.each(CONNECT)('%i of QQ Connect is of class %s', (errcode, errorClass) => {
  expect(qqConnectErrorRule(errcode).class).toBe(errorClass);
});

test('every code with a rule has a hint, and those that stop us do so for a while', () => {
  const rules = [
    ...MINI_PROGRAM.map(([errcode]) => qqErrorRule(errcode)),
    ...CONNECT.map(([errcode]) => qqConnectErrorRule(errcode)),
  ];
  for (const rule of rules) {
    if (rule.class !== 'other') expect(rule.hint).toMatch(/\w{3}/);
    if (rule.class === 'configuration') expect(rule.retryAfterMs).toBeGreaterThanOrEqual(60_000);
    expect(rule.hint?.replaceAll('{appid}', '') ?? '').not.toMatch(/[{}]|undefined/);
  }
});

test.each([...qqUserTokens.loginAgainCodes])('%i tells that the user must log in again', errcode => {
  expect(qqConnectErrorRule(errcode).hint).toContain('log in again');
});
