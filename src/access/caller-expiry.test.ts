import { describe, expect, test } from 'vitest';
import { CallerExpired, expiryWarnings, hasExpired } from './caller-expiry.ts';
import type { CallerDirectory } from './callers.ts';
import { createCallerDirectory, groundsOf, hashCallerKey } from './callers.ts';

const END = Date.parse('2026-12-31T00:00:00Z');
const DAY_MS = 24 * 60 * 60_000;

test('the moment itself is too late', () => {
  expect([END - 1, END, END + 1].map(now => hasExpired(END, now))).toEqual([false, true, true]);
});

describe('a caller with an end', () => {
  const proofs: readonly [string, (directory: CallerDirectory) => unknown][] = [
    ['its key', directory => directory.authenticate({ key: 'k', remoteAddress: '203.0.113.9' })],
    ['its address', directory => directory.authenticate({ remoteAddress: '10.1.2.3' })],
    ['its key as a secret or bearer', directory => directory.byKey('k')],
    ['a virtual token by key', directory => directory.entitled('a', groundsOf('k'), '203.0.113.9')],
    ['a virtual token by address', directory => directory.entitled('a', groundsOf(undefined), '10.1.2.3')],
  ];

  test.each(proofs)('is known by %s until then, and refused from then on', (_what, prove) => {
    let now = END - 1;
    const directory = createCallerDirectory(
      [
        {
          name: 'a',
          keys: [hashCallerKey('k')],
          addresses: ['10.0.0.0/8'],
          tokens: 'virtual',
          expiresAt: END,
        },
        { name: 'b', keys: [hashCallerKey('other')], addresses: [], tokens: 'real' },
      ],
      () => now,
    );
    expect(prove(directory)).toMatchObject({ name: 'a', expiresAt: END });
    now = END;
    expect(() => prove(directory)).toThrow(CallerExpired);
    expect(() => prove(directory)).toThrow('caller a expired at 2026-12-31T00:00:00.000Z');
    expect(directory.authenticate({ key: 'other', remoteAddress: '10.1.2.3' }).name).toBe('b');
  });
});

test('operators are warned a week ahead, and of what is past', () => {
  const callers = [
    { name: 'past', expiresAt: END - 1 },
    { name: 'soon', expiresAt: END + 7 * DAY_MS },
    { name: 'later', expiresAt: END + 7 * DAY_MS + 1 },
    { name: 'never' },
  ];
  expect(expiryWarnings(callers, END)).toEqual([
    'caller past expired at 2026-12-30T23:59:59.999Z and is refused',
    'caller soon expires at 2027-01-07T00:00:00.000Z and is refused from then on',
  ]);
});
