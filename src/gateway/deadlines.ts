import type { Clock } from '../base/clock.ts';
import type { Call } from './call.ts';

/** Watches over the time calls take. */
export interface Deadlines {
  /** Watches a call; `expire` is called with it once `timeoutMs` have passed since it began. */
  add(call: Call, timeoutMs: number): void;
  remove(call: Call): void;
  /** Stops watching. */
  close(): void;
}

/**
 * Makes a watch with one sleeper for all calls, however many there are: nearly all end long before their
 * time, so a timer each would be made and thrown away for nothing.
 *
 * Calls are kept in an array and know their place in it. A Map that calls pass through makes V8 keep them
 * for long: each table it outgrows goes on pointing to the calls in it and to the next table, and once one
 * of them has grown old, minor collections free none of what follows.
 */
export function createDeadlines(clock: Clock, expire: (call: Call) => void): Deadlines {
  const watched: Call[] = [];
  let sleepsUntil = Number.POSITIVE_INFINITY;
  let waker: AbortController | undefined;
  let closed = false;

  const forget = (call: Call): void => {
    if (call.watchedAt === -1) return;
    const last = watched.pop();
    if (last !== undefined && last !== call) {
      watched[call.watchedAt] = last;
      last.watchedAt = call.watchedAt;
    }
    call.watchedAt = -1;
  };
  const sweep = (): void => {
    const now = clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const call of watched.filter(({ dueAt }) => dueAt <= now)) {
      forget(call);
      expire(call);
    }
    for (const { dueAt } of watched) next = Math.min(next, dueAt);
    sleepsUntil = Number.POSITIVE_INFINITY;
    waker = undefined;
    if (next < Number.POSITIVE_INFINITY && !closed) sleepUntil(next);
  };
  const sleepUntil = (due: number): void => {
    const own = new AbortController();
    waker?.abort();
    waker = own;
    sleepsUntil = due;
    clock.sleep(Math.max(1, due - clock.now()), own.signal).then(
      () => {
        if (waker === own) sweep();
      },
      () => {},
    );
  };

  return {
    add(call, timeoutMs) {
      call.dueAt = call.startedAt + timeoutMs;
      call.watchedAt = watched.length;
      watched.push(call);
      if (call.dueAt < sleepsUntil) sleepUntil(call.dueAt);
    },
    remove: forget,
    close() {
      closed = true;
      waker?.abort();
      for (const call of watched.splice(0)) call.watchedAt = -1;
    },
  };
}
