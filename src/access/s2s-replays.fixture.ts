import type { ReplayGuard } from './s2s-replays.ts';

/** A guard that keeps to its contract in memory; the program's own is in the store. */
export function replaysInMemory(now: () => number): ReplayGuard {
  const used = new Map<string, number>();
  return {
    async firstUse(id, untilMs) {
      const first = (used.get(id) ?? Number.NEGATIVE_INFINITY) < now();
      if (first) used.set(id, untilMs);
      return first;
    },
  };
}
