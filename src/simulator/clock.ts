/** The simulator's time: a base clock and an offset that only the clock's owner moves. */
export interface SimulatorClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Moves time forward by `ms`, which may not be negative. */
  advance(ms: number): void;
  /** Makes it `ms` since the Unix epoch now; time runs on from there. */
  set(ms: number): void;
}

/** A clock over `base` (ms), the system clock when left out, beginning with no offset. */
export function createClock(base: () => number = Date.now): SimulatorClock {
  let offset = 0;
  return {
    now: () => base() + offset,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new TypeError('advance takes milliseconds, 0 or more');
      offset += ms;
    },
    set(ms) {
      if (!Number.isFinite(ms)) throw new TypeError('set takes milliseconds since the Unix epoch');
      offset = ms - base();
    },
  };
}
