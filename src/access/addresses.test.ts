import { describe, expect, test } from 'vitest';
import { addressRuleFault, createAddressMatcher, isLoopback } from './addresses.ts';

describe('createAddressMatcher', () => {
  test.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.3', '::ffff:10.1.2.3', true],
    ['::ffff:10.1.2.3', '10.1.2.3', true],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['::ffff:10.0.0.0/104', '11.9.9.9', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::5', false],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1', true],
    ['192.168.1.128/25', '192.168.1.127', false],
    ['192.168.1.128/25', '192.168.1.129', true],
  ])('%s and %s: %s', (rule, peer, matches) => {
    expect(createAddressMatcher([rule]).matches(peer)).toBe(matches);
  });

  test('matches any of several rules, and nothing without rules or without an address', () => {
    const matcher = createAddressMatcher(['10.0.0.1', '2001:db8::/64']);
    expect(matcher.matches('2001:db8::7')).toBe(true);
    expect(matcher.matches('')).toBe(false);
    expect(matcher.matches('shop.internal')).toBe(false);
    expect(createAddressMatcher([]).matches('10.0.0.1')).toBe(false);
  });

  test.each([
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '0x7f000001',
    '::1/129',
    'shop.internal',
    '10.0.0.0/8/8',
    '',
  ])('refuses %j as a rule', rule => {
    expect(addressRuleFault(rule)).toBeDefined();
    expect(() => createAddressMatcher([rule])).toThrow(JSON.stringify(rule));
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['[::1]', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['example.com', false],
  ['', false],
])('isLoopback(%j) is %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback);
});
