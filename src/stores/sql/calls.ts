import { setImmediate } from 'node:timers/promises';
import { hasFailed } from '../call-outcome.ts';
import { type CallContext, mayHold, packCalls, unpackCalls } from '../packed-calls.ts';
import { secondOfSeqid, seqidsBegin, seqidsEnd } from '../seqids.ts';
import type { CallQuery, CallRow, CallTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';

const TABLE = 'open_bridge_call_batches';

/**
 * Most seconds between the first and the last call of a batch, by their seqids. So a batch that holds a
 * seqid ends soon after it, and a look-up need not look at all that came later.
 */
const SPAN_S = 60;

/** Calls looked through at a time, which takes an embedded database a millisecond or two. */
const SCAN = 5000;

/** Batches whose ranges are read at a time, or counted: few in number where they are large. */
const RANGES = 200;
const COUNTED = 10_000;

/** Where a batch is, without what is in it. */
interface Range {
  readonly first_seqid: string;
  readonly last_seqid: string;
  readonly calls: number;
}

/** `open_bridge_call_batches`: the call log, a row for each batch of calls as they were written. */
export function callTable({ db, dialect, read, batch, log }: SqlBackend): CallTable {
  const insert = db
    .insertInto(TABLE)
    .values({ first_seqid: '', last_seqid: '', calls: 0, packed: '' })
    // A batch whose acknowledgement was lost is sent again.
    .modifyEnd(dialect.unlessTaken(['last_seqid', 'first_seqid', 'calls']))
    .compile();
  const remove = db.deleteFrom(TABLE).where('last_seqid', '<=', '').compile();
  let warned = false;

  /** A batch that does not open hides no other. */
  function unpacked(packed: string, range: Range, isWanted?: (context: CallContext) => boolean): CallRow[] {
    try {
      return unpackCalls(packed, isWanted);
    } catch (error) {
      if (!warned) {
        const { first_seqid: first, last_seqid: last, calls } = range;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ reason, first, last, calls }, 'a batch of the call log cannot be read; it is passed over');
      }
      warned = true;
      return [];
    }
  }

  /** Ranges of batches that begin before `end`, the last first, whose last seqids are less than `below`. */
  function rangesBefore(end: string | undefined, below: string | undefined): Promise<readonly Range[]> {
    return read(() =>
      db
        .selectFrom(TABLE)
        .select(['first_seqid', 'last_seqid', 'calls'])
        .$if(below !== undefined, query => query.where('last_seqid', '<', below ?? ''))
        .$if(end !== undefined, query => query.where('first_seqid', '<', end ?? ''))
        .orderBy('last_seqid', 'desc')
        .limit(RANGES)
        .execute(),
    );
  }

  /** The batches of a part of the ranges, which is from one last seqid to another. */
  function batchesOf(part: readonly Range[], end: string | undefined) {
    const [highest, lowest] = [part[0]?.last_seqid ?? '', part.at(-1)?.last_seqid ?? ''];
    return read(() =>
      db
        .selectFrom(TABLE)
        .select(['first_seqid', 'last_seqid', 'calls', 'packed'])
        .where('last_seqid', '<=', highest)
        .where('last_seqid', '>=', lowest)
        .$if(end !== undefined, query => query.where('first_seqid', '<', end ?? ''))
        .execute(),
    );
  }

  /** Parts of the ranges before `end`, the last first, each of about so many calls. */
  async function* partsBefore(end: string | undefined, size: () => number): AsyncGenerator<readonly Range[]> {
    let below = end === undefined ? undefined : endOfSpan(end);
    for (;;) {
      const ranges = await rangesBefore(end, below);
      for (let at = 0; at < ranges.length; ) {
        let calls = 0;
        const from = at;
        for (; at < ranges.length; at += 1) {
          const fits = at === from || calls + callsOf(ranges[at]) <= size();
          // Those that end alike cannot be read apart.
          if (!fits && ranges[at]?.last_seqid !== ranges[at - 1]?.last_seqid) break;
          calls += callsOf(ranges[at]);
        }
        yield ranges.slice(from, at);
      }
      below = ranges.at(-1)?.last_seqid;
      if (ranges.length < RANGES) return;
    }
  }

  async function find(seqid: string): Promise<CallRow | undefined> {
    if (Number.isNaN(secondOfSeqid(seqid))) return undefined;
    const below = endOfSpan(seqid);
    const ranges = await read(() =>
      db
        .selectFrom(TABLE)
        .select(['id', 'first_seqid', 'last_seqid', 'calls'])
        .where('last_seqid', '>=', seqid)
        .$if(below !== undefined, query => query.where('last_seqid', '<', below ?? ''))
        .where('first_seqid', '<=', seqid)
        .orderBy('last_seqid', 'desc')
        .execute(),
    );
    for (const range of ranges) {
      const stored = await read(() =>
        db.selectFrom(TABLE).select('packed').where('id', '=', range.id).executeTakeFirst(),
      );
      if (stored !== undefined && mayHold(stored.packed, seqid)) {
        const found = unpacked(stored.packed, range).find(row => row.seqid === seqid);
        if (found !== undefined) return found;
      }
      await setImmediate();
    }
    return undefined;
  }

  async function countCalls(): Promise<number> {
    let total = 0;
    let after = '';
    for (;;) {
      const from = after;
      const row = await read(() =>
        db
          .selectFrom(
            db
              .selectFrom(TABLE)
              .select(['last_seqid', 'calls'])
              .where('last_seqid', '>', from)
              .orderBy('last_seqid')
              .limit(COUNTED)
              .as('counted'),
          )
          .select(({ fn }) => [
            fn.sum('calls').as('calls'),
            fn.countAll().as('batches'),
            fn.max('last_seqid').as('last'),
          ])
          .executeTakeFirst(),
      );
      total += Number(row?.calls ?? 0);
      if (row === undefined || row.last === null || Number(row.batches) < COUNTED) return total;
      after = row.last;
      await setImmediate();
    }
  }

  /** The first ranges, of which all calls began before `end`. */
  function firstRanges(end: string | undefined, limit: number): Promise<readonly Range[]> {
    return read(() =>
      db
        .selectFrom(TABLE)
        .select(['first_seqid', 'last_seqid', 'calls'])
        .$if(end !== undefined, query => query.where('last_seqid', '<', end ?? ''))
        .orderBy('last_seqid')
        .limit(limit)
        .execute(),
    );
  }

  /** Removes batches from the beginning of what is given: at least `limit` calls where there are as many, and at most `most`. */
  async function removeFirst(ranges: readonly Range[], limit: number, most: number): Promise<number> {
    let calls = 0;
    let last: string | undefined;
    for (const range of ranges) {
      if (calls >= limit || calls + callsOf(range) > most) break;
      calls += callsOf(range);
      last = range.last_seqid;
    }
    if (last !== undefined) await batch(remove, [[last]]);
    return calls;
  }

  return {
    async append(rows) {
      await batch(insert, batchesIn(rows));
    },
    get: find,
    async list(query) {
      const { before, cursor, limit } = query;
      let end = before === undefined ? undefined : seqidsEnd(before);
      if (cursor !== undefined && (end === undefined || cursor < end)) end = cursor;
      const isWanted = contextFilter(query);
      const isFound = (row: CallRow): boolean =>
        (end === undefined || row.seqid < end) &&
        (before === undefined || row.startedAt < before) &&
        (query.rid === undefined || row.rid === query.rid);
      const rare = isWanted !== undefined || query.rid !== undefined;
      let found: CallRow[] = [];
      const size = (): number => (rare ? SCAN : Math.min(SCAN, limit - found.length));
      for await (const part of partsBefore(end, size)) {
        for (const { packed, ...range } of await batchesOf(part, end)) {
          if (query.rid !== undefined && !mayHold(packed, query.rid)) continue;
          for (const row of unpacked(packed, range, isWanted)) if (isFound(row)) found.push(row);
        }
        // Batches that were not read yet end before this one, so no call of theirs comes before these.
        const lowest = part.at(-1)?.last_seqid ?? '';
        if (found.length >= limit) {
          found = found.toSorted(latestFirst);
          const last = found[limit - 1];
          if (last !== undefined && last.seqid >= lowest)
            return { rows: found.slice(0, limit), next: last.seqid };
        }
        // An embedded database answers without ever letting go of the event loop.
        await setImmediate();
      }
      found = found.toSorted(latestFirst);
      const rows = found.slice(0, limit);
      return { rows, next: found.length > limit ? rows.at(-1)?.seqid : undefined };
    },
    async prune({ olderThan, keepAtMost, limit }) {
      // To the second, which is near enough for what is reckoned in days.
      const old = await firstRanges(seqidsBegin(olderThan), limit);
      if (old.length > 0) return removeFirst(old, limit, Number.POSITIVE_INFINITY);
      // Read before they are counted: what another node removes meanwhile is then removed once.
      const first = await firstRanges(undefined, limit);
      return removeFirst(first, limit, (await countCalls()) - keepAtMost);
    },
  };
}

function callsOf(range: Range | undefined): number {
  return Number(range?.calls ?? 0);
}

/** What is greater than the last seqid of any batch that begins by this one; undefined when nothing is known to be. */
function endOfSpan(seqid: string): string | undefined {
  const second = secondOfSeqid(seqid);
  return Number.isNaN(second) ? undefined : seqidsEnd((second + SPAN_S) * 1000);
}

function latestFirst(a: CallRow, b: CallRow): number {
  return a.seqid < b.seqid ? 1 : a.seqid > b.seqid ? -1 : 0;
}

/** The rows to store: one, but for calls that began long before the others. */
function batchesIn(rows: readonly CallRow[]): readonly (readonly ColumnValue[])[] {
  const [first] = rows;
  if (first === undefined) return [];
  let [lowest, highest] = [first.seqid, first.seqid];
  for (const { seqid } of rows) {
    if (seqid < lowest) lowest = seqid;
    else if (seqid > highest) highest = seqid;
  }
  const begin = secondOfSeqid(lowest);
  const isLate = ({ seqid }: Pick<CallRow, 'seqid'>): boolean => secondOfSeqid(seqid) - begin > SPAN_S;
  if (!isLate({ seqid: highest })) return [[lowest, highest, rows.length, packCalls(rows)]];
  return [...batchesIn(rows.filter(row => !isLate(row))), ...batchesIn(rows.filter(isLate))];
}

/** What a query asks of the context of a call; undefined for nothing. */
function contextFilter(query: CallQuery): ((context: CallContext) => boolean) | undefined {
  const { caller, appid, errcode, failedOnly = false } = query;
  if (caller === undefined && appid === undefined && errcode === undefined && !failedOnly) return undefined;
  return context =>
    (caller === undefined || context.caller === caller) &&
    (appid === undefined || context.appid === appid) &&
    (errcode === undefined || context.errcode === errcode) &&
    (!failedOnly || hasFailed(context));
}
