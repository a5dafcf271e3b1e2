import { setImmediate } from 'node:timers/promises';
import { type Selectable, type SelectQueryBuilder, sql } from 'kysely';
import type { Tables } from '../schema.ts';
import type { AuditAnchor, AuditCursor, AuditHead, AuditRow, AuditRule, AuditTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';
import { allOf } from './dialect.ts';

const TABLE = 'open_bridge_audit';
const ANCHORS = 'open_bridge_audit_anchors';

/** Entries of one statement that is durable. Few numbers, because each is a statement that is kept prepared. */
const DURABLE_AT_ONCE = [32, 8, 2, 1];

/** Filters without an index look through so many entries at a time, which takes an embedded database a millisecond or two. */
const SCAN = 5000;

type Stored = Selectable<Tables[typeof TABLE]>;

/** `open_bridge_audit` and `open_bridge_audit_anchors`: the audit log, a chain for each writer. */
export function auditTable(backend: SqlBackend): AuditTable {
  const { db, dialect, run, read, batch } = backend;
  const insertion = (rows: readonly Stored[]) =>
    db
      .insertInto(TABLE)
      .values(rows)
      // What was written though its acknowledgement was lost is sent again.
      .modifyEnd(dialect.unlessTaken(['chain', 'number']));
  const insert = insertion([NO_ROW]).compile();
  const insertMany = dialect.rowsAtOnce.map(rows => ({
    statement: insertion(Array(rows).fill(NO_ROW)).compile(),
    rows,
  }));
  const remove = db.deleteFrom(TABLE).where('chain', '=', '').where('number', '<=', 0).compile();
  const removeAnchor = db.deleteFrom(ANCHORS).where('chain', '=', '').where('at', '<', 0).compile();

  const end = (chain: string, order: 'asc' | 'desc') =>
    read(() =>
      db
        .selectFrom(TABLE)
        .select(['number', 'at'])
        .where('chain', '=', chain)
        .orderBy('number', order)
        .limit(1)
        .executeTakeFirst(),
    );

  /** The chain after or before this one, by a look-up and not by reading the entries between. */
  async function nextChain(after: string | undefined): Promise<string | undefined> {
    const row = await read(() =>
      db
        .selectFrom(TABLE)
        .select('chain')
        .$if(after !== undefined, query => query.where('chain', '>', after ?? ''))
        .orderBy('chain')
        .limit(1)
        .executeTakeFirst(),
    );
    return row?.chain;
  }

  async function chains(limit: number, after?: string): Promise<string[]> {
    const found: string[] = [];
    for (let chain = await nextChain(after); chain !== undefined; chain = await nextChain(chain)) {
      found.push(chain);
      if (found.length === limit) break;
    }
    return found;
  }

  /** An embedded database answers without ever letting go of the event loop, so others get their turn between. */
  async function* allChains(): AsyncGenerator<string> {
    for (let chain = await nextChain(undefined); chain !== undefined; chain = await nextChain(chain)) {
      yield chain;
      await setImmediate();
    }
  }

  /** Removes the front of a chain up to an entry, once it is known where the rest begins. */
  async function removeFront({ chain, number, hash }: AuditHead, now: number): Promise<number> {
    const newer = sql.ref(`${ANCHORS}.number`);
    await run(() =>
      dialect.merge(db, {
        table: ANCHORS,
        key: 'chain',
        rows: [{ chain, number, hash, at: now }],
        updates: incoming => allOf(['hash', 'at', 'number'], incoming),
        // Another node may have come further.
        where: incoming => sql`${incoming('number')} > ${newer}`,
      }),
    );
    return batch(remove, [[chain, number]]);
  }

  async function removeOld(chain: string, { olderThan, limit, now }: AuditRule): Promise<number> {
    const front = await end(chain, 'asc');
    if (front === undefined || Number(front.at) >= olderThan) return 0;
    const rows = await read(() =>
      db
        .selectFrom(TABLE)
        .select(['number', 'hash', 'at'])
        .where('chain', '=', chain)
        .orderBy('number')
        .limit(limit)
        .execute(),
    );
    const kept = rows.findIndex(row => Number(row.at) >= olderThan);
    const last = rows[(kept === -1 ? rows.length : kept) - 1];
    // Another node was here meanwhile.
    if (last === undefined) return 0;
    return removeFront({ chain, number: Number(last.number), hash: last.hash }, now);
  }

  /** Numbers have no gaps and are taken back from the beginning, so their span is the number of entries. */
  async function removeExcess(rule: AuditRule): Promise<number> {
    let count = 0;
    let oldest: { readonly chain: string; readonly number: number; readonly at: number } | undefined;
    for await (const chain of allChains()) {
      const [first, last] = [await end(chain, 'asc'), await end(chain, 'desc')];
      if (first === undefined || last === undefined) continue;
      count += Number(last.number) - Number(first.number) + 1;
      const at = Number(first.at);
      if (oldest === undefined || at < oldest.at) oldest = { chain, number: Number(first.number), at };
    }
    const excess = Math.min(rule.limit, count - rule.keepAtMost);
    if (oldest === undefined || excess <= 0) return 0;
    const { chain, number } = oldest;
    const last = await read(() =>
      db
        .selectFrom(TABLE)
        .select(['number', 'hash'])
        .where('chain', '=', chain)
        .where('number', '<', number + excess)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst(),
    );
    if (last === undefined) return 0;
    return removeFront({ chain, number: Number(last.number), hash: last.hash }, rule.now);
  }

  async function removeAnchors({ olderThan, limit }: AuditRule): Promise<void> {
    const old = await read(() =>
      db
        .selectFrom(ANCHORS)
        .select('chain')
        .where('at', '<', Math.floor(olderThan))
        .orderBy('chain')
        .limit(limit)
        .execute(),
    );
    for (const { chain } of old)
      if ((await end(chain, 'asc')) === undefined)
        await batch(removeAnchor, [[chain, Math.floor(olderThan)]]);
  }

  function after(
    query: SelectQueryBuilder<Tables, typeof TABLE, Stored>,
    { at, chain, number }: AuditCursor,
  ) {
    return query.where(({ eb, and, or }) =>
      or([
        eb('at', '<', at),
        and([eb('at', '=', at), eb('chain', '<', chain)]),
        and([eb('at', '=', at), eb('chain', '=', chain), eb('number', '<', number)]),
      ]),
    );
  }

  /** The last of the next `SCAN` entries; undefined when that many are not left. */
  async function scanEnd(from: AuditCursor | undefined, until: number | undefined) {
    const row = await read(() => {
      let query = db.selectFrom(TABLE).selectAll();
      // The plain bound lets the index be entered where the page begins.
      if (from !== undefined) query = after(query.where('at', '<=', from.at), from);
      if (until !== undefined) query = query.where('at', '<', until);
      return latestFirst(query.clearSelect().select(['at', 'chain', 'number']))
        .offset(SCAN - 1)
        .limit(1)
        .executeTakeFirst();
    });
    return row && cursorOf(row);
  }

  return {
    async append(rows, durable) {
      const stored = rows.map(toStored);
      if (!durable) {
        await batch(insert, stored.map(valuesOf), insertMany);
        return;
      }
      let at = 0;
      for (const size of DURABLE_AT_ONCE)
        for (; at + size <= stored.length; at += size) {
          const group = stored.slice(at, at + size);
          await run(() => insertion(group).execute());
        }
    },
    async get(chain, number) {
      const row = await read(() =>
        db
          .selectFrom(TABLE)
          .selectAll()
          .where('chain', '=', chain)
          .where('number', '=', number)
          .executeTakeFirst(),
      );
      return row && toRow(row);
    },
    async list({ since, until, action, actor, credential, appids, limit, cursor }) {
      if (appids?.length === 0) return { rows: [], next: undefined };
      const bound = until === undefined ? undefined : Math.floor(until);
      const scans =
        credential === undefined && (action !== undefined || actor !== undefined || appids !== undefined);
      const found: Stored[] = [];
      let from = cursor;
      for (;;) {
        const start = from;
        const wanted = limit - found.length;
        const last = scans ? await scanEnd(start, bound) : undefined;
        const rows = await read(() => {
          let query = db.selectFrom(TABLE).selectAll();
          if (start !== undefined) query = after(query.where('at', '<=', start.at), start);
          if (bound !== undefined) query = query.where('at', '<', bound);
          if (since !== undefined) query = query.where('at', '>=', Math.floor(since));
          if (last !== undefined) query = notAfter(query.where('at', '>=', last.at), last);
          if (action !== undefined) query = query.where('action', '=', action);
          if (actor !== undefined) query = query.where('actor', '=', actor);
          if (credential !== undefined) query = query.where('credential', '=', credential);
          if (appids !== undefined) query = query.where('appid', 'in', appids);
          return latestFirst(query).limit(wanted).execute();
        });
        found.push(...rows);
        const end = rows.at(-1);
        from = rows.length === wanted && end !== undefined ? cursorOf(end) : last;
        if (from !== undefined && since !== undefined && from.at < since) from = undefined;
        if (from === undefined || found.length === limit) return { rows: found.map(toRow), next: from };
        // An embedded database answers without ever letting go of the event loop.
        await setImmediate();
      }
    },
    chains,
    async scan(chain, limit, after) {
      const rows = await read(() =>
        db
          .selectFrom(TABLE)
          .selectAll()
          .where('chain', '=', chain)
          .where('number', '>', after)
          .orderBy('number')
          .limit(limit)
          .execute(),
      );
      return rows.map(toRow);
    },
    async heads(limit) {
      const heads: AuditHead[] = [];
      while (heads.length < limit) {
        const before = heads.at(-1)?.chain;
        const row = await read(() =>
          db
            .selectFrom(TABLE)
            .select(['chain', 'number', 'hash'])
            .$if(before !== undefined, query => query.where('chain', '<', before ?? ''))
            .orderBy('chain', 'desc')
            .orderBy('number', 'desc')
            .limit(1)
            .executeTakeFirst(),
        );
        if (row === undefined) break;
        heads.push({ chain: row.chain, number: Number(row.number), hash: row.hash });
      }
      return heads;
    },
    async anchor(chain) {
      const row = await read(() =>
        db.selectFrom(ANCHORS).selectAll().where('chain', '=', chain).executeTakeFirst(),
      );
      return row && toAnchor(row);
    },
    async anchors(limit, after) {
      const rows = await read(() =>
        db
          .selectFrom(ANCHORS)
          .selectAll()
          .$if(after !== undefined, query => query.where('chain', '>', after ?? ''))
          .orderBy('chain')
          .limit(limit)
          .execute(),
      );
      return rows.map(toAnchor);
    },
    async prune(rule) {
      const oldest = await read(() =>
        db
          .selectFrom(TABLE)
          .select(['chain', 'at'])
          .orderBy('at')
          .orderBy('chain')
          .orderBy('number')
          .limit(1)
          .executeTakeFirst(),
      );
      if (oldest !== undefined && Number(oldest.at) < rule.olderThan) {
        const removed = await removeOld(oldest.chain, rule);
        if (removed > 0) return removed;
        // Entries of a chain may be younger than those behind them, where a clock was set back.
        for await (const chain of allChains()) {
          const others = await removeOld(chain, rule);
          if (others > 0) return others;
        }
      }
      const removed = await removeExcess(rule);
      if (removed === 0) await removeAnchors(rule);
      return removed;
    },
  };
}

type Query<T> = SelectQueryBuilder<Tables, typeof TABLE, T>;

function latestFirst<T>(query: Query<T>): Query<T> {
  return query.orderBy('at', 'desc').orderBy('chain', 'desc').orderBy('number', 'desc');
}

/** Entries from the cursor's on towards the present, that one included. */
function notAfter(query: Query<Stored>, { at, chain, number }: AuditCursor): Query<Stored> {
  return query.where(({ eb, and, or }) =>
    or([
      eb('at', '>', at),
      and([eb('at', '=', at), eb('chain', '>', chain)]),
      and([eb('at', '=', at), eb('chain', '=', chain), eb('number', '>=', number)]),
    ]),
  );
}

/** Stands for a row where only the shape of a statement counts. */
const NO_ROW: Stored = {
  chain: '',
  number: 0,
  previous: '',
  hash: '',
  at: 0,
  action: '',
  actor: null,
  appid: null,
  credential: null,
  entry: '',
};

function toStored(row: AuditRow): Stored {
  return {
    chain: row.chain,
    number: row.number,
    previous: row.previous,
    hash: row.hash,
    at: row.at,
    action: row.action,
    actor: row.actor ?? null,
    appid: row.appid ?? null,
    credential: row.credential ?? null,
    entry: row.entry,
  };
}

/** In the order of the columns of `NO_ROW`. */
function valuesOf(row: Stored): ColumnValue[] {
  return Object.values(row);
}

function toRow(stored: Stored): AuditRow {
  return {
    chain: stored.chain,
    number: Number(stored.number),
    previous: stored.previous,
    hash: stored.hash,
    at: Number(stored.at),
    action: stored.action,
    actor: stored.actor ?? undefined,
    appid: stored.appid ?? undefined,
    credential: stored.credential ?? undefined,
    entry: stored.entry,
  };
}

function toAnchor(stored: Selectable<Tables[typeof ANCHORS]>): AuditAnchor {
  return {
    chain: stored.chain,
    number: Number(stored.number),
    hash: stored.hash,
    at: Number(stored.at),
  };
}

function cursorOf({ at, chain, number }: Pick<Stored, 'at' | 'chain' | 'number'>): AuditCursor {
  return { at: Number(at), chain, number: Number(number) };
}
