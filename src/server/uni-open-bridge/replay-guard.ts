import type { ReplayGuard } from '../../access/s2s-replays.ts';
import type { EphemeralTable } from '../../stores/store.ts';

/** A guard in the store, so that a signature used at one node is known at all. */
export function createStoreReplayGuard(ephemeral: EphemeralTable, now: () => number): ReplayGuard {
  return {
    firstUse: (id, untilMs) => ephemeral.putIfAbsent(`replay:${id}`, 'used', Math.max(1, untilMs - now())),
  };
}
