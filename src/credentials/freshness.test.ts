import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Freshness, freshness, renewalTime, retryAfterSameValue } from './freshness.ts';

const SECOND = 1000;
const WINDOW = 300 * SECOND;
const stable = { renewAheadMs: WINDOW, sameUntilRenewal: true };
const classic = { renewAheadMs: WINDOW, sameUntilRenewal: false };
const NEVER = Number.POSITIVE_INFINITY;

describe('freshness', () => {
  test.each<[string, number, number, number, Freshness]>([
    ['just issued', 7200, 6900, 0, 'fresh'],
    ['right before renewal', 7200, 6900, 6899.999, 'fresh'],
    ['at renewal', 7200, 6900, 6900, 'due'],
    ['right before the margin', 7200, 6900, 7197.999, 'due'],
    ['within the margin of 2 s', 7200, 6900, 7198, 'expired'],
    ['at its end', 7200, 6900, 7200, 'expired'],
    ['long after', 7200, 6900, 99_999, 'expired'],
    ['a life of 10 s has a margin of 1 s', 10, 5, 8.999, 'due'],
    ['a life of 10 s in its margin', 10, 5, 9, 'expired'],
    ['a life of 1 s can be handed out', 1, 0.5, 0.1, 'fresh'],
    ['a life of 1 s in its margin', 1, 0.5, 0.9, 'expired'],
    ['renewal after the end', 7200, 9999, 7100, 'fresh'],
    ['renewal after the end, when it is over', 7200, 9999, 7199, 'expired'],
    ['it never ends', NEVER, NEVER, 1e12, 'fresh'],
    ['before it began, by a clock set back', 7200, 6900, -3600, 'fresh'],
  ])('%s', (_, expires, renew, now, expected) => {
    const life = { issuedAt: 0, expiresAt: expires * SECOND };
    expect(freshness(life, renew * SECOND, now * SECOND)).toBe(expected);
  });

  test('it only ever goes from fresh over due to expired', () => {
    const order = { fresh: 0, due: 1, expired: 2 };
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.nat(10_000_000), fc.nat(), fc.nat(), (life, renewAt, a, b) => {
        const [earlier, later] = a < b ? [a, b] : [b, a];
        const at = (now: number): number => order[freshness({ issuedAt: 0, expiresAt: life }, renewAt, now)];
        expect(at(earlier)).toBeLessThanOrEqual(at(later));
      }),
    );
  });

  test('nothing that ended is ever handed out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e10 }), fc.nat(), fc.nat(1e9), (life, renewAt, after) => {
        expect(freshness({ issuedAt: 0, expiresAt: life }, renewAt, life + after)).toBe('expired');
      }),
    );
  });
});

describe('renewalTime', () => {
  test.each<[string, number, typeof stable, number, number]>([
    ['stable, 7200 s, no jitter: 2 s after the window opens', 7200, stable, 0, 6902],
    ['stable, 7200 s, half the jitter', 7200, stable, 0.5, 6932],
    ['classic, 7200 s, no jitter: as the window opens', 7200, classic, 0, 6900],
    ['classic, 7200 s, half the jitter', 7200, classic, 0.5, 6870],
    ['stable, 600 s', 600, stable, 0, 302],
    ['stable, 400 s: half the life', 400, stable, 0, 202],
    ['classic, 10 s: half the life', 10, classic, 0, 5],
    ['stable, 10 s', 10, stable, 0, 5.25],
    ['stable, 1 s', 1, stable, 0, 0.525],
  ])('%s', (_, life, plan, random, expected) => {
    expect(renewalTime({ issuedAt: 0, expiresAt: life * SECOND }, plan, random)).toBeCloseTo(
      expected * SECOND,
      6,
    );
  });

  const lives = fc.double({ min: 1, max: 30 * 24 * 3600, noNaN: true });
  const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const begins = fc.constantFrom(0, Date.parse('2026-03-01T04:00:00Z'));

  test('a stable token is never asked for before its window opens, and well before its end', () => {
    fc.assert(
      fc.property(lives, randoms, begins, (seconds, random, issuedAt) => {
        const expiresAt = issuedAt + seconds * SECOND;
        const window = Math.min(WINDOW, (expiresAt - issuedAt) / 2);
        const at = renewalTime({ issuedAt, expiresAt }, stable, random);
        expect(at).toBeGreaterThanOrEqual(expiresAt - window);
        expect(at).toBeLessThanOrEqual(expiresAt - window * 0.7);
      }),
    );
  });

  test('any other is asked for a little before its window, spread by a fifth of it', () => {
    fc.assert(
      fc.property(lives, randoms, begins, (seconds, random, issuedAt) => {
        const expiresAt = issuedAt + seconds * SECOND;
        const window = Math.min(WINDOW, (expiresAt - issuedAt) / 2);
        const at = renewalTime({ issuedAt, expiresAt }, classic, random);
        expect(at).toBeLessThanOrEqual(expiresAt - window);
        expect(at).toBeGreaterThanOrEqual(expiresAt - window * 1.2 - 0.001);
        expect(at).toBeGreaterThan(issuedAt);
      }),
    );
  });

  test('a renewal always comes while the value can still be handed out', () => {
    fc.assert(
      fc.property(lives, randoms, fc.boolean(), (seconds, random, sameUntilRenewal) => {
        const life = { issuedAt: 0, expiresAt: seconds * SECOND };
        const renewAt = renewalTime(life, { renewAheadMs: WINDOW, sameUntilRenewal }, random);
        expect(freshness(life, renewAt, renewAt)).toBe('due');
        expect(freshness(life, renewAt, 0)).toBe('fresh');
      }),
    );
  });

  test('what never ends is never renewed', () => {
    expect(renewalTime({ issuedAt: 0, expiresAt: NEVER }, stable, 0.5)).toBe(NEVER);
    expect(renewalTime({ issuedAt: 0, expiresAt: NEVER }, classic, 0.5)).toBe(NEVER);
  });

  test('a thousand apps issued together are spread out', () => {
    const life = { issuedAt: 0, expiresAt: 7200 * SECOND };
    const times = Array.from({ length: 1000 }, (_, number) => renewalTime(life, stable, number / 1000));
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(50 * SECOND);
  });
});

describe('retryAfterSameValue', () => {
  test.each<[string, number, number, number]>([
    ['planned later: as planned', 6902, 100, 6902],
    ['asked too early in the window: five seconds on', 6902, 6903, 6908],
    ['near the end: a tenth of what is left', 6902, 7190, 7191],
  ])('%s', (_, planned, now, expected) => {
    const life = { issuedAt: 0, expiresAt: 7200 * SECOND };
    expect(retryAfterSameValue(life, planned * SECOND, now * SECOND)).toBe(expected * SECOND);
  });
});
