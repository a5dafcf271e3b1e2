import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CallLogSettings } from '../config/call-log.ts';
import { USAGE_DAYS_KEPT } from '../contract/calls.ts';
import type { CallRecord } from '../gateway/record.ts';
import type { Store } from '../stores/store.ts';
import { createUsageCounts, usageDay } from './usage.ts';

/** A call is in the store so long after its end, at the latest, while the store keeps up. */
const FLUSH_MS = 1000;
/** So many calls are written without waiting for that. */
const MANY = 1000;
/** Most calls of a batch, which is packed and written in half a millisecond; larger ones are hardly cheaper. */
const BATCH = 500;
/** Batches written at a time. A database server takes them side by side. */
const SIDE_BY_SIDE = 2;
/** Sums written in one go: an embedded database lets nobody else in meanwhile. */
const SUMS = 100;
/** Most calls that wait while the store is slow or down, some 10 MB of them. */
const MOST_WAITING = 20_000;
const RETRY_MS = 1000;
const WARN_EVERY_MS = 60_000;

/** How often old calls are looked for, how many go at once, and the pause that lets others write between. */
const TIDY_EVERY_MS = 30_000;
const TIDY_CHUNK = 500;
const TIDY_PAUSE_MS = 10;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Keeps finished calls, and counts them. */
export interface CallLog {
  /** Takes note of a call. Never throws and never waits: when the store is too slow, calls are left out. */
  note(record: CallRecord): void;
  /** Resolves when what was noted so far is in the store, or the store has failed. */
  flush(): Promise<void>;
  /** Begins to remove what is too old. */
  start(): void;
  /** Writes what is left, then stops. */
  close(): Promise<void>;
}

/** What a call log works with. */
export interface CallLogDeps {
  readonly store: Pick<Store, 'calls' | 'usage'>;
  /** Asked anew each time, so that a reload takes effect. */
  readonly settings: () => CallLogSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Calls wait in memory and are written in batches behind the callers' backs. Usage goes the same way, as
 * sums, and is never left out: while the store is down the sums grow in number only with the configuration.
 */
export function createCallLog({ store, settings, clock, log }: CallLogDeps): CallLog {
  const usage = createUsageCounts();
  const stopping = new AbortController();
  /** Batches that wait, the oldest first. Their bounds stay, so that the store knows one that is sent again. */
  let batches: CallRecord[][] = [];
  /** The batch that is being filled. */
  let filling: CallRecord[] = [];
  /** How many calls wait. */
  let waiting = 0;
  let round: Promise<void> | undefined;
  /** Ends the pause before a write. */
  let hurry: AbortController | undefined;
  let failing = false;
  let left = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;
  let tidying: Promise<void> | undefined;

  function note(record: CallRecord): void {
    usage.count(record);
    if (settings().enabled) {
      filling.push(record);
      waiting += 1;
      if (filling.length === BATCH) closeBatch();
      if (waiting > MOST_WAITING) leaveOut();
    }
    round ??= nextRound();
    if (waiting === MANY && !failing) hurry?.abort();
  }

  function closeBatch(): void {
    if (filling.length === 0) return;
    batches.push(filling);
    filling = [];
  }

  /** The oldest go: whoever looks into a trouble wants to know of the present. */
  function leaveOut(): void {
    const { length = 0 } = batches.shift() ?? [];
    waiting -= length;
    left += length;
    if (clock.now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = clock.now();
    log.warn(
      { left_out: left, waiting },
      'calls are left out of the call log: the store is slower than they come',
    );
  }

  async function nextRound(): Promise<void> {
    hurry = new AbortController();
    await clock.sleep(failing ? RETRY_MS : FLUSH_MS, hurry.signal).catch(() => {});
    hurry = undefined;
    // The call that filled the batch gets its answer first.
    await setImmediate();
    try {
      await write();
      if (failing) log.info({ left_out: left }, 'the call log is written again');
      failing = false;
    } catch (error) {
      if (!failing) {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ reason, waiting }, 'the call log cannot be written; trying again');
      }
      failing = true;
    }
    round = undefined;
    if (isPending() && !stopping.signal.aborted) round = nextRound();
  }

  async function write(): Promise<void> {
    while (waiting > 0) {
      // While the store fails, the batch that is being filled goes on growing.
      if (batches.length < SIDE_BY_SIDE) closeBatch();
      const taken = batches.splice(0, SIDE_BY_SIDE);
      for (const batch of taken) waiting -= batch.length;
      const writes = await Promise.allSettled(taken.map(batch => store.calls.append(batch)));
      const refused = writes.find(each => each.status === 'rejected');
      if (refused !== undefined) {
        const again = taken.filter((_, at) => writes[at]?.status === 'rejected');
        for (const batch of again) waiting += batch.length;
        batches = [...again, ...batches];
        throw refused.reason;
      }
      await setImmediate();
    }
    const sums = usage.take();
    for (let at = 0; at < sums.length; at += SUMS) {
      try {
        await store.usage.add(sums.slice(at, at + SUMS));
      } catch (error) {
        usage.putBack(sums.slice(at));
        throw error;
      }
      await setImmediate();
    }
  }

  function isPending(): boolean {
    return waiting > 0 || usage.size > 0;
  }

  async function flush(): Promise<void> {
    // A round that is writing already may be past the last calls.
    for (let turn = 0; turn < 2 && (round !== undefined || isPending()); turn += 1) {
      round ??= nextRound();
      hurry?.abort();
      await round;
      if (failing) return;
    }
  }

  async function tidy(): Promise<void> {
    const { maxAgeDays, maxCalls } = settings();
    let removed: number;
    do {
      const rule = { olderThan: clock.now() - maxAgeDays * DAY_MS, keepAtMost: maxCalls, limit: TIDY_CHUNK };
      removed = await store.calls.prune(rule);
      if (removed > 0) await clock.sleep(TIDY_PAUSE_MS, stopping.signal);
    } while (removed > 0);
    await store.usage.prune(usageDay(clock.now() - USAGE_DAYS_KEPT * DAY_MS));
  }

  async function keepTidy(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await tidy();
      } catch (error) {
        if (!stopping.signal.aborted)
          log.warn({ err: error }, 'old calls could not be removed; trying again');
      }
      await clock.sleep(TIDY_EVERY_MS, stopping.signal).catch(() => {});
    }
  }

  return {
    note,
    flush,
    start() {
      tidying ??= keepTidy();
    },
    async close() {
      stopping.abort();
      await tidying;
      await flush();
      if (waiting > 0) log.warn({ left_out: waiting }, 'calls were left out of the call log');
    },
  };
}
