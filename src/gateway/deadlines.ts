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
 */
export function createDeadlines(clock: Clock, expire: (call: Call) => void): Deadlines {
  const dueAt = new Map<Call, number>();
  let sleepsUntil = Number.POSITIVE_INFINITY;
  let waker: AbortController | undefined;
  let closed = false;

  const sweep = (): void => {
    const now = clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [call, due] of dueAt) {
      if (due <= now) {
        dueAt.delete(call);
        expire(call);
      } else if (due < next) next = due;
    }
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
      const due = call.startedAt + timeoutMs;
      dueAt.set(call, due);
      if (due < sleepsUntil) sleepUntil(due);
    },
    remove(call) {
      dueAt.delete(call);
    },
    close() {
      closed = true;
      waker?.abort();
      dueAt.clear();
    },
  };
}
