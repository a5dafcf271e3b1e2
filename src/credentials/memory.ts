import { type Clock, deadline } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { REVALIDATE_MS } from '../stores/changes.ts';
import { createChangeWatch } from '../stores/changes-watch.ts';
import type { ChangeFeed } from '../stores/store.ts';
import type { CredentialRef } from './credentials.ts';
import { type Flights, withSignal } from './flights.ts';
import { credentialName } from './keys.ts';
import { type Held, isUsable, type Vault } from './vault.ts';

/** Most credentials kept: a bound on memory, as renewal passes by all there are and few of them are in use. */
const REMEMBERED = 10_000;
/** Of a moment that is never recent. */
const LONG_AGO = Number.NEGATIVE_INFINITY;
/** Longest wait for the store while a usable value is in memory. */
const STORE_PATIENCE_MS = 500;

/** The newest known value of each credential, before the store. */
export interface CredentialMemory {
  /** Asks the store now, and remembers what it says. */
  read(ref: CredentialRef): Promise<Held | undefined>;
  /** As `read`, but joins a reading under way: for what is looked at again under the lease before anything is issued. */
  readTogether(ref: CredentialRef): Promise<Held | undefined>;
  /** The current value if it is usable, from memory while the store confirmed it lately. */
  current(ref: CredentialRef): Promise<Held | undefined>;
  /** The value in memory, if the store confirmed it lately; whether it is usable is not looked at. */
  confirmed(ref: CredentialRef): Held | undefined;
  /** Takes a value that was just read or written; resolves to the newest one known. */
  remember(held: Held): Held;
  /** Forgets a value that was removed. */
  forget(ref: CredentialRef): void;
  /** Epoch of the newest value known; 0 when none is. */
  epoch(ref: CredentialRef): number;
  /** True at most once a second for each credential: whether its renewal may be tried from here. */
  mayNudge(ref: CredentialRef): boolean;
}

/** What the memory works with. */
export interface MemoryDeps {
  readonly vault: Vault;
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log: Log;
  /** Word of what other processes change; without it that is noticed with the next revalidation. */
  readonly changes?: ChangeFeed | undefined;
}

interface Known {
  held: Held;
  /** When the store last confirmed it. */
  checkedAt: number;
  /** When its renewal was last tried. */
  nudgedAt: number;
  readonly unwatch: () => void;
}

export function createMemory({ vault, flights, clock, log, changes }: MemoryDeps): CredentialMemory {
  const now = (): number => clock.now();
  const memory = new Map<string, Known>();
  const { watch } = createChangeWatch(changes);

  const usable = (held: Held): boolean => isUsable(held, now());
  /** A moment in the future was noted before the clock was set back: it is not recent. */
  const isRecent = (at: number): boolean => {
    const age = now() - at;
    return age >= 0 && age < REVALIDATE_MS;
  };

  /** `checkedAt` is long ago for what another process changed while it was read. */
  function remember(held: Held, checkedAt = now()): Held {
    const { ref } = held.credential;
    const name = credentialName(ref);
    const known = memory.get(name);
    const newest = known !== undefined && supersedes(known.held, held) ? known.held : held;
    const entry = known ?? newEntry(ref, newest);
    entry.held = newest;
    entry.checkedAt = checkedAt;
    // Taken out first, so that the order is that of last use.
    memory.delete(name);
    memory.set(name, entry);
    if (memory.size > REMEMBERED) {
      const [oldest] = memory.keys();
      if (oldest !== undefined) drop(oldest);
    }
    return newest;
  }

  function newEntry(ref: CredentialRef, held: Held): Known {
    const entry: Known = {
      held,
      checkedAt: LONG_AGO,
      nudgedAt: LONG_AGO,
      unwatch: watch(vault.ids(ref), () => {
        entry.checkedAt = LONG_AGO;
      }),
    };
    return entry;
  }

  function drop(name: string): void {
    memory.get(name)?.unwatch();
    memory.delete(name);
  }

  /**
   * Whether the value in memory is newer than what the store answered late. A lower epoch alone does not
   * say so: epochs begin anew when a row is removed.
   */
  function supersedes({ credential: known }: Held, { credential: read }: Held): boolean {
    return known.epoch > read.epoch && known.issuedAt >= read.issuedAt && now() < known.expiresAt;
  }

  /** Whether what an accelerator gave may be older than what is in memory: older in either respect. */
  function mayBeOlder({ credential: peeked }: Held, { credential: known }: Held): boolean {
    return peeked.epoch < known.epoch || peeked.issuedAt < known.issuedAt;
  }

  const read = (ref: CredentialRef): Promise<Held | undefined> => watched(ref, vault.read);

  /** Reads and remembers; as not confirmed when word of a change came meanwhile. */
  async function watched(ref: CredentialRef, from: Vault['read']): Promise<Held | undefined> {
    let isChanged = false;
    const unwatch = watch(vault.ids(ref), () => {
      isChanged = true;
    });
    // What is read is as old as the asking: a process that was stopped meanwhile would trust it too long.
    const askedAt = now();
    try {
      const held = await from(ref);
      return held && remember(held, isChanged ? LONG_AGO : askedAt);
    } finally {
      unwatch();
    }
  }

  const readTogether = (ref: CredentialRef): Promise<Held | undefined> =>
    flights.shared(`read|${credentialName(ref)}`, () => read(ref));

  /** The store's word: an accelerator's, if that can be used and is not older than what is known. */
  const confirm = (ref: CredentialRef): Promise<Held | undefined> =>
    flights.shared(`peek|${credentialName(ref)}`, () => watched(ref, peek));

  async function peek(ref: CredentialRef): Promise<Held | undefined> {
    const peeked = await vault.peek(ref);
    if (peeked === undefined) return undefined;
    const known = memory.get(credentialName(ref))?.held;
    if (usable(peeked) && !(known !== undefined && mayBeOlder(peeked, known))) return peeked;
    // What others left with the accelerator alone is not in the store, and has no epoch to go by.
    return (await vault.read(ref)) ?? (peeked.row.epoch === 0 ? peeked : undefined);
  }

  /** The current value if it is usable, from memory while the store confirmed it lately. */
  async function current(ref: CredentialRef): Promise<Held | undefined> {
    const name = credentialName(ref);
    const known = memory.get(name);
    if (known !== undefined && isRecent(known.checkedAt) && usable(known.held)) return known.held;
    const reading = confirm(ref);
    if (known === undefined || !usable(known.held)) {
      const held = await reading;
      return held !== undefined && usable(held) ? held : undefined;
    }
    try {
      const held = await within(STORE_PATIENCE_MS, reading);
      return held !== undefined && usable(held) ? held : undefined;
    } catch (error) {
      // With the store away a value that has not expired still serves; looked at again with the next revalidation.
      known.checkedAt = now();
      log.warn(
        { app: ref.app.name, kind: ref.kind, err: error },
        'the store does not answer; serving the credential in memory',
      );
      return known.held;
    }
  }

  /** A promise, or STORE_UNAVAILABLE when it takes too long; what was started goes on. */
  async function within<T>(ms: number, pending: Promise<T>): Promise<T> {
    const limit = deadline(
      clock,
      ms,
      () => new BridgeError('STORE_UNAVAILABLE', `the store did not answer within ${ms} ms`),
    );
    try {
      return await withSignal(pending, limit.signal);
    } finally {
      limit.clear();
    }
  }

  return {
    read,
    readTogether,
    current,
    confirmed(ref) {
      const known = memory.get(credentialName(ref));
      return known !== undefined && isRecent(known.checkedAt) ? known.held : undefined;
    },
    remember: held => remember(held),
    forget: ref => drop(credentialName(ref)),
    epoch: ref => memory.get(credentialName(ref))?.held.credential.epoch ?? 0,
    mayNudge(ref) {
      const known = memory.get(credentialName(ref));
      if (known === undefined || isRecent(known.nudgedAt)) return false;
      known.nudgedAt = now();
      return true;
    },
  };
}
