import { sql } from 'kysely';
import type { SqlDialect } from './dialect.ts';
import { onConflict } from './on-conflict.ts';

/** How SQLite says it. */
export const sqliteDialect: SqlDialect = {
  ...onConflict,
  time: undefined,
  timeOf: ms => sql`${Math.floor(ms)}`,
  // Twice as many are hardly cheaper.
  rowsAtOnce: [20],
  removeSome: (db, { table, key, where, stillSo, order, limit }) =>
    sql`delete from ${sql.table(table)} where ${sql.ref(key)} in (select ${sql.ref(key)} from ${sql.table(table)} where ${where}${
      order === undefined ? sql`` : sql` order by ${sql.ref(order)}`
    } limit ${limit}) and ${stillSo}`.compile(db),
};
