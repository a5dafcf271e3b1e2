import type { Clock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import { jsonObjectIn } from '../../base/json-object.ts';
import type { Log } from '../../base/log.ts';
import { afterWrites } from '../changes.ts';
import { foreignRow } from '../foreign-row.ts';
import type { Accelerator, CredentialRow, CredentialTable, Store } from '../store.ts';
import type { Copies, Found } from './copies.ts';
import { COPY_LIFE_MS, type CopyCodec, isSameWriting } from './copy.ts';
import { createGuard, type Outcome } from './guard.ts';
import type { RedisLink } from './link.ts';

/** Most removals that are remembered while Redis cannot be reached. */
const MOST_PENDING = 10_000;
const PENDING_PAUSE_MS = 200;
/** Commands of one kind sent together. */
const AT_A_TIME = 100;

/** What an accelerated store is made of. */
export interface AcceleratedOptions {
  readonly link: RedisLink;
  readonly copies: Copies;
  readonly codec: CopyCodec;
  readonly clock: Clock;
  readonly log: Log;
  /** An unguessable string, new at every call. */
  readonly newClaim: () => string;
}

/**
 * The same store with copies of credentials in Redis, for `peek`. The database decides everything: copies
 * are brought from it, taken away after it was written, and believed for `COPY_LIFE_MS` at most. Without
 * Redis the database is read; nobody waits for Redis longer than its guard allows.
 */
export function acceleratedStore(store: Store, options: AcceleratedOptions): Store {
  const { link, copies, codec, clock, log, newClaim } = options;
  const { credentials } = store;
  const counts = { hits: 0, misses: 0, skipped: 0, rejected: 0 };
  /** Rows whose copies could not be taken away; they are not read from here meanwhile. */
  const pending = new Set<string>();
  /** Set when there were too many of them to remember. */
  let distrustedUntil = Number.NEGATIVE_INFINITY;
  const closing = new AbortController();
  let retrying: Promise<void> | undefined;

  const guard = createGuard({
    link,
    clock,
    log,
    copyLifeMs: COPY_LIFE_MS,
    onRecovery: () => renew([...pending]),
  });

  const isReadable = (id: string): boolean =>
    guard.isTrusted() && clock.now() >= distrustedUntil && !pending.has(id) && copies.takes(id);

  async function peek(id: string): Promise<CredentialRow | undefined> {
    if (!isReadable(id)) {
      counts.skipped += 1;
      return credentials.get(id);
    }
    const outcome = await guard.run(() => copies.read(id));
    if (!outcome.ok) {
      counts.skipped += 1;
      return credentials.get(id);
    }
    const copied = rowIn(outcome.value, id);
    if (copied !== undefined && clock.now() < copied.expiresAt) {
      counts.hits += 1;
      return copied;
    }
    counts.misses += 1;
    const { copy, isRubbish = false } = outcome.value;
    const claim = await claimed(id, copy !== undefined || isRubbish);
    const row = await credentials.get(id);
    // Nobody waits for the copy of what he has.
    if (claim !== undefined) void fill(id, claim, row);
    return row ?? rowOfUniCloud(id, outcome.value);
  }

  function rowIn({ copy }: Found, id: string): CredentialRow | undefined {
    const row = copy === undefined ? undefined : codec.open(copy, id);
    if (copy !== undefined && row === undefined) counts.rejected += 1;
    return row;
  }

  /** What uniCloud wrote into Redis itself, where the database has nothing. */
  function rowOfUniCloud(id: string, { foreign }: Found): CredentialRow | undefined {
    if (foreign === undefined || jsonObjectIn(foreign.value) === undefined) return undefined;
    const { value, lifeMs } = foreign;
    return foreignRow(id, value, lifeMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + lifeMs);
  }

  /** A claim that was left; undefined when another is bringing a copy, or there is no room for one. */
  async function claimed(id: string, over: boolean): Promise<string | undefined> {
    if (!guard.hasRoom()) return undefined;
    const claim = newClaim();
    const left = await guard.run(() => copies.claim(id, claim, over));
    return left.ok && left.value ? claim : undefined;
  }

  async function fill(id: string, claim: string, row: CredentialRow | undefined): Promise<boolean> {
    const open = row && openOrNothing(row);
    return (await guard.run(() => copies.fill(id, claim, open))).ok;
  }

  /** A row that does not open has no copy: whoever reads it is to be told by the database's. */
  function openOrNothing(row: CredentialRow): CredentialRow | undefined {
    try {
      return codec.opened(row);
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      return undefined;
    }
  }

  /** Takes the copies of rows away that were written; what fails is tried again later. */
  async function renew(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += AT_A_TIME) {
      const group = ids.slice(at, at + AT_A_TIME);
      const done = await Promise.all(group.map(renewOne));
      group.forEach((id, index) => {
        if (done[index] === true) pending.delete(id);
        else postpone(id);
      });
    }
  }

  async function renewOne(id: string): Promise<boolean> {
    const { drop } = copies;
    if (!copies.takes(id)) return true;
    if (drop !== undefined) return (await guard.run(() => drop(id))).ok;
    const claim = newClaim();
    const left = await guard.run(() => copies.claim(id, claim, true));
    if (!left.ok) return false;
    // While the claim stands nobody takes what is there for the database's.
    const row: Outcome<CredentialRow | undefined> = await credentials.get(id).then(
      value => ({ ok: true, value }),
      () => ({ ok: false }),
    );
    return row.ok && fill(id, claim, row.value);
  }

  function postpone(id: string): void {
    pending.add(id);
    if (pending.size > MOST_PENDING) {
      pending.clear();
      distrustedUntil = clock.now() + COPY_LIFE_MS;
      log.warn(
        { redis: link.name, copies: MOST_PENDING },
        `too many copies in Redis could not be removed; they end by themselves within ${COPY_LIFE_MS / 1000} s`,
      );
    }
    retrying ??= retry().finally(() => {
      retrying = undefined;
    });
  }

  async function retry(): Promise<void> {
    while (pending.size > 0 && !closing.signal.aborted) {
      await clock.sleep(PENDING_PAUSE_MS, closing.signal).catch(() => {});
      // After a rest the guard's recovery does it, before anybody reads.
      if (guard.isUsed() && !closing.signal.aborted) await renew([...pending]);
    }
  }

  const accelerator: Accelerator = {
    state: guard.state,
    counts: () => ({ ...counts, ...guard.counts, pending: pending.size }),
  };
  const written: CredentialTable = afterWrites(credentials, renew);
  return {
    ...store,
    accelerator,
    credentials: {
      ...written,
      peek,
      async get(id) {
        const [row, found] = await Promise.all([
          credentials.get(id),
          guard.isUsed() && copies.takes(id) ? guard.run(() => copies.read(id)) : undefined,
        ]);
        // Whoever was given the database's row must not be given an older one afterwards.
        const copied = found?.ok ? rowIn(found.value, id) : undefined;
        if (copied !== undefined && (row === undefined || !isSameWriting(copied, row))) await renew([id]);
        return row;
      },
    },
    async close() {
      closing.abort();
      await guard.close();
      await retrying;
      try {
        await link.close();
      } finally {
        await store.close();
      }
    },
  };
}
