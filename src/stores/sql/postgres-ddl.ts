import { type RawBuilder, sql } from 'kysely';
import type { ColumnType, DdlDialect } from './schema-editor.ts';

/** How PostgreSQL defines tables. Texts are compared byte by byte, whatever the database's collation is. */
export const postgresDdl: DdlDialect = {
  typeOf,
  tableEnd: sql``,
  partialIndexes: true,
  locksWhatItScans: false,
  async columns(db, table) {
    const { rows } = await sql<{
      name: string;
    }>`select column_name as name from information_schema.columns where table_schema = current_schema() and table_name = ${table}`.execute(
      db,
    );
    return new Set(rows.map(({ name }) => name));
  },
  async hasIndex(db, _, index) {
    const found = sql`select 1 from pg_indexes where schemaname = current_schema() and indexname = ${index}`;
    return (await found.execute(db)).rows.length > 0;
  },
  async isUnique(db, table, column) {
    const { rows } =
      await sql`select 1 from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] where i.indrelid = to_regclass(quote_ident(${table})) and i.indisunique and i.indnkeyatts = 1 and i.indpred is null and a.attname = ${column}`.execute(
        db,
      );
    return rows.length > 0;
  },
  async retype(db, table, columns) {
    // A cast to varchar would cut what is too long; given as text, it is refused.
    for (const { name, type, optional = false } of columns) {
      // A key that the database counts is in tables of ours alone.
      if (type === 'serial') continue;
      const [column, source] = [sql.ref(name), isText(type) ? sql`text` : sql.raw(type)];
      await sql`alter table ${sql.table(table)} alter column ${column} type ${typeOf(type)} using ${column}::${source}${
        optional ? sql`` : sql`, alter column ${column} set not null`
      }`.execute(db);
    }
  },
  async dropIndex(db, _, index) {
    await sql`drop index ${sql.ref(index)}`.execute(db);
  },
};

function typeOf(type: ColumnType): RawBuilder<unknown> {
  if (type === 'serial') return sql`bigint generated always as identity primary key`;
  return isText(type) ? sql.raw(`${type} collate "C"`) : sql.raw(type);
}

function isText(type: ColumnType): boolean {
  return type === 'text' || type.startsWith('varchar');
}
