import { setTimeout as delay } from 'node:timers/promises';

/**
 * Time as the program sees it. Every module that reads the time or waits takes a Clock, so that
 * tests move time by hand and never really sleep.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      throw signal?.reason ?? error;
    }
  },
};

/** A signal that aborts after a while, and the way to call it off. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Ends the wait; the signal then never aborts of itself. */
  clear(): void;
}

/** An AbortSignal that aborts with `reason()` once `ms` have passed on `clock`. */
export function deadline(clock: Clock, ms: number, reason: () => unknown): Deadline {
  const controller = new AbortController();
  const timer = new AbortController();
  clock.sleep(ms, timer.signal).then(
    () => controller.abort(reason()),
    () => {},
  );
  return { signal: controller.signal, clear: () => timer.abort() };
}
