import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRateLimits } from './rate-limits.ts';

function setup(start = 1_000_000) {
  const time = { now: start };
  return { time, limits: createRateLimits(() => time.now) };
}

const limitArbitrary = fc.record({
  perSecond: fc.oneof(fc.double({ min: 0.001, max: 5000, noNaN: true }), fc.integer({ min: 1, max: 5000 })),
  burst: fc.integer({ min: 1, max: 50 }),
});

test('a burst passes, then one call for each moment that brings a token', () => {
  const { time, limits } = setup();
  const limit = { perSecond: 2, burst: 3 };
  const take = () => limits.take('orders', limit);
  expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 500, 500]);
  time.now += 499;
  expect(take()).toBe(1);
  time.now += 1;
  expect([take(), take()]).toEqual([0, 500]);
  time.now += 60_000;
  expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 500]);
});

test('callers do not share', () => {
  const { limits } = setup();
  const limit = { perSecond: 1, burst: 1 };
  expect(['a', 'b', 'a'].map(name => limits.take(name, limit))).toEqual([0, 0, 1000]);
});

test('a smaller burst counts at once, a greater one must be earned', () => {
  const { time, limits } = setup();
  limits.take('a', { perSecond: 1, burst: 100 });
  expect(limits.take('a', { perSecond: 1, burst: 1 })).toBe(0);
  expect(limits.take('a', { perSecond: 1, burst: 100 })).toBe(1000);
  time.now += 2000;
  expect([0, 0, 0].map(() => limits.take('a', { perSecond: 1, burst: 100 }))).toEqual([0, 0, 1000]);
});

test('in no span of time do more calls pass than burst and rate allow', () => {
  fc.assert(
    fc.property(
      limitArbitrary,
      fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 200 }),
      (limit, steps) => {
        const { time, limits } = setup();
        const passed: number[] = [];
        for (const step of steps) {
          time.now += step;
          if (limits.take('a', limit) === 0) passed.push(time.now);
        }
        for (let from = 0; from < passed.length; from += 1) {
          for (let to = from; to < passed.length; to += 1) {
            const seconds = ((passed[to] ?? 0) - (passed[from] ?? 0)) / 1000;
            expect(to - from + 1).toBeLessThanOrEqual(limit.burst + seconds * limit.perSecond + 0.001);
          }
        }
      },
    ),
  );
});

test('whoever waits as long as told is let through, and not much earlier', () => {
  fc.assert(
    fc.property(
      limitArbitrary,
      fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 50 }),
      (limit, steps) => {
        const { time, limits } = setup();
        for (const step of steps) {
          time.now += step;
          const waitMs = limits.take('a', limit);
          if (waitMs === 0) continue;
          expect(Number.isInteger(waitMs)).toBe(true);
          if (waitMs > 1) {
            time.now += waitMs - 2;
            expect(limits.take('a', limit)).toBeGreaterThan(0);
            time.now += 2;
          } else time.now += waitMs;
          expect(limits.take('a', limit)).toBe(0);
        }
      },
    ),
  );
});

test('a clock set back or far ahead neither bars a caller for long nor lets it have more than a burst', () => {
  fc.assert(
    fc.property(limitArbitrary, fc.integer({ min: -1e12, max: 1e12 }), (limit, jump) => {
      const { time, limits } = setup(2e12);
      while (limits.take('a', limit) === 0);
      time.now += jump;
      let passed = 0;
      while (limits.take('a', limit) === 0) passed += 1;
      expect(passed).toBeLessThanOrEqual(limit.burst);
      expect(limits.take('a', limit)).toBeLessThanOrEqual(Math.ceil(1000 / limit.perSecond) + 1);
    }),
  );
});
