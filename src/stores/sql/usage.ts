import type { UsageCounts, UsageRow, UsageTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';

const TABLE = 'open_bridge_usage';

/** `open_bridge_usage`: sums of calls by day, caller and app. */
export function usageTable({ db, run, batch }: SqlBackend): UsageTable {
  const add = db
    .insertInto(TABLE)
    .values(toStored({ day: '', caller: undefined, appid: undefined, ...ZERO }))
    .onConflict(conflict =>
      conflict.columns(['day', 'caller', 'appid']).doUpdateSet(set => ({
        calls: set(`${TABLE}.calls`, '+', set.ref('excluded.calls')),
        errors: set(`${TABLE}.errors`, '+', set.ref('excluded.errors')),
        refused: set(`${TABLE}.refused`, '+', set.ref('excluded.refused')),
        replayed: set(`${TABLE}.replayed`, '+', set.ref('excluded.replayed')),
        request_bytes: set(`${TABLE}.request_bytes`, '+', set.ref('excluded.request_bytes')),
        answer_bytes: set(`${TABLE}.answer_bytes`, '+', set.ref('excluded.answer_bytes')),
      })),
    )
    .compile();
  const remove = db.deleteFrom(TABLE).where('day', '<', '').compile();

  return {
    async add(rows) {
      await batch(
        add,
        rows.map(row => Object.values(toStored(row))),
      );
    },
    async list({ since, caller }) {
      const rows = await run(() =>
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
      return batch(remove, [[before]]);
    },
  };
}

const ZERO: UsageCounts = {
  calls: 0,
  errors: 0,
  refused: 0,
  replayed: 0,
  requestBytes: 0,
  answerBytes: 0,
};

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
