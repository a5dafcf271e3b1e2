import fc from 'fast-check';
import { expect, test } from 'vitest';
import { liveSession, logIn, resetSession } from './session-keys.ts';
import { createUser } from './user.ts';

const RULES = { keepMs: 60, lifeMs: 1000 };
const value = (serial: number): string => `key ${serial}`;

test.each([
  [59, 'key 1', 1059],
  [60, 'key 2', 1060],
  [999, 'key 2', 1999],
  [1000, 'key 2', 2000],
])('a second login after %i ms: %s, good until %i', (after, key, end) => {
  const user = createUser('wx', 'o', undefined);
  logIn(user, 0, RULES, value);
  expect(logIn(user, after, RULES, value)).toMatchObject({ value: key, expiresAt: end });
});

test('a key that is kept is still as old as it is', () => {
  const user = createUser('wx', 'o', undefined);
  logIn(user, 0, RULES, value);
  logIn(user, 50, RULES, value);
  expect(logIn(user, 100, RULES, value).value).toBe('key 2');
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('login' as const) }),
  fc.record({ kind: fc.constant('reset' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(1500) }),
);

test('at most one key is valid, it never outlives its life, and no old one comes back', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const user = createUser('wx', 'o', undefined);
      let now = 0;
      let lastLogin = Number.NEGATIVE_INFINITY;
      let serial = 0;
      for (const each of steps) {
        const before = liveSession(user, now);
        if (each.kind === 'wait') now += each.ms;
        if (each.kind === 'login') {
          logIn(user, now, RULES, value);
          lastLogin = now;
        }
        if (each.kind === 'reset' && before !== undefined) {
          const end = before.expiresAt;
          expect(resetSession(user, before, now, value)).toMatchObject({ expiresAt: end });
          expect(liveSession(user, now)?.value).not.toBe(before.value);
        }
        const live = liveSession(user, now);
        expect(live !== undefined).toBe(now < lastLogin + RULES.lifeMs);
        expect(live?.serial ?? serial).toBeGreaterThanOrEqual(serial);
        serial = live?.serial ?? serial;
      }
    }),
  );
});
