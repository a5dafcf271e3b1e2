import { type Clock, deadline } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { CredentialRef } from './credentials.ts';
import { type Flights, withSignal } from './flights.ts';
import { credentialName } from './keys.ts';
import { type Held, isUsable, type Vault } from './vault.ts';

/** How old a value in memory may grow before the store is asked again: how late another process's renewal is noticed. */
const REVALIDATE_MS = 1000;
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
  /** Takes a value that was just read or written; resolves to the newest one known. */
  remember(held: Held): Held;
  /** True at most once a second for each credential: whether its renewal may be tried from here. */
  mayNudge(ref: CredentialRef): boolean;
}

/** What the memory works with. */
export interface MemoryDeps {
  readonly vault: Vault;
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log: Log;
}

export function createMemory({ vault, flights, clock, log }: MemoryDeps): CredentialMemory {
  const now = (): number => clock.now();
  /** When the store last confirmed each value, and when its renewal was last tried. */
  const memory = new Map<string, { held: Held; checkedAt: number; nudgedAt: number }>();

  const usable = (held: Held): boolean => isUsable(held, now());
  /** A moment in the future was noted before the clock was set back: it is not recent. */
  const isRecent = (at: number): boolean => now() >= at && now() - at < REVALIDATE_MS;

  function remember(held: Held): Held {
    const name = credentialName(held.credential.ref);
    const known = memory.get(name);
    const newest = known !== undefined && supersedes(known.held, held) ? known.held : held;
    memory.set(name, {
      held: newest,
      checkedAt: now(),
      nudgedAt: known?.nudgedAt ?? Number.NEGATIVE_INFINITY,
    });
    return newest;
  }

  /**
   * Whether the value in memory is newer than what the store answered late. A lower epoch alone does not
   * say so: epochs begin anew when a row is removed.
   */
  function supersedes({ credential: known }: Held, { credential: read }: Held): boolean {
    return known.epoch > read.epoch && known.issuedAt >= read.issuedAt && now() < known.expiresAt;
  }

  async function read(ref: CredentialRef): Promise<Held | undefined> {
    const held = await vault.read(ref);
    return held && remember(held);
  }

  const readTogether = (ref: CredentialRef): Promise<Held | undefined> =>
    flights.shared(`read|${credentialName(ref)}`, () => read(ref));

  /** The current value if it is usable, from memory while the store confirmed it lately. */
  async function current(ref: CredentialRef): Promise<Held | undefined> {
    const name = credentialName(ref);
    const known = memory.get(name);
    if (known !== undefined && isRecent(known.checkedAt) && usable(known.held)) return known.held;
    const reading = readTogether(ref);
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
    remember,
    mayNudge(ref) {
      const known = memory.get(credentialName(ref));
      if (known === undefined || isRecent(known.nudgedAt)) return false;
      known.nudgedAt = now();
      return true;
    },
  };
}
