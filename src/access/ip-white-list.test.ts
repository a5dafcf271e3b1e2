import { expect, test } from 'vitest';
import { createIpWhiteList, ipWhiteListWarning } from './ip-white-list.ts';

test('lists exact addresses and ranges, in either family', () => {
  const { includes } = createIpWhiteList(['203.0.113.9', '10.0.0.0/8', '2001:db8::/32']);
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '10.9.9.9', '2001:db8::1'])
    expect(includes(address)).toBe(true);
  for (const address of ['203.0.113.10', '11.0.0.1', '2001:db9::1', ''])
    expect(includes(address)).toBe(false);
});

test('an empty list lists nobody', () => {
  expect(createIpWhiteList([]).includes('127.0.0.1')).toBe(false);
});

test.each(['0.0.0.0', '::', '[::]', '::ffff:0.0.0.0'])('%s is no wildcard, and is said to be none', rule => {
  const { includes } = createIpWhiteList([rule]);
  for (const address of ['127.0.0.1', '203.0.113.9', '::1', '2001:db8::1'])
    expect(includes(address)).toBe(false);
  expect(ipWhiteListWarning(rule)).toMatch(/^is no wildcard: .*"0\.0\.0\.0\/0" and "::\/0"/);
});

test.each(['0.0.0.0/0', '::/0', '::ffff:0:0/96'])('%s is everybody, and is said to be', rule => {
  expect(ipWhiteListWarning(rule)).toMatch(/^lets everybody/);
});

test.each(['127.0.0.1', '0.0.0.0/8', '10.0.0.0/8', '::1'])('of %s there is nothing to say', rule => {
  expect(ipWhiteListWarning(rule)).toBeUndefined();
});
