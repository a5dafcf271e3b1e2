import { sql } from 'kysely';
import type { SqlDialect } from './dialect.ts';
import { onConflict } from './on-conflict.ts';

/** How PostgreSQL says it. */
export const postgresDialect: SqlDialect = {
  ...onConflict,
  // The start of the statement and not the very moment: only what is stable within it can use an index.
  time: sql`floor(extract(epoch from statement_timestamp()) * 1000)::bigint`,
  timeOf: ms => sql`${Math.floor(ms)}::bigint`,
  rowsAtOnce: [64, 8],
  // Nodes that remove at the same time take different rows, and nobody waits for them. As a plain subquery
  // the rows could be picked more than once; locked, they are still so.
  removeSome: (db, { table, key, where, order, limit }) =>
    sql`with picked as materialized (select ${sql.ref(key)} as picked_key from ${sql.table(table)} where ${where}${
      order === undefined ? sql`` : sql` order by ${sql.ref(order)}`
    } limit ${limit} for update skip locked) delete from ${sql.table(table)} using picked where ${sql.ref(key)} = picked_key`.compile(
      db,
    ),
};
