import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { LeaseTable } from '../stores/store.ts';

/** How long a holder that died keeps others waiting. Prolonged at a third of it while work goes on. */
export const LEASE_TTL_MS = 5000;

/** A lease in hand. */
export interface Lease {
  /** Prolongs it now; false when it was lost, and then nothing more may be sent in its name. */
  confirm(): Promise<boolean>;
  release(): Promise<void>;
}

/** What a lease is taken with. */
export interface LeaseOptions {
  readonly leases: LeaseTable;
  readonly name: string;
  /** Random and used once: tells this holding from every other. */
  readonly holder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Takes a lease and keeps prolonging it until released; undefined when someone else holds it. */
export async function takeLease({
  leases,
  name,
  holder,
  clock,
  log,
}: LeaseOptions): Promise<Lease | undefined> {
  if (!(await leases.acquire(name, holder, LEASE_TTL_MS))) return undefined;
  const stop = new AbortController();
  const keep = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(LEASE_TTL_MS / 3, stop.signal);
      if (!(await leases.extend(name, holder, LEASE_TTL_MS))) {
        log.warn({ lease: name }, 'lease lost while working: this process was stopped for too long');
        return;
      }
    }
  };
  keep().catch(error => {
    if (!stop.signal.aborted) log.warn({ lease: name, err: error }, 'lease could not be prolonged');
  });
  return {
    confirm: () => leases.extend(name, holder, LEASE_TTL_MS),
    async release() {
      stop.abort();
      try {
        await leases.release(name, holder);
      } catch (error) {
        log.warn({ lease: name, err: error }, 'lease could not be released; it ends by itself');
      }
    },
  };
}
