import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves time on, waking sleepers in the order of their times and letting each do its work first. */
  advance(ms: number): Promise<void>;
  /**
   * Waits for `promise`, moving time on to the next sleeper whenever nothing else is left to happen.
   * Throws when it takes more than `withinMs` of this clock, or when nobody sleeps and it still hangs.
   */
  settled<T>(promise: Promise<T>, withinMs?: number): Promise<T>;
  /** Sets the time without waking anybody, as when an operator corrects the machine's clock. */
  jump(ms: number): void;
  /** Runs real I/O; `settled` lets no time pass until it is over, and `advance` gives it a while. */
  during<T>(io: () => Promise<T>): Promise<T>;
  /** Within `during`: waits for time itself, so that time passes meanwhile. */
  outside<T>(wait: () => Promise<T>): Promise<T>;
  /** How many are asleep. */
  sleepers(): number;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Turns of the event loop that let a woken task run through its awaits. */
const TURNS = 5;
/** How much real time `advance` leaves to sockets before it moves on without them. */
const IO_PATIENCE_MS = 150;
/** How long `settled` looks at a program in which nobody sleeps and nothing moves. */
const HANG_MS = 5000;

export function manualClock(start = Date.parse('2026-03-01T04:00:00Z')): ManualClock {
  let now = start;
  let underWay = 0;
  const asleep = new Set<Sleeper>();

  async function turns(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
  }

  /** Lets everybody who is awake finish, real sockets included, for at most `patienceMs` of real time. */
  async function settle(patienceMs: number): Promise<void> {
    const givesUpAt = performance.now() + patienceMs;
    await turns();
    while (underWay > 0 && performance.now() < givesUpAt) await turns();
  }

  function next(until: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const each of asleep)
      if (each.at <= until && (first === undefined || each.at < first.at)) first = each;
    return first;
  }

  function wake(sleeper: Sleeper): void {
    asleep.delete(sleeper);
    now = Math.max(now, sleeper.at);
    sleeper.wake();
  }

  return {
    now: () => now,
    sleepers: () => asleep.size,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const sleeper: Sleeper = {
          // Whole milliseconds, as Date.now() has them.
          at: Math.ceil(now + ms),
          wake() {
            signal?.removeEventListener('abort', leave);
            resolve();
          },
        };
        const leave = (): void => {
          asleep.delete(sleeper);
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', leave, { once: true });
        asleep.add(sleeper);
      });
    },
    async advance(ms) {
      const until = now + ms;
      await settle(IO_PATIENCE_MS);
      for (let sleeper = next(until); sleeper !== undefined; sleeper = next(until)) {
        wake(sleeper);
        await settle(IO_PATIENCE_MS);
      }
      now = until;
      await settle(IO_PATIENCE_MS);
    },
    async settled(promise, withinMs = 10 * 60_000) {
      const latest = now + withinMs;
      let over = false;
      const mark = (): void => {
        over = true;
      };
      promise.then(mark, mark);
      let stuckSince = performance.now();
      for (;;) {
        await settle(HANG_MS);
        if (over) return promise;
        const sleeper = next(Number.POSITIVE_INFINITY);
        if (sleeper !== undefined) {
          if (sleeper.at > latest) throw new Error(`not settled within ${withinMs} ms of the manual clock`);
          wake(sleeper);
          stuckSince = performance.now();
        } else if (performance.now() - stuckSince > HANG_MS) {
          throw new Error('not settled, and nobody sleeps on the manual clock');
        }
      }
    },
    jump(ms) {
      now += ms;
    },
    async during(io) {
      underWay += 1;
      try {
        return await io();
      } finally {
        underWay -= 1;
      }
    },
    async outside(wait) {
      underWay -= 1;
      try {
        return await wait();
      } finally {
        underWay += 1;
      }
    },
  };
}
