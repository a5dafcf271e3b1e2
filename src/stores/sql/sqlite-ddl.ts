import { sql } from 'kysely';
import type { DdlDialect } from './schema-editor.ts';

/** How SQLite defines tables. */
export const sqliteDdl: DdlDialect = {
  typeOf: type => sql.raw(type === 'serial' ? 'integer primary key autoincrement' : type),
  tableEnd: sql``,
  partialIndexes: true,
  locksWhatItScans: false,
  async columns(db, table) {
    const { rows } = await sql<{ name: string }>`select name from pragma_table_info(${table})`.execute(db);
    return new Set(rows.map(({ name }) => name));
  },
  async hasIndex(db, table, index) {
    const found = sql`select 1 from pragma_index_list(${table}) where name = ${index}`;
    return (await found.execute(db)).rows.length > 0;
  },
  async isUnique(db, table, column) {
    const { rows } =
      await sql`select 1 from pragma_index_list(${table}) as l where l."unique" = 1 and l.partial = 0 and (select group_concat(i.name) from pragma_index_info(l.name) as i) = ${column}`.execute(
        db,
      );
    return rows.length > 0;
  },
  // A column takes whatever it is given.
  retype: () => Promise.resolve(),
  async dropIndex(db, _, index) {
    await sql`drop index ${sql.ref(index)}`.execute(db);
  },
};
