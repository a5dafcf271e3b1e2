import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Store } from './store.ts';

/** A change takes milliseconds; whoever dies in the middle holds the others up for so long. */
const LEASE_MS = 5000;
const POLL_MS = 25;
/** Longest wait for other writers. */
const PATIENCE_MS = 15_000;

/** A small JSON document that all processes share and change one at a time. It is not sealed: keep nothing secret in it. */
export interface SharedDocument<T> {
  read(): Promise<T>;
  /**
   * Writes what `change` makes of the present value, or nothing when that is the same object; nobody else
   * writes meanwhile. Resolves to what stands afterwards. An error thrown by `change` leaves everything as
   * it was. Throws STORE_UNAVAILABLE when others hold it for too long.
   */
  update(change: (value: T) => T): Promise<T>;
}

/** What a shared document is kept with. */
export interface SharedDocumentDeps<T> {
  readonly store: Pick<Store, 'settings' | 'leases'>;
  /** Name of the setting, and of the lease that writers take. */
  readonly name: string;
  /** The value of a stored text, or of none. Throws BridgeError when it is no such document. */
  readonly parse: (text: string | undefined) => T;
  readonly clock: Clock;
  /** Names one writing among all processes; random and used once. */
  readonly newHolder: () => string;
}

/** Keeps a document in one setting, with a lease that makes read, change and write one step. */
export function createSharedDocument<T>(deps: SharedDocumentDeps<T>): SharedDocument<T> {
  const { store, name, parse, clock, newHolder } = deps;
  const lease = `document:${name}`;

  const read = async (): Promise<T> => parse(await store.settings.get(name));

  async function take(holder: string): Promise<void> {
    const patienceEndsAt = clock.now() + PATIENCE_MS;
    while (!(await store.leases.acquire(lease, holder, LEASE_MS))) {
      if (clock.now() >= patienceEndsAt) throw busy(name);
      await clock.sleep(POLL_MS);
    }
  }

  return {
    read,
    async update(change) {
      const holder = newHolder();
      await take(holder);
      try {
        const before = await read();
        const after = change(before);
        if (after === before) return before;
        // Whoever was stopped for longer than its lease must not write over what others wrote since.
        if (!(await store.leases.extend(lease, holder, LEASE_MS))) throw busy(name);
        await store.settings.put(name, JSON.stringify(after));
        return after;
      } finally {
        // It ends by itself if it cannot be given back, and what was done stands all the same.
        await store.leases.release(lease, holder).catch(() => {});
      }
    },
  };
}

function busy(name: string): BridgeError {
  return new BridgeError('STORE_UNAVAILABLE', `${name} is being written by other processes for too long`, {
    hint: 'try again; if it lasts, see whether the database answers slowly',
  });
}
