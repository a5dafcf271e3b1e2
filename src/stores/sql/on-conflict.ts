import { type Expression, type RawBuilder, sql } from 'kysely';
import type { ColumnExpressions, Incoming, Insert, Merge, SqlDialect } from './dialect.ts';

/** What SQLite and PostgreSQL say in the same words: `on conflict`, and the new row as `excluded`. */
export const onConflict: Pick<SqlDialect, 'insertNew' | 'unlessTaken' | 'orUpdate' | 'merge'> = {
  async insertNew(insert, key) {
    const { numInsertedOrUpdatedRows } = await insert.modifyEnd(doNothing(key)).executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  },
  unlessTaken: doNothing,
  orUpdate: (key, updates) => doUpdate(key, updates(excluded)),
  async merge(db, { table, key, rows, updates, where }) {
    const end = doUpdate([key], updates(excluded), where?.(excluded));
    const { numInsertedOrUpdatedRows } = await insertionOf(db, table, rows)
      .modifyEnd(end)
      .executeTakeFirstOrThrow();
    return Number(numInsertedOrUpdatedRows);
  },
};

/** The rows as an insert. Their columns are known to be those of the table, which the types cannot follow. */
export function insertionOf(
  db: Parameters<SqlDialect['merge']>[0],
  table: Merge['table'],
  rows: Merge['rows'],
): Insert {
  return db.insertInto(table).values(rows as never);
}

/** Columns and what they are set to, as they stand after `set`. */
export function assignments(columns: ColumnExpressions): RawBuilder<unknown> {
  return sql.join(Object.entries(columns).map(([column, value]) => sql`${sql.ref(column)} = ${value}`));
}

const excluded: Incoming = column => sql.ref(`excluded.${column}`);

function doNothing(key: readonly string[]): RawBuilder<unknown> {
  return sql`on conflict (${sql.join(key.map(sql.ref))}) do nothing`;
}

function doUpdate(
  key: readonly string[],
  columns: ColumnExpressions,
  where?: Expression<unknown>,
): RawBuilder<unknown> {
  const update = sql`on conflict (${sql.join(key.map(sql.ref))}) do update set ${assignments(columns)}`;
  return where === undefined ? update : sql`${update} where ${where}`;
}
