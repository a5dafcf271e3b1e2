import type { Clock } from '../../base/clock.ts';

/** Something that is to be told when its time has come. */
export interface Timed {
  /** Kept by the sweep: when that is, in milliseconds since the Unix epoch. */
  dueAt: number;
  /** Kept by the sweep: its place among the others; -1 when it is not watched. */
  sweptAt: number;
  /** Its time has come. It sets another one, or leaves; otherwise it is told again. */
  onDue(now: number): void;
}

/** Watches over the times of many connections with one timer. */
export interface Sweep {
  add(item: Timed, dueAt: number): void;
  /** Sets another time: a comparison and an assignment nearly always, so it can be done for every request. */
  move(item: Timed, dueAt: number): void;
  /** Stops watching one; nothing sleeps on when it was the last. */
  remove(item: Timed): void;
}

/** Least time between two sweeps, in milliseconds: nothing here needs to be more exact. */
const GRAIN_MS = 250;

/** Longest sleep: a timer of Node's can hold no more than 24 days. */
const LONGEST_SLEEP_MS = 3_600_000;

/**
 * Makes a sweep. It sleeps until the earliest time it knew of when it fell asleep; times that have moved on
 * since, as those of busy connections do, are found out then. Items are kept in an array and know their
 * place in it: see createDeadlines for why not in a Set.
 */
export function createSweep(clock: Clock): Sweep {
  const items: Timed[] = [];
  let sleepsUntil = Number.POSITIVE_INFINITY;
  let sweptLast = Number.NEGATIVE_INFINITY;
  let waker: AbortController | undefined;

  const sweep = (): void => {
    const now = clock.now();
    sweptLast = now;
    sleepsUntil = Number.POSITIVE_INFINITY;
    waker = undefined;
    for (const item of items.filter(({ dueAt }) => dueAt <= now)) {
      // Telling one may have moved another.
      if (item.sweptAt !== -1 && item.dueAt <= now) item.onDue(now);
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of items) next = Math.min(next, dueAt);
    if (next < sleepsUntil) sleepUntil(next);
  };
  const sleepUntil = (due: number): void => {
    const now = clock.now();
    const own = new AbortController();
    waker?.abort();
    waker = own;
    sleepsUntil = Math.min(Math.max(due, sweptLast + GRAIN_MS), now + LONGEST_SLEEP_MS);
    clock.sleep(Math.max(1, sleepsUntil - now), own.signal).then(
      () => {
        if (waker === own) sweep();
      },
      () => {},
    );
  };
  const move = (item: Timed, dueAt: number): void => {
    item.dueAt = dueAt;
    if (dueAt < sleepsUntil && item.sweptAt !== -1 && sweptLast + GRAIN_MS < sleepsUntil) sleepUntil(dueAt);
  };

  return {
    add(item, dueAt) {
      item.sweptAt = items.length;
      items.push(item);
      move(item, dueAt);
    },
    move,
    remove(item) {
      if (item.sweptAt === -1) return;
      const last = items.pop();
      if (last !== undefined && last !== item) {
        items[item.sweptAt] = last;
        last.sweptAt = item.sweptAt;
      }
      item.sweptAt = -1;
      if (items.length > 0) return;
      waker?.abort();
      waker = undefined;
      sleepsUntil = Number.POSITIVE_INFINITY;
    },
  };
}
