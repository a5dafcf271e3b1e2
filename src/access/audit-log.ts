import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AuditHead, AuditRow, AuditTable } from '../stores/store.ts';
import type { Audit, AuditEvent } from './audit.ts';
import { type AuditDraft, createAuditChain } from './audit-chain.ts';
import { createRefusalBound } from './audit-refusals.ts';
import { createAuditSums, sumKey } from './audit-sums.ts';

/** What was noted is in the store so long after it, at the latest, while the store keeps up. */
const FLUSH_MS = 250;
/** So many are written without waiting for that, and at once. */
const BATCH = 200;
/** Most events that wait while the store is slow or down, some 10 MB of them. */
const MOST_WAITING = 20_000;
const RETRY_MS = 1000;

/** Chains whose last entries a new one begins with, those that began last. */
const HEADS = 20;
/** How often a chain that lives on takes down the last entries of the others. */
const HEADS_EVERY_MS = 60 * 60_000;
/** The last entry is told to the log, from where it may be kept elsewhere, after so many. */
const TELL_EVERY = 1000;

const TIDY_EVERY_MS = 10 * 60_000;
const TIDY_CHUNK = 500;
const TIDY_PAUSE_MS = 10;
const DAY_MS = 24 * 60 * 60 * 1000;

/** How long the audit log is kept; what exceeds either is removed from the front. */
export interface AuditRetention {
  readonly maxAgeDays: number;
  readonly maxEntries: number;
}

/** The audit log of one process, with a chain of its own. */
export interface AuditLog extends Audit {
  /** Resolves when everything noted so far is in the store, or the store has failed. */
  flush(): Promise<void>;
  /** Begins the chain, and to remove what is too old. Without it the chain begins with the first event. */
  start(): void;
  /** Writes what is left and the end of the chain, then stops. */
  close(): Promise<void>;
  /** Entries written by this process, and events it could not write. */
  readonly counts: { readonly written: number; readonly lost: number };
}

/** What an audit log works with. */
export interface AuditLogDeps {
  readonly table: AuditTable;
  /** Names this process. */
  readonly node: string;
  /** Name and version of the program. */
  readonly version: string;
  /** Asked anew each time, so that a reload takes effect. */
  readonly retention: () => AuditRetention;
  readonly clock: Clock;
  /** Hex digits of so many random bytes. */
  readonly randomHex: (bytes: number) => string;
  readonly log: Log;
}

interface Waiting {
  readonly draft: () => AuditDraft;
  readonly settle?: Settle | undefined;
}

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

interface Linked {
  readonly row: AuditRow;
  settle: Settle | undefined;
}

/**
 * Makes the audit log of one process. Entries are linked in the order they are written in, one batch at a
 * time, so that a chain in the store never has a gap. What could not be written is written again as it is.
 */
export function createAuditLog(deps: AuditLogDeps): AuditLog {
  const { table, node, version, retention, clock, randomHex, log } = deps;
  const chain = createAuditChain(chainId(clock.now(), randomHex), node);
  const sums = createAuditSums();
  const bounded = createRefusalBound();
  const stopping = new AbortController();
  const counts = { written: 0, lost: 0 };
  let waiting: Waiting[] = [];
  /** Linked, and not known to be in the store. */
  let linked: Linked[] = [];
  let gap: { since: number; at: number; times: number } | undefined;
  let round: Promise<void> | undefined;
  let pause: AbortController | undefined;
  let urgent = false;
  let starting = false;
  let failing = false;
  let tidied = 0;
  let loops: Promise<unknown> | undefined;

  function note(given: AuditEvent): void {
    const now = clock.now();
    collect(now, false);
    let event = given;
    let key = sumKey(event);
    if (sums.again(key, now)) {
      wakeForSums(now);
      return;
    }
    if (event.action === 'refused') {
      event = bounded(event, now);
      if (event !== given) {
        key = sumKey(event);
        if (sums.again(key, now)) return;
      }
    }
    if (isFull()) {
      lose(1, now);
      return;
    }
    const sum = sums.add(key, event, now);
    push({ draft: () => drawn(sum) });
  }

  function record(event: AuditEvent): Promise<void> {
    const at = clock.now();
    if (isFull()) {
      lose(1, at);
      return Promise.reject(unwritten(undefined));
    }
    return new Promise((resolve, reject) => {
      waiting.push({ draft: () => ({ event, at, since: at, times: 1 }), settle: { resolve, reject } });
      hurry();
    });
  }

  function push(item: Waiting): void {
    waiting.push(item);
    round ??= nextRound();
    if (waiting.length >= BATCH && !failing) pause?.abort();
  }

  function hurry(): void {
    urgent = true;
    round ??= nextRound();
    pause?.abort();
  }

  /** Puts what was counted in a window that is over into the queue. */
  function collect(now: number, early: boolean): void {
    for (const sum of sums.close(now, early)) {
      if (isFull()) {
        lose(sum.times, now);
        continue;
      }
      sum.waiting = true;
      push({ draft: () => drawn(sum) });
    }
  }

  let sumsTimer: Promise<void> | undefined;
  /** Only a process that serves waits for the end of a window: in others nobody may be kept from ending. */
  function wakeForSums(now: number): void {
    const { dueAt } = sums;
    if (loops === undefined || sumsTimer !== undefined || dueAt === undefined) return;
    sumsTimer = clock
      .sleep(Math.max(0, dueAt - now), stopping.signal)
      .catch(() => {})
      .then(() => {
        sumsTimer = undefined;
        collect(clock.now(), false);
      });
  }

  function isFull(): boolean {
    return waiting.length + linked.length >= MOST_WAITING;
  }

  function lose(times: number, at: number): void {
    counts.lost += times;
    gap ??= { since: at, at, times: 0 };
    gap.at = at;
    gap.times += times;
  }

  async function nextRound(): Promise<void> {
    pause = new AbortController();
    if (!urgent) await clock.sleep(failing ? RETRY_MS : FLUSH_MS, pause.signal).catch(() => {});
    urgent = false;
    pause = undefined;
    try {
      await write();
      if (failing) log.info({ lost: counts.lost }, 'the audit log is written again');
      failing = false;
      if (loops === undefined) await tidyAlongside();
    } catch (error) {
      if (!failing) {
        const reason = error instanceof Error ? error.message : String(error);
        log.error({ reason, waiting: waiting.length }, 'the audit log cannot be written; trying again');
      }
      failing = true;
      refuse(error);
    }
    round = undefined;
    if (isPending() && !(failing && stopping.signal.aborted)) round = nextRound();
  }

  async function write(): Promise<void> {
    if (chain.head.number === 0) {
      const heads = await table.heads(HEADS);
      const at = clock.now();
      const event = { action: 'start', outcome: 'done' } as const;
      linked.push({
        row: chain.append({ event, at, since: at, times: 1, version, heads }),
        settle: undefined,
      });
      starting = false;
    }
    for (;;) {
      const room = Math.max(0, BATCH - linked.length);
      for (const { draft, settle } of waiting.splice(0, room))
        linked.push({ row: chain.append(draft()), settle });
      if (waiting.length === 0 && gap !== undefined) linked.push(linkGap(gap));
      if (linked.length === 0) return;
      const group = linked;
      const durable = group.some(each => each.settle !== undefined);
      await table.append(
        group.map(each => each.row),
        durable,
      );
      linked = [];
      for (const { settle } of group) settle?.resolve();
      tell(group.length);
    }
  }

  function linkGap(missed: NonNullable<typeof gap>): Linked {
    gap = undefined;
    const event = { action: 'gap', outcome: 'lost' } as const;
    return { row: chain.append({ event, ...missed }), settle: undefined };
  }

  function tell(count: number): void {
    const before = counts.written;
    counts.written += count;
    if (before === 0 || Math.floor(before / TELL_EVERY) < Math.floor(counts.written / TELL_EVERY))
      log.info(chain.head, 'head of the audit log');
  }

  /** Whoever waits is told. What happened is written all the same once that can be done. */
  function refuse(cause: unknown): void {
    for (const each of linked) {
      each.settle?.reject(unwritten(cause));
      each.settle = undefined;
    }
    waiting = waiting.map(({ draft, settle }) => {
      settle?.reject(unwritten(cause));
      return { draft };
    });
  }

  function isPending(): boolean {
    return waiting.length > 0 || linked.length > 0 || gap !== undefined || starting;
  }

  async function flush(): Promise<void> {
    collect(clock.now(), true);
    // A round that is writing already may be past the last events.
    for (let turn = 0; turn < 2 && (round !== undefined || isPending()); turn += 1) {
      hurry();
      await round;
      if (failing) return;
    }
  }

  async function tidy(chunks: number): Promise<void> {
    let total = 0;
    for (let turn = 0; turn < chunks; turn += 1) {
      const { maxAgeDays, maxEntries } = retention();
      const now = clock.now();
      const removed = await table.prune({
        ...{ olderThan: now - maxAgeDays * DAY_MS, keepAtMost: maxEntries },
        ...{ limit: TIDY_CHUNK, now },
      });
      if (removed === 0) break;
      total += removed;
      await clock.sleep(TIDY_PAUSE_MS, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) break;
    }
    if (total === 0) return;
    const at = clock.now();
    const event = { action: 'prune', outcome: 'done' } as const;
    push({ draft: () => ({ event, at, since: at, times: total }) });
  }

  /** A process that does not serve removes a little as it adds a little. */
  async function tidyAlongside(): Promise<void> {
    if (counts.written - tidied < TIDY_CHUNK) return;
    tidied = counts.written;
    await tidy(2);
  }

  async function every(ms: number, act: () => Promise<void>): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(ms, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
      try {
        await act();
      } catch (error) {
        log.warn({ err: error }, 'the audit log could not be tidied; trying again');
      }
    }
  }

  /** What others may have cut off since shows by what is written here. */
  async function takeHeads(): Promise<void> {
    const heads = (await table.heads(HEADS)).filter(head => head.chain !== chain.head.chain);
    if (heads.length === 0) return;
    const at = clock.now();
    const event = { action: 'heads', outcome: 'done' } as const;
    push({ draft: () => ({ event, at, since: at, times: 1, heads }) });
  }

  return {
    note,
    record,
    flush,
    counts,
    start() {
      if (loops !== undefined) return;
      starting = chain.head.number === 0;
      loops = Promise.all([
        every(TIDY_EVERY_MS, () => tidy(Number.POSITIVE_INFINITY)),
        every(HEADS_EVERY_MS, takeHeads),
      ]);
      hurry();
    },
    async close() {
      stopping.abort();
      await loops;
      collect(clock.now(), true);
      if (chain.head.number > 0 || isPending()) note({ action: 'stop', outcome: 'done' });
      await flush();
      const left = waiting.length + linked.length;
      if (left > 0) log.error({ lost: left }, 'events were left out of the audit log');
      else if (chain.head.number > 0) log.info(chain.head, 'head of the audit log');
    },
  };
}

/** What a sum has counted up to the moment it is written. */
function drawn(sum: ReturnType<ReturnType<typeof createAuditSums>['add']>): AuditDraft {
  const { event, at, since, times } = sum;
  sum.times = 0;
  sum.waiting = false;
  return { event, at, since, times };
}

/** Begins with the second, so that chains sort by their beginning. */
function chainId(now: number, randomHex: AuditLogDeps['randomHex']): AuditHead['chain'] {
  const second = Math.max(0, Math.floor(now / 1000));
  return `${second.toString(16).padStart(8, '0')}-${randomHex(8)}`;
}

function unwritten(cause: unknown): BridgeError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new BridgeError('STORE_UNAVAILABLE', `the audit log cannot be written${reason}`, {
    ...(cause !== undefined && { cause }),
    hint: 'check the database; whether what was asked for has been done is not known: look before asking again',
  });
}
