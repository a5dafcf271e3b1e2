import { expect, test } from 'vitest';
import type { ErrorClass } from './platform.ts';
import { openWeixinErrorRule, weixinErrorRule } from './weixin-errors.ts';

/** Every code of the token endpoints, and every one whose class the design fixes. */
const TABLE: readonly [number, ErrorClass][] = [
  [-1, 'busy'],
  [40001, 'token'],
  [40014, 'token'],
  [42001, 'token'],
  [40164, 'address'],
  [61004, 'address'],
  [89501, 'address'],
  [89502, 'address'],
  [89503, 'address'],
  [89504, 'address'],
  [89505, 'address'],
  [89506, 'address'],
  [89507, 'address'],
  [40002, 'configuration'],
  [40013, 'configuration'],
  [40125, 'configuration'],
  [40243, 'configuration'],
  [41002, 'configuration'],
  [41004, 'configuration'],
  [50004, 'configuration'],
  [50007, 'configuration'],
  [61024, 'configuration'],
  [45009, 'quota'],
  [45011, 'quota'],
  [40029, 'one-shot'],
  [40163, 'one-shot'],
  [40226, 'one-shot'],
  [42003, 'one-shot'],
  [48001, 'permission'],
  [85105, 'permission'],
  [0, 'other'],
  [40003, 'other'],
  [41001, 'other'],
  [43002, 'other'],
  [87014, 'other'],
  [40030, 'other'],
  [42002, 'other'],
  [42007, 'other'],
  [87007, 'other'],
  [87008, 'other'],
  [87009, 'other'],
  [999_999, 'other'],
];

test.each(TABLE)('%i is of class %s', (errcode, errorClass) => {
  expect(weixinErrorRule(errcode).class).toBe(errorClass);
});

test.each(TABLE.filter(([, errorClass]) => errorClass !== 'other'))('%i has a hint', errcode => {
  const { hint = '' } = weixinErrorRule(errcode);
  expect(hint.length).toBeGreaterThan(20);
  expect(hint.replace(/\{(ip|appid)\}/g, '')).not.toMatch(/[{}]|undefined/);
});

const STOPS = TABLE.filter(([, errorClass]) => errorClass === 'address' || errorClass === 'configuration');

test.each(STOPS)('%i stops us for a while, and not for ever', errcode => {
  const { retryAfterMs } = weixinErrorRule(errcode);
  expect(retryAfterMs).toBeGreaterThanOrEqual(60_000);
  expect(retryAfterMs).toBeLessThanOrEqual(24 * 3_600_000);
});

test.each(TABLE.filter(([, errorClass]) => errorClass === 'address'))(
  '%i names the IP and the app',
  errcode => {
    expect(weixinErrorRule(errcode).hint).toContain('{ip}');
    expect(weixinErrorRule(errcode).hint).toContain('{appid}');
  },
);

test('the waits that the platform itself sets', () => {
  expect(weixinErrorRule(89506).retryAfterMs).toBe(24 * 3_600_000);
  expect(weixinErrorRule(89507).retryAfterMs).toBe(3_600_000);
  expect(weixinErrorRule(45011).retryAfterMs).toBe(60_000);
  expect(weixinErrorRule(45009)).toMatchObject({ untilMidnight: true });
});

test.each([40030, 42002, 42007])('%i of a refresh tells that the user must log in again', errcode => {
  expect(weixinErrorRule(errcode).hint).toContain('the user must log in again');
});

test.each([87007, 87009])(
  '%i of a signed call tells that the session key is not the current one',
  errcode => {
    expect(weixinErrorRule(errcode).hint).toMatch(/session_key.*wx\.login/);
  },
);

test('87008 is about the method, not about the key', () => {
  expect(weixinErrorRule(87008).hint).toContain('hmac_sha256');
});

test('website and mobile apps have the same rules, and their settings on another site', () => {
  for (const [errcode, errorClass] of TABLE) expect(openWeixinErrorRule(errcode).class).toBe(errorClass);
  for (const errcode of [40125, 40164, 40243, 61004]) {
    expect(weixinErrorRule(errcode).hint).toContain('mp.weixin.qq.com');
    expect(openWeixinErrorRule(errcode).hint).toContain('open.weixin.qq.com');
    expect(openWeixinErrorRule(errcode).hint).not.toContain('mp.weixin.qq.com');
  }
});
