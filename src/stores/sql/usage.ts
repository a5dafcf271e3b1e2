import { sql } from 'kysely';
import { NO_USAGE } from '../no-usage.ts';
import type { UsageRow, UsageTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';
import { allOf, type Incoming } from './dialect.ts';

const TABLE = 'open_bridge_usage';

/** `open_bridge_usage`: sums of calls by day, caller and app. */
export function usageTable({ db, dialect, read, batch }: SqlBackend): UsageTable {
  const sum = (column: string, incoming: Incoming) =>
    sql`${sql.ref(`${TABLE}.${column}`)} + ${incoming(column)}`;
  const add = db
    .insertInto(TABLE)
    .values(toStored({ day: '', caller: undefined, appid: undefined, ...NO_USAGE }))
    .modifyEnd(
      dialect.orUpdate(['day', 'caller', 'appid'], incoming => allOf(SUMS, column => sum(column, incoming))),
    )
    .compile();
  const remove = db.deleteFrom(TABLE).where('day', '<', '').compile();

  return {
    async add(rows) {
      await batch(
        add,
        // In one order everywhere, or two nodes could wait for each other.
        rows
          .map(toStored)
          .toSorted(byKey)
          .map(row => Object.values(row)),
      );
    },
    async list({ since, caller }) {
      const rows = await read(() =>
        db
          .selectFrom(TABLE)
          .selectAll()
          .where('day', '>=', since)
          .$if(caller !== undefined, query => query.where('caller', '=', caller ?? ''))
          .orderBy('day', 'desc')
          .orderBy('caller')
          .orderBy('appid')
          .execute(),
      );
      return rows.map(row => ({
        day: row.day,
        caller: row.caller === '' ? undefined : row.caller,
        appid: row.appid === '' ? undefined : row.appid,
        calls: Number(row.calls),
        errors: Number(row.errors),
        refused: Number(row.refused),
        replayed: Number(row.replayed),
        requestBytes: Number(row.request_bytes),
        answerBytes: Number(row.answer_bytes),
      }));
    },
    async prune(before) {
      const old = await read(() =>
        db.selectFrom(TABLE).select('day').where('day', '<', before).limit(1).executeTakeFirst(),
      );
      // On most days there is nothing to remove, and nobody is to be woken for it.
      return old === undefined ? 0 : batch(remove, [[before]]);
    },
  };
}

const SUMS = ['calls', 'errors', 'refused', 'replayed', 'request_bytes', 'answer_bytes'];

/** Nobody and nothing are empty texts, as a key must not hold null. */
function toStored(row: UsageRow) {
  return {
    day: row.day,
    caller: row.caller ?? '',
    appid: row.appid ?? '',
    calls: row.calls,
    errors: row.errors,
    refused: row.refused,
    replayed: row.replayed,
    request_bytes: row.requestBytes,
    answer_bytes: row.answerBytes,
  } satisfies Record<string, ColumnValue>;
}

type Stored = ReturnType<typeof toStored>;

function byKey(a: Stored, b: Stored): number {
  for (const column of ['day', 'caller', 'appid'] as const)
    if (a[column] !== b[column]) return a[column] < b[column] ? -1 : 1;
  return 0;
}
