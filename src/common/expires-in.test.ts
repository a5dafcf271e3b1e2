import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { checkExpiresIn, endOf, NEVER, secondsLeft } from './expires-in.ts';

const NOW = 1_700_000_000_000;

test.each([undefined, -1])('%s means never', expiresIn => {
  expect(checkExpiresIn(expiresIn)).toBe(NEVER);
  expect(endOf(NEVER, NOW)).toBe(Number.POSITIVE_INFINITY);
  expect(secondsLeft(Number.POSITIVE_INFINITY, NOW)).toBe(-1);
});

test.each([
  [0, /ended before it is stored/],
  [-0, /ended before it is stored/],
  [-2, /ended before it is stored/],
  [0.0009, /ended before it is stored/],
  [null, /must be a number of seconds, not null/],
  ['7200', /must be a number of seconds, not a string/],
  [7200n, /must be a number of seconds, not a bigint/],
  [true, /must be a number of seconds, not a boolean/],
  [[7200], /must be a number of seconds, not an array/],
  [Number.NaN, /must be a finite number, not NaN/],
  [Number.POSITIVE_INFINITY, /must be a finite number, not Infinity/],
  [Number.MAX_VALUE, /more than ten years/],
  [NOW, /more than ten years.*in seconds/],
])('%s is refused', (expiresIn, message) => {
  const refusal = refusalOf(() => checkExpiresIn(expiresIn));
  expect(refusal.code).toBe('REQUEST_MALFORMED');
  expect(`${refusal.message}; ${refusal.hint}`).toMatch(message);
  expect(refusal.hint).toContain('never expires');
});

test('any life between a millisecond and ten years is taken, and ends when it says', () => {
  const life = fc.double({ min: 0.001, max: 10 * 365 * 24 * 3600, noNaN: true });
  fc.assert(
    fc.property(life, expiresIn => {
      const end = endOf(checkExpiresIn(expiresIn), NOW);
      expect(Number.isInteger(end)).toBe(true);
      expect(end).toBeGreaterThan(NOW);
      expect(end - NOW).toBeLessThanOrEqual(expiresIn * 1000);
      expect(secondsLeft(end, NOW)).toBe(Math.floor((end - NOW) / 1000));
      expect(secondsLeft(end, end + 1)).toBe(0);
    }),
  );
});

function refusalOf(act: () => unknown): BridgeError {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error;
  }
  throw new Error('it was not refused');
}
