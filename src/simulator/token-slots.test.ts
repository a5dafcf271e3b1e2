import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createTokenSlot,
  expiresInOf,
  forceStable,
  type IssuedToken,
  isForceTooSoon,
  issueClassic,
  issueStable,
  revokeSlot,
  type SlotRules,
  validTokens,
  verdictOn,
} from './token-slots.ts';

const RULES: SlotRules = { lifeMs: 7_200_000, overlapMs: 300_000, forceSpacingMs: 30_000 };
const value = (serial: number): string => `token ${serial}`;
const classicSlot = () => createTokenSlot('wx', 'classic');
const stableSlot = () => createTokenSlot('wx', 'stable');

describe('classic slot', () => {
  test.each([
    ['at once', 0, 0],
    ['1 ms before the overlap ends', 299_999, 0],
    ['when the overlap ends', 300_000, 40001],
    ['later', 301_000, 40001],
  ])('the token before: %s', (_, later, verdict) => {
    const slot = classicSlot();
    const first = issueClassic(slot, 1000, RULES, value);
    const second = issueClassic(slot, 2000, RULES, value);
    expect(second.value).not.toBe(first.value);
    expect(verdictOn(first, 2000 + later)).toBe(verdict);
    expect(verdictOn(second, 2000 + later)).toBe(0);
  });

  test('the token before the previous one is dead at once', () => {
    const slot = classicSlot();
    const [a, b, c] = [1, 2, 3].map(now => issueClassic(slot, now, RULES, value)) as IssuedToken[];
    expect([a, b, c].map(token => token && verdictOn(token, 3))).toEqual([40001, 0, 0]);
  });

  test.each([
    [7_199_999, 0],
    [7_200_000, 42001],
  ])('the life ends: %i ms → %i', (age, verdict) => {
    expect(verdictOn(issueClassic(classicSlot(), 0, RULES, value), age)).toBe(verdict);
  });

  test('the overlap never lengthens a life: then it is 42001, not 40001', () => {
    const slot = classicSlot();
    const first = issueClassic(slot, 0, RULES, value);
    issueClassic(slot, 7_100_000, RULES, value);
    expect(verdictOn(first, 7_199_999)).toBe(0);
    expect(verdictOn(first, 7_200_000)).toBe(42001);
    expect(verdictOn(first, 9_000_000)).toBe(42001);
  });
});

describe('stable slot, normal mode', () => {
  test.each([
    ['at once', 7_200_000, true, 7200],
    ['301 s left', 301_000, true, 301],
    ['1 ms more than the window left', 300_001, true, 300],
    ['300 s left', 300_000, false, 7200],
    ['299 s left', 299_000, false, 7200],
    ['1 ms left', 1, false, 7200],
    ['none left', 0, false, 7200],
  ])('%s', (_, left, isSame, expiresIn) => {
    const slot = stableSlot();
    const first = issueStable(slot, 0, RULES, value);
    const now = RULES.lifeMs - left;
    const second = issueStable(slot, now, RULES, value);
    expect(second === first).toBe(isSame);
    expect(expiresInOf(second, now)).toBe(expiresIn);
  });

  test('the old token works through the overlap of a renewal', () => {
    const slot = stableSlot();
    const first = issueStable(slot, 0, RULES, value);
    const now = RULES.lifeMs - 300_000;
    issueStable(slot, now, RULES, value);
    expect(verdictOn(first, now + 299_999)).toBe(0);
    expect(verdictOn(first, now + 300_000)).toBe(40001);
  });

  test('a revoked token is replaced', () => {
    const slot = stableSlot();
    const first = issueStable(slot, 0, RULES, value);
    expect(revokeSlot(slot, 10)).toBe(1);
    expect(verdictOn(first, 10)).toBe(40001);
    expect(verdictOn(issueStable(slot, 10, RULES, value), 10)).toBe(0);
  });

  test.each([
    [600_000, 300_000],
    [60_000, 30_000],
    [2000, 1000],
  ])('a life of %i ms has a window of %i ms', (lifeMs, windowMs) => {
    const rules = { ...RULES, lifeMs };
    const slot = stableSlot();
    const first = issueStable(slot, 0, rules, value);
    expect(issueStable(slot, lifeMs - windowMs - 1, rules, value)).toBe(first);
    expect(issueStable(slot, lifeMs - windowMs, rules, value)).not.toBe(first);
  });
});

describe('stable slot, forced', () => {
  test('every earlier token is dead at once', () => {
    const slot = stableSlot();
    const first = issueStable(slot, 0, RULES, value);
    const second = issueStable(slot, 7_000_000, RULES, value);
    const third = forceStable(slot, 7_000_001, RULES, value);
    expect([first, second, third].map(token => verdictOn(token, 7_000_001))).toEqual([40001, 40001, 0]);
  });

  test.each([
    [0, true],
    [29_999, true],
    [30_000, false],
    [31_000, false],
  ])('again after %i ms: too soon %s', (later, tooSoon) => {
    const slot = stableSlot();
    expect(isForceTooSoon(slot, 0, RULES)).toBe(false);
    forceStable(slot, 0, RULES, value);
    expect(isForceTooSoon(slot, later, RULES)).toBe(tooSoon);
  });
});

const step = fc.record({
  action: fc.constantFrom('issue', 'force', 'revoke', 'wait' as const),
  waitMs: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 8_000_000 })),
});
const rules = fc.record({
  lifeMs: fc.integer({ min: 1000, max: 7_200_000 }),
  overlapMs: fc.integer({ min: 0, max: 600_000 }),
  forceSpacingMs: fc.constant(30_000),
});

test.each(['classic', 'stable'] as const)(
  '%s: at most two tokens work, the one last returned always',
  kind => {
    fc.assert(
      fc.property(rules, fc.array(step, { maxLength: 60 }), (someRules, steps) => {
        const slot = createTokenSlot('wx', kind);
        const all = new Set<IssuedToken>();
        let now = 0;
        for (const { action, waitMs } of steps) {
          now += waitMs;
          if (action === 'revoke') revokeSlot(slot, now);
          if (action === 'issue' || action === 'force') {
            const issue = kind === 'classic' ? issueClassic : action === 'force' ? forceStable : issueStable;
            const token = issue(slot, now, someRules, value);
            all.add(token);
            expect(verdictOn(token, now)).toBe(0);
          }
          const working = [...all].filter(token => verdictOn(token, now) === 0);
          expect(working.length).toBeLessThanOrEqual(2);
          expect(new Set(validTokens(slot, now))).toEqual(new Set(working));
          if (action === 'revoke') expect(working).toEqual([]);
        }
      }),
    );
  },
);
