import { sql } from 'kysely';
import type { Insert, SqlDialect } from './dialect.ts';
import { assignments, insertionOf } from './on-conflict.ts';

/** ER_DUP_ENTRY. */
const DUPLICATE_ENTRY = 1062;

/**
 * How MySQL and MariaDB say it. `insert ignore` would also ignore a text that is too long and cut it, and
 * the row count of `on duplicate key update` is 1 for a new row and for one left as it was. So a single new
 * row is a plain insert, which fails when its key is taken.
 */
export const mysqlDialect: SqlDialect = {
  // The session's time zone is UTC: in others an hour of autumn is ambiguous.
  time: sql`cast(floor(unix_timestamp(now(3)) * 1000) as signed)`,
  timeOf: ms => sql`${Math.floor(ms)}`,
  rowsAtOnce: [64, 8],
  insertNew,
  unlessTaken(key) {
    const same = Object.fromEntries(key.map(column => [column, sql.ref(column)]));
    return sql`on duplicate key update ${assignments(same)}`;
  },
  // `values()` is the one way to name the new row that both MySQL and MariaDB know.
  orUpdate: (_, updates) =>
    sql`on duplicate key update ${assignments(updates(column => sql`values(${sql.ref(column)})`))}`,
  merge(db, { table, key, rows, updates, where }) {
    return db.transaction().execute(async transaction => {
      let written = 0;
      for (const row of rows) {
        if (await insertNew(insertionOf(transaction, table, [row]))) {
          written += 1;
          continue;
        }
        const incoming = (column: string) => sql`${row[column]}`;
        const allowed = where === undefined ? sql`` : sql` and ${where(incoming)}`;
        const { numAffectedRows = 0n } =
          await sql`update ${sql.table(table)} set ${assignments(updates(incoming))} where ${sql.ref(key)} = ${row[key]}${allowed}`.execute(
            transaction,
          );
        written += Number(numAffectedRows);
      }
      return written;
    });
  },
  removeSome: (db, { table, where, order, limit }) =>
    sql`delete from ${sql.table(table)} where ${where}${
      order === undefined ? sql`` : sql` order by ${sql.ref(order)}`
    } limit ${limit}`.compile(db),
};

async function insertNew(insert: Insert): Promise<boolean> {
  try {
    await insert.executeTakeFirstOrThrow();
    return true;
  } catch (error) {
    if ((error as { errno?: unknown } | null)?.errno === DUPLICATE_ENTRY) return false;
    throw error;
  }
}
