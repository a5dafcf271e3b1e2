import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { jsonObjectIn } from '../base/json-object.ts';
import { fingerprintOf } from '../base/secret.ts';
import { REVALIDATE_MS } from '../stores/changes.ts';
import { createChangeWatch } from '../stores/changes-watch.ts';
import type { CredentialRow, CredentialTable, Store } from '../stores/store.ts';
import type { CredentialRef, ValueObject } from './credentials.ts';
import { credentialName, idsOf, type KeyFormat, storedKeys } from './keys.ts';
import { createTurns } from './turns.ts';

/** Of a moment that is never recent. */
const LONG_AGO = Number.NEGATIVE_INFINITY;
/** Most values kept in memory: a bound, as an app has any number of users. */
const REMEMBERED = 10_000;
/** How often a write is tried over other writers of the same row. */
const WRITE_TRIES = 20;

/** One user's stored value. */
export interface UserRow {
  readonly value: ValueObject;
  /** When nothing can be had of it any more; milliseconds since the Unix epoch, or Infinity. */
  readonly expiresAt: number;
  /** When the value itself ends, where it can be renewed until `expiresAt`; undefined when both are the same. */
  readonly renewAt: number | undefined;
  /** Undefined in rows we did not write. */
  readonly issuedAt: number | undefined;
  readonly previous: { readonly value: ValueObject; readonly expiresAt: number } | undefined;
}

/** Reads and writes the values of users. */
export interface UserRows {
  /** From memory while the store confirmed it lately. */
  read(ref: CredentialRef): Promise<UserRow | undefined>;
  /** From the store. */
  readNow(ref: CredentialRef): Promise<UserRow | undefined>;
  /** Writes what `next` makes of what is there; undefined leaves it as it is. Tried again when another writer was first. */
  write(ref: CredentialRef, next: (current: UserRow | undefined) => UserRow | undefined): Promise<void>;
  remove(ref: CredentialRef): Promise<boolean>;
}

/** What user rows are kept with. */
export interface UserRowDeps {
  readonly store: Store;
  readonly keyFormat: KeyFormat;
  readonly clock: Clock;
}

interface Known {
  row: UserRow;
  epoch: number;
  /** When the store last confirmed it. */
  checkedAt: number;
  readonly unwatch: () => void;
}

interface Read {
  readonly row: UserRow | undefined;
  /** Epoch of what stands under the key we write to; 0 when nothing does, or nothing of ours. */
  readonly storedEpoch: number;
  readonly epoch: number;
}

export function createUserRows({ store, keyFormat, clock }: UserRowDeps): UserRows {
  const { credentials } = store;
  const inTurn = createTurns();
  const remembered = new Map<string, Known>();
  const { watch } = createChangeWatch(store.changes);

  const readBy =
    (get: CredentialTable['get']) =>
    async (ref: CredentialRef): Promise<Read> => {
      const { id, alternate } = storedKeys(ref, keyFormat);
      const own = await get(id);
      const row = own && toUserRow(ref, own);
      if (row !== undefined || alternate === undefined)
        return { row, storedEpoch: own?.epoch ?? 0, epoch: own?.epoch ?? 0 };
      const other = await get(alternate);
      return {
        row: other && toUserRow(ref, other),
        storedEpoch: own?.epoch ?? 0,
        epoch: Math.max(own?.epoch ?? 0, other?.epoch ?? 0),
      };
    };
  const fromStore = readBy(credentials.get);
  const fromAccelerator = credentials.peek && readBy(credentials.peek);

  /** `checkedAt` is long ago for what another process changed while it was read. */
  function remember(ref: CredentialRef, { row, epoch }: Omit<Read, 'storedEpoch'>, checkedAt: number): void {
    const name = memoryName(ref);
    // What is missing is not remembered: another process may write it any moment.
    if (row === undefined) {
      forget(name);
      return;
    }
    const known = remembered.get(name) ?? newEntry(ref, row);
    // A read that began before a write of ours may end after it. Epochs begin anew when a row is removed.
    if (epoch < known.epoch && (row.issuedAt ?? 0) <= (known.row.issuedAt ?? 0)) return;
    known.row = row;
    known.epoch = epoch;
    known.checkedAt = checkedAt;
    remembered.delete(name);
    remembered.set(name, known);
    if (remembered.size > REMEMBERED) {
      const [oldest] = remembered.keys();
      if (oldest !== undefined) forget(oldest);
    }
  }

  function newEntry(ref: CredentialRef, row: UserRow): Known {
    const entry: Known = {
      row,
      epoch: 0,
      checkedAt: LONG_AGO,
      unwatch: watch(idsOf(ref, keyFormat), () => {
        entry.checkedAt = LONG_AGO;
      }),
    };
    return entry;
  }

  function forget(name: string): void {
    remembered.get(name)?.unwatch();
    remembered.delete(name);
  }

  /** Reads and remembers; as not confirmed when word of a change came meanwhile. */
  async function watched(
    ref: CredentialRef,
    from: (ref: CredentialRef) => Promise<Read>,
  ): Promise<UserRow | undefined> {
    let isChanged = false;
    const unwatch = watch(idsOf(ref, keyFormat), () => {
      isChanged = true;
    });
    // What is read is as old as the asking.
    const askedAt = clock.now();
    try {
      const read = await from(ref);
      remember(ref, read, isChanged ? LONG_AGO : askedAt);
      return read.row;
    } finally {
      unwatch();
    }
  }

  /** By an accelerator, unless what that has is over or may be older than what is known. */
  async function peek(ref: CredentialRef): Promise<Read> {
    if (fromAccelerator === undefined) return fromStore(ref);
    const peeked = await fromAccelerator(ref);
    if (peeked.row === undefined) return peeked;
    const known = remembered.get(memoryName(ref));
    if (!hasEnded(peeked.row) && !(known !== undefined && mayBeOlder(peeked.row, peeked.epoch, known)))
      return peeked;
    const read = await fromStore(ref);
    // What others left with the accelerator alone is not in the store, and has no epoch to go by.
    return read.row === undefined && peeked.epoch === 0 ? peeked : read;
  }

  const hasEnded = ({ expiresAt, renewAt = expiresAt }: UserRow): boolean =>
    clock.now() >= Math.min(expiresAt, renewAt);

  const readNow: UserRows['readNow'] = ref => watched(ref, fromStore);

  return {
    readNow,
    async read(ref) {
      const known = remembered.get(memoryName(ref));
      const age = known === undefined ? REVALIDATE_MS : clock.now() - known.checkedAt;
      return known !== undefined && age >= 0 && age < REVALIDATE_MS ? known.row : watched(ref, peek);
    },
    write: (ref, next) =>
      inTurn(memoryName(ref), async () => {
        for (let tried = 0; tried < WRITE_TRIES; tried += 1) {
          const knownEpoch = remembered.get(memoryName(ref))?.epoch ?? 0;
          const { row: current, storedEpoch, epoch } = await fromStore(ref);
          // Removed since: epochs begin anew, and what is known of before would pass for newer than what follows.
          if (epoch < knownEpoch) forget(memoryName(ref));
          const row = next(current);
          if (row === undefined) return;
          const { id } = storedKeys(ref, keyFormat);
          if (await credentials.commit(toStored(ref, id, row, epoch + 1), storedEpoch)) {
            remember(ref, { row, epoch: epoch + 1 }, clock.now());
            return;
          }
        }
        throw new BridgeError(
          'STORE_UNAVAILABLE',
          `the ${ref.kind} of a user of ${ref.app.name} is being written by too many at once`,
          { hint: 'try again; if it lasts, see who else writes it' },
        );
      }),
    async remove(ref) {
      const { id, alternate } = storedKeys(ref, keyFormat);
      const removed = await credentials.remove(id);
      const other = alternate !== undefined && (await credentials.remove(alternate));
      forget(memoryName(ref));
      return removed || other;
    },
  };
}

/** Whether what an accelerator gave may be older than what is known: older in either respect. */
function mayBeOlder(row: UserRow, epoch: number, known: Known): boolean {
  return epoch < known.epoch || (row.issuedAt ?? 0) < (known.row.issuedAt ?? 0);
}

/** Unlike a credential's name, it tells the versions of an encrypt key apart. */
function memoryName(ref: CredentialRef): string {
  return ref.version === undefined ? credentialName(ref) : `${credentialName(ref)}:${ref.version}`;
}

function toStored(ref: CredentialRef, id: string, row: UserRow, epoch: number): CredentialRow {
  const previous = row.previous && JSON.stringify(row.previous.value);
  return {
    id,
    value: JSON.stringify(row.value),
    expiresAt: row.expiresAt,
    platform: ref.app.platform,
    appid: ref.app.appid,
    kind: ref.kind,
    epoch,
    issuedAt: row.issuedAt,
    renewAt: row.renewAt,
    background: false,
    // Nobody looks a user's value up by its fingerprint, and an index over all users' would cost every write.
    fingerprint: undefined,
    previous:
      row.previous && previous !== undefined
        ? { value: previous, fingerprint: fingerprintOf(previous), expiresAt: row.previous.expiresAt }
        : undefined,
  };
}

function toUserRow(ref: CredentialRef, row: CredentialRow): UserRow | undefined {
  // A key by dcloudAppid outlives a change of the appid behind it; another app's value must not be handed out.
  if (row.appid !== undefined && row.appid !== ref.app.appid) return undefined;
  const value = jsonObjectIn(row.value);
  if (value === undefined) return undefined;
  const previous = row.previous && jsonObjectIn(row.previous.value);
  return {
    value,
    expiresAt: row.expiresAt,
    renewAt: row.renewAt,
    issuedAt: row.issuedAt,
    previous:
      row.previous && previous !== undefined
        ? { value: previous, expiresAt: row.previous.expiresAt }
        : undefined,
  };
}
