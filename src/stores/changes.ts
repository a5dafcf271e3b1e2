import type { ChangeFeed, ChangeListener, CredentialTable, Store } from './store.ts';

/** How late a change is noticed without a feed, or when its message is lost. */
export const REVALIDATE_MS = 1000;

/** Above this one message says that anything may have changed: it is shorter, and as true. */
const MOST_IDS = 100;

/** Stands for "anything may have changed"; no row has this id, as ids have colons. */
const ANYTHING = '*';

/** The messages of one change of these rows. `sender` names the process and has no space. */
export function changeMessages(sender: string, ids: readonly string[]): readonly string[] {
  const named = ids.length > MOST_IDS ? [ANYTHING] : [...new Set(ids)];
  return named.map(id => `${sender} ${id}`);
}

/** Reads a message; undefined when it is our own or none. */
export function readChange(sender: string, message: string): { readonly id: string | undefined } | undefined {
  const space = message.indexOf(' ');
  if (space <= 0 || message.slice(0, space) === sender) return undefined;
  const id = message.slice(space + 1);
  return { id: id === ANYTHING ? undefined : id };
}

/** Listeners of a feed. One that throws is a programmer's mistake and is not caught. */
export function createListeners(): {
  readonly subscribe: ChangeFeed['subscribe'];
  readonly tell: ChangeListener;
} {
  const listeners = new Set<ChangeListener>();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(id) {
      for (const listener of listeners) listener(id);
    },
  };
}

/** The same store, with every change of a credential told to the other processes once it stands. */
export function announceChanges(store: Store, changes: ChangeFeed): Store {
  return {
    ...store,
    changes,
    credentials: afterWrites(store.credentials, async ids => changes.publish(ids)),
    async close() {
      await changes.close();
      await store.close();
    },
  };
}

/**
 * The same table, with something done after each write of rows and before its writer goes on. It is also
 * done after a write that failed, as a database that did not answer may have written all the same.
 */
export function afterWrites(
  credentials: CredentialTable,
  then: (ids: readonly string[]) => Promise<void>,
): CredentialTable {
  async function followed<T>(ids: readonly string[], write: () => Promise<T>): Promise<T> {
    let result: T | undefined;
    try {
      result = await write();
      return result;
    } finally {
      if (result !== false && result !== 0) await then(ids);
    }
  }
  return {
    ...credentials,
    commit: (row, expectedEpoch) => followed([row.id], () => credentials.commit(row, expectedEpoch)),
    reschedule: (id, epoch, renewal) => followed([id], () => credentials.reschedule(id, epoch, renewal)),
    remove: id => followed([id], () => credentials.remove(id)),
    merge: (rows, options) =>
      followed(
        rows.map(({ id }) => id),
        () => credentials.merge(rows, options),
      ),
  };
}
