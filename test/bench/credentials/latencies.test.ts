import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Latencies } from './latencies.ts';

const durations = fc.array(fc.double({ min: 0.05, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 200 });

test('a percentile is within half a percent of the duration that it stands for', () => {
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.99, 1), (given, share) => {
      const latencies = new Latencies();
      for (const us of given) latencies.add(us);
      const sorted = [...given].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(given.length * share)) - 1] ?? Number.NaN;
      expect(Math.abs(latencies.percentile(share) / exact - 1)).toBeLessThan(0.0051);
    }),
  );
});

test('of no durations there is no percentile', () => {
  expect(new Latencies().percentile(0.5)).toBeNaN();
});
