import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { LeaseTable } from '../stores/store.ts';
import { LeaseLost } from './exchange.ts';
import { type Lease, takeLease } from './lease.ts';

/** Longest wait for something another process is fetching, all tries and other holders included. */
const PATIENCE_MS = 25_000;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 250;

/** Something that one process does for all that want it. */
export interface Pursuit<T> {
  /** Names what is pursued; processes that pursue the same exclude each other by it. */
  readonly name: string;
  /** What is pursued, in words for an error. */
  readonly what: string;
  /** The result, if the store has it by now; asked before the lease is taken, under it, and while waiting for it. */
  settled(): Promise<T | undefined>;
  /** Whether to throw `TakenElsewhere` instead of waiting while another process is at it. */
  readonly impatient?: boolean;
  /** Brings the result about, under the lease. Throws LeaseLost when another process took over meanwhile. */
  work(lease: Lease): Promise<T>;
}

/** Thrown to the impatient: another process is doing it. */
export class TakenElsewhere extends Error {
  override readonly name = 'TakenElsewhere';
}

/** What pursuing works with. */
export interface PursuitDeps {
  readonly leases: LeaseTable;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newHolder: () => string;
  readonly log: Log;
}

/**
 * Makes the way to do something at most once over all processes: losers of the lease wait for its
 * holder's result; nobody runs anyway. Throws CREDENTIAL_UNAVAILABLE when the wait gets too long.
 */
export function createPursuer({ leases, clock, random, newHolder, log }: PursuitDeps) {
  return async <T>({ name, what, settled, work, impatient }: Pursuit<T>): Promise<T> => {
    const patienceEndsAt = clock.now() + PATIENCE_MS;
    let pause = FIRST_POLL_MS;
    for (;;) {
      const ready = await settled();
      if (ready !== undefined) return ready;
      const lease = await takeLease({ leases, name: `issue:${name}`, holder: newHolder(), clock, log });
      if (lease !== undefined) {
        try {
          return (await settled()) ?? (await work(lease));
        } catch (error) {
          if (!(error instanceof LeaseLost)) throw error;
        } finally {
          await lease.release();
        }
      }
      if (lease === undefined && impatient === true) throw new TakenElsewhere(name);
      if (clock.now() >= patienceEndsAt) {
        throw new BridgeError(
          'CREDENTIAL_UNAVAILABLE',
          `no ${what} yet: another process is still fetching it`,
          {
            hint: 'try again; if it lasts, look at the log of the other processes that share this database',
            retryAfterMs: 1000,
          },
        );
      }
      await clock.sleep(pause * (0.5 + random()));
      pause = Math.min(pause * 1.5, LONGEST_POLL_MS);
    }
  };
}

/** Does something at most once over all processes. */
export type Pursue = ReturnType<typeof createPursuer>;
