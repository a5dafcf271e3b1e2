import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../stores/store.ts';

const ROUND_MS = 60_000;
/** Rows removed in one statement, so that nobody waits long for one. */
const AT_A_TIME = 100;
/** Pause between two such statements. */
const BREATH_MS = 50;
/** How long an ended value stays, so that it can still be said why there is none. */
const ENDED_KEPT_MS = 7 * 24 * 60 * 60_000;

/** Removes what has ended: users' values, what was remembered for a while, leases of the dead. */
export interface Housekeeping {
  start(): void;
  /** One round. Resolves when nothing is left to remove. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes the housekeeping of a store. Any number of nodes may do it at the same time. */
export function createHousekeeping(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}): Housekeeping {
  const { store, clock, log } = deps;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  async function exhaust(prune: () => Promise<number>): Promise<void> {
    while (!stopping.signal.aborted && (await prune()) > 0) await clock.sleep(BREATH_MS, stopping.signal);
  }

  async function round(): Promise<void> {
    await exhaust(() => store.credentials.pruneExpired(clock.now() - ENDED_KEPT_MS, AT_A_TIME));
    await exhaust(() => store.ephemeral.prune(AT_A_TIME));
    await exhaust(() => store.leases.prune(AT_A_TIME));
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await clock.sleep(ROUND_MS, stopping.signal);
        await round();
      } catch (error) {
        if (!stopping.signal.aborted)
          log.warn({ err: error }, 'removing what has ended failed; trying again later');
      }
    }
  }

  return {
    start() {
      running ??= loop();
    },
    round,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
