import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema.ts';
import type { Column, ColumnType, DdlDialect } from './schema-editor.ts';

/** Names of a table's columns; none when there is no such table. */
export async function mysqlColumns(db: Kysely<Tables>, table: string): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{
    name: string;
  }>`select column_name as name from information_schema.columns where table_schema = database() and table_name = ${table}`.execute(
    db,
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * How MySQL and MariaDB define tables. `collation` compares texts byte by byte and minds blanks at their
 * end, for which the two have different ones.
 */
export function mysqlDdl(collation: string): DdlDialect {
  const charset = `character set utf8mb4 collate ${collation}`;

  function typeOf(type: ColumnType) {
    if (type === 'serial') return sql`bigint auto_increment primary key`;
    // `text` ends at 64 KiB.
    if (type === 'text') return sql.raw(`mediumtext ${charset}`);
    return sql.raw(type.startsWith('varchar') ? `${type} ${charset}` : type);
  }

  const retyped = ({ name, type, optional, default: value }: Column) =>
    sql`modify ${sql.ref(name)} ${typeOf(type)} ${optional ? sql`null` : sql`not null`}${
      value === undefined ? sql`` : sql` default ${sql.lit(value)}`
    }`;

  return {
    typeOf,
    tableEnd: sql.raw(` engine = InnoDB row_format = dynamic ${charset}`),
    partialIndexes: false,
    locksWhatItScans: true,
    columns: mysqlColumns,
    async hasIndex(db, table, index) {
      const { rows } =
        await sql`select 1 from information_schema.statistics where table_schema = database() and table_name = ${table} and index_name = ${index} limit 1`.execute(
          db,
        );
      return rows.length > 0;
    },
    async isUnique(db, table, column) {
      const { rows } =
        await sql`select index_name from information_schema.statistics where table_schema = database() and table_name = ${table} and non_unique = 0 group by index_name having count(*) = 1 and min(column_name) = ${column}`.execute(
          db,
        );
      return rows.length > 0;
    },
    async retype(db, table, columns) {
      // A key that the database counts is in tables of ours alone.
      const changed = columns.filter(({ type }) => type !== 'serial');
      if (changed.length > 0)
        await sql`alter table ${sql.table(table)} ${sql.join(changed.map(retyped))}`.execute(db);
    },
    async dropIndex(db, table, index) {
      await sql`drop index ${sql.ref(index)} on ${sql.table(table)}`.execute(db);
    },
  };
}
