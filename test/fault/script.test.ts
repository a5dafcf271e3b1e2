import { describe, expect, it } from 'vitest';
import { scriptOf } from './script.ts';

const KINDS = ['a', 'b', 'c', 'd'];

describe('a script', () => {
  it('is the same for the same seed and another for another', () => {
    const options = { durationMs: 60_000, everyMs: 2000, kinds: KINDS };
    expect(scriptOf({ seed: 1, ...options })).toEqual(scriptOf({ seed: 1, ...options }));
    expect(scriptOf({ seed: 1, ...options })).not.toEqual(scriptOf({ seed: 2, ...options }));
  });

  it('has every kind once before any comes twice, in order of time and within its duration', () => {
    const steps = scriptOf({ seed: 3, durationMs: 60_000, everyMs: 2000, kinds: KINDS });
    expect(steps.length).toBeGreaterThan(20);
    for (let dealt = 0; dealt + KINDS.length <= steps.length; dealt += KINDS.length)
      expect(
        steps
          .slice(dealt, dealt + KINDS.length)
          .map(({ kind }) => kind)
          .sort(),
      ).toEqual(KINDS);
    const times = steps.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.max(...times)).toBeLessThan(60_000);
  });
});
