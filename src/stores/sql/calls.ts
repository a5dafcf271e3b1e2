import { setImmediate } from 'node:timers/promises';
import type { ExpressionBuilder, Insertable, Selectable } from 'kysely';
import type { Tables } from '../schema.ts';
import type { CallCursor, CallRow, CallTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';

const TABLE = 'open_bridge_calls';

/**
 * Few filters have an index, because each index makes every call dearer. The others look through so many
 * calls at a time, which takes an embedded database about two milliseconds.
 */
const SCAN = 5000;

type Stored = Selectable<Tables[typeof TABLE]>;
type Inserted = Required<Insertable<Tables[typeof TABLE]>>;

/** `open_bridge_calls`: the call log. */
export function callTable({ db, run, batch }: SqlBackend): CallTable {
  const insert = db
    .insertInto(TABLE)
    .values(toStored(SHAPE))
    // A batch whose acknowledgement was lost is sent again.
    .onConflict(conflict => conflict.column('seqid').doNothing())
    .compile();
  const removeOlder = db.deleteFrom(TABLE).where('started_at', '<=', 0).compile();
  const removeFirst = db.deleteFrom(TABLE).where('id', '<', 0).compile();

  /** Where the next `SCAN` calls end; undefined when that many are not left. */
  async function scanEnd(from: CallCursor, caller: string | undefined): Promise<CallCursor | undefined> {
    const row = await run(() =>
      db
        .selectFrom(TABLE)
        .select(['started_at', 'id'])
        .where(where => before(where, from))
        .$if(caller !== undefined, query => query.where('caller', '=', caller ?? ''))
        .orderBy('started_at', 'desc')
        .orderBy('id', 'desc')
        .offset(SCAN - 1)
        .limit(1)
        .executeTakeFirst(),
    );
    return row && cursorOf(row);
  }

  return {
    async append(rows) {
      await batch(
        insert,
        rows.map(row => Object.values(toStored(row))),
      );
    },
    async get(seqid) {
      const row = await run(() =>
        db.selectFrom(TABLE).selectAll().where('seqid', '=', seqid).executeTakeFirst(),
      );
      return row && toRow(row);
    },
    async list({ before: until, cursor, limit, caller, appid, errcode, failedOnly, rid }) {
      const scans = errcode !== undefined || failedOnly === true || appid !== undefined;
      const found: Stored[] = [];
      let from: CallCursor | undefined = cursor ?? {
        startedAt: until === undefined ? Number.MAX_SAFE_INTEGER : Math.floor(until),
        id: 0,
      };
      while (from !== undefined) {
        const start: CallCursor = from;
        const wanted = limit - found.length;
        const end = scans && rid === undefined ? await scanEnd(start, caller) : undefined;
        const rows = await run(() => {
          let query = db
            .selectFrom(TABLE)
            .selectAll()
            .where(where => before(where, start));
          if (end !== undefined) {
            query = query
              .where('started_at', '>=', end.startedAt)
              .where(where => where.or([where('started_at', '>', end.startedAt), where('id', '>=', end.id)]));
          }
          if (caller !== undefined) query = query.where('caller', '=', caller);
          if (appid !== undefined) query = query.where('appid', '=', appid);
          if (errcode !== undefined) query = query.where('errcode', '=', errcode);
          if (failedOnly === true) query = query.where('failed', '=', 1);
          if (rid !== undefined) query = query.where('rid', '=', rid);
          return query.orderBy('started_at', 'desc').orderBy('id', 'desc').limit(wanted).execute();
        });
        found.push(...rows);
        const last = rows.at(-1);
        from = rows.length === wanted && last !== undefined ? cursorOf(last) : end;
        if (found.length === limit) break;
        // An embedded database answers without ever letting go of the event loop.
        if (from !== undefined) await setImmediate();
      }
      return { rows: found.map(toRow), next: from };
    },
    async prune({ olderThan, keepAtMost, limit }) {
      const oldest = await run(() =>
        db
          .selectFrom(TABLE)
          .select('started_at')
          .where('started_at', '<', Math.floor(olderThan))
          .orderBy('started_at')
          .offset(limit - 1)
          .limit(1)
          .executeTakeFirst(),
      );
      const until = oldest === undefined ? Math.ceil(olderThan) - 1 : Number(oldest.started_at);
      const removed = await batch(removeOlder, [[until]]);
      if (removed > 0) return removed;
      // Ids are given out in order and taken back from the beginning, so their span is the number of calls.
      const first = await run(() => extreme('asc'));
      const last = await run(() => extreme('desc'));
      const excess = Math.min(limit, Number(last?.id ?? 0) - Number(first?.id ?? 0) + 1 - keepAtMost);
      if (first === undefined || excess <= 0) return 0;
      return batch(removeFirst, [[Number(first.id) + excess]]);
    },
  };

  function extreme(direction: 'asc' | 'desc'): Promise<{ readonly id: number } | undefined> {
    return db.selectFrom(TABLE).select('id').orderBy('id', direction).limit(1).executeTakeFirst();
  }
}

function before(where: ExpressionBuilder<Tables, typeof TABLE>, { startedAt, id }: CallCursor) {
  return where.and([
    where('started_at', '<=', startedAt),
    where.or([where('started_at', '<', startedAt), where('id', '<', id)]),
  ]);
}

function cursorOf({ started_at, id }: Pick<Stored, 'started_at' | 'id'>): CallCursor {
  return { startedAt: Number(started_at), id: Number(id) };
}

/** Longest texts that fit their columns. A caller chooses method and path, so neither may be trusted to be short. */
const METHOD_LENGTH = 32;
const PATH_LENGTH = 512;

function toStored(row: CallRow): Omit<Inserted, 'id'> & Record<string, ColumnValue> {
  return {
    seqid: row.seqid,
    started_at: Math.floor(row.startedAt),
    duration_ms: Math.round(row.durationMs),
    upstream_ms: Math.round(row.upstreamMs),
    sends: row.sends,
    method: row.method.slice(0, METHOD_LENGTH),
    path: row.path.slice(0, PATH_LENGTH),
    remote_address: row.remoteAddress,
    caller: row.caller ?? null,
    platform: row.platform ?? null,
    app: row.app ?? null,
    appid: row.appid ?? null,
    injected: row.injected ? 1 : 0,
    credential: row.credential ?? null,
    status: row.status,
    errcode: row.errcode ?? null,
    rid: row.rid ?? null,
    failure: row.failure ?? null,
    failed: hasFailed(row) ? 1 : 0,
    replayed: row.replayed ? 1 : 0,
    request_bytes: row.requestBytes,
    answer_bytes: row.answerBytes,
    ending: row.end,
  };
}

function hasFailed({ failure, errcode = 0, status, end }: CallRow): boolean {
  return failure !== undefined || errcode !== 0 || status >= 400 || end !== 'whole';
}

function toRow(stored: Stored): CallRow {
  return {
    seqid: stored.seqid,
    startedAt: Number(stored.started_at),
    durationMs: Number(stored.duration_ms),
    upstreamMs: Number(stored.upstream_ms),
    sends: Number(stored.sends),
    method: stored.method,
    path: stored.path,
    remoteAddress: stored.remote_address,
    caller: stored.caller ?? undefined,
    platform: stored.platform ?? undefined,
    app: stored.app ?? undefined,
    appid: stored.appid ?? undefined,
    injected: Number(stored.injected) === 1,
    credential: stored.credential ?? undefined,
    status: Number(stored.status),
    errcode: stored.errcode === null ? undefined : Number(stored.errcode),
    rid: stored.rid ?? undefined,
    failure: (stored.failure ?? undefined) as CallRow['failure'],
    replayed: Number(stored.replayed) === 1,
    requestBytes: Number(stored.request_bytes),
    answerBytes: Number(stored.answer_bytes),
    end: stored.ending as CallRow['end'],
  };
}

/** Any call: what is compiled of it has the columns of all. */
const SHAPE: CallRow = {
  seqid: '',
  startedAt: 0,
  durationMs: 0,
  upstreamMs: 0,
  sends: 0,
  method: '',
  path: '',
  remoteAddress: '',
  caller: undefined,
  platform: undefined,
  app: undefined,
  appid: undefined,
  injected: false,
  credential: undefined,
  status: 0,
  errcode: undefined,
  rid: undefined,
  failure: undefined,
  replayed: false,
  requestBytes: 0,
  answerBytes: 0,
  end: 'whole',
};
