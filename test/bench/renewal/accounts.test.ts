import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appidOf, dueOf, indexOf, tokenOf } from './accounts.ts';

const index = fc.nat(999_999);

test('an appid tells its account, and no two tokens are the same', () => {
  fc.assert(
    fc.property(index, index, (one, other) => {
      expect(indexOf(appidOf(one))).toBe(one);
      expect(tokenOf(one, 0) === tokenOf(other, 0)).toBe(one === other);
      expect(tokenOf(one, 0)).not.toBe(tokenOf(one, 1));
    }),
  );
});

test('a token falls due within the time that is given, and ends as one of the platform does', () => {
  fc.assert(
    fc.property(index, fc.nat(600_000), (account, spreadMs) => {
      const { renewAt, expiresAt } = dueOf(account, { apps: 1_000_000, from: 5000, spreadMs });
      expect(renewAt).toBeGreaterThanOrEqual(5000);
      expect(renewAt).toBeLessThanOrEqual(5000 + spreadMs);
      expect(expiresAt - renewAt).toBeGreaterThanOrEqual(237_999);
      expect(expiresAt - renewAt).toBeLessThanOrEqual(298_000);
    }),
  );
});

test('as many fall due in each part of the time', () => {
  const tenths = Array.from({ length: 10 }, () => 0);
  for (let account = 0; account < 10_000; account += 1) {
    const { renewAt } = dueOf(account, { apps: 10_000, from: 0, spreadMs: 1000 });
    const tenth = Math.floor(renewAt / 100);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(50);
});
