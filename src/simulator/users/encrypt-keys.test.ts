import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encryptKeyExpiresIn, latestEncryptKey, renewEncryptKey } from './encrypt-keys.ts';
import { createUser } from './user.ts';

const LIFE_MS = 3_600_000;
const value = (version: number) => ({ value: `key ${version}`, iv: `iv ${version}` });

test('a key is good for its life and not a moment longer', () => {
  const user = createUser('wx', 'o', undefined);
  const first = latestEncryptKey(user, 0, LIFE_MS, value);
  expect(latestEncryptKey(user, LIFE_MS - 1, LIFE_MS, value)).toBe(first);
  expect(encryptKeyExpiresIn(user, first, LIFE_MS - 1)).toBe(0);
  expect(latestEncryptKey(user, LIFE_MS, LIFE_MS, value).version).toBe(2);
});

test('the ring: three at most, versions grow by one, only the newest has time left', () => {
  const step = fc.record({ waitMs: fc.nat(2 * LIFE_MS), renew: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), steps => {
      const user = createUser('wx', 'o', undefined);
      let now = 0;
      for (const { waitMs, renew } of steps) {
        now += waitMs;
        const newest = (renew ? renewEncryptKey : latestEncryptKey)(user, now, LIFE_MS, value);
        expect(user.encryptKeys[0]).toBe(newest);
        expect(now).toBeLessThan(newest.expiresAt);
        const versions = user.encryptKeys.map(key => key.version);
        expect(versions).toEqual([0, 1, 2].map(i => newest.version - i).filter(version => version > 0));
        const left = user.encryptKeys.map(key => encryptKeyExpiresIn(user, key, now));
        expect(left.slice(1).every(seconds => seconds === 0)).toBe(true);
      }
    }),
  );
});
