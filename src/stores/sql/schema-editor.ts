import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from '../schema.ts';

/** Types of columns; each database has words of its own for them. `serial` is a key that the database counts. */
export type ColumnType = `varchar(${number})` | 'text' | 'bigint' | 'integer' | 'smallint' | 'serial';

/** A column as a step of the schema has it. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** May be null. */
  readonly optional?: boolean;
  readonly default?: number;
}

/** An index as a step of the schema has it. */
export interface Index {
  readonly name: string;
  readonly table: keyof Tables;
  readonly columns: readonly string[];
  readonly unique?: boolean;
  /** The only rows that are looked for by it, so that the others need not be in it. */
  readonly only?: { readonly column: string; readonly is: number | 'not null' };
}

/** What the definition of tables must say differently from one database to the next. */
export interface DdlDialect {
  typeOf(type: ColumnType): RawBuilder<unknown>;
  /** What follows the columns of a table. */
  readonly tableEnd: RawBuilder<unknown>;
  /** Whether an index may hold some of the rows only. */
  readonly partialIndexes: boolean;
  /** Whether removing rows locks every row that is looked at, so that it must not look at others. */
  readonly locksWhatItScans: boolean;
  /** Names of a table's columns; none when there is no such table. */
  columns(db: Kysely<Tables>, table: string): Promise<ReadonlySet<string>>;
  hasIndex(db: Kysely<Tables>, table: string, index: string): Promise<boolean>;
  /** Whether no two rows of a table can have the same value in a column. */
  isUnique(db: Kysely<Tables>, table: string, column: string): Promise<boolean>;
  /** Gives columns that another program made the types that ours have. */
  retype(db: Kysely<Tables>, table: string, columns: readonly Column[]): Promise<void>;
  dropIndex(db: Kysely<Tables>, table: string, index: string): Promise<void>;
}

/**
 * Changes tables and indexes. Every change may be made again: where a step cannot be a transaction, it is
 * begun anew after a crash in its middle.
 */
export interface SchemaEditor {
  readonly locksWhatItScans: boolean;
  /** Makes a table; to one that is there, columns are added that it lacks, and those it has get our types. */
  createTable(table: string, columns: readonly Column[], key?: readonly string[]): Promise<void>;
  createIndex(index: Index): Promise<void>;
  dropIndex(table: keyof Tables, index: string): Promise<void>;
}

/** Makes an editor for one database. */
export function createSchemaEditor(db: Kysely<Tables>, ddl: DdlDialect): SchemaEditor {
  function definition({ name, type, optional = false, default: value }: Column, isKey: boolean) {
    const parts = [sql`${sql.ref(name)} ${ddl.typeOf(type)}`];
    if (value !== undefined) parts.push(sql`default ${sql.lit(value)}`);
    if (!optional && !isKey && type !== 'serial') parts.push(sql`not null`);
    if (isKey) parts.push(type === 'serial' ? sql`` : sql`primary key`);
    return sql.join(parts, sql` `);
  }

  async function complete(
    table: string,
    columns: readonly Column[],
    key: readonly string[],
    has: ReadonlySet<string>,
  ) {
    const standing = columns.filter(({ name }) => has.has(name));
    await ddl.retype(db, table, standing);
    for (const column of columns)
      if (!has.has(column.name))
        await sql`alter table ${sql.table(table)} add column ${definition(column, false)}`.execute(db);
    const [only, ...others] = key;
    if (only === undefined || others.length > 0 || (await ddl.isUnique(db, table, only))) return;
    await sql`create unique index ${sql.ref('open_bridge_id')} on ${sql.table(table)} (${sql.ref(only)})`.execute(
      db,
    );
  }

  return {
    locksWhatItScans: ddl.locksWhatItScans,
    async createTable(table, columns, key = []) {
      const has = await ddl.columns(db, table);
      if (has.size > 0) return complete(table, columns, key, has);
      const [only, ...others] = key;
      const definitions = columns.map(column =>
        definition(column, others.length === 0 && column.name === only),
      );
      if (others.length > 0)
        definitions.push(
          sql`constraint ${sql.ref(`${table}_key`)} primary key (${sql.join(key.map(sql.ref))})`,
        );
      await sql`create table ${sql.table(table)} (${sql.join(definitions)})${ddl.tableEnd}`.execute(db);
    },
    async createIndex({ name, table, columns, unique = false, only }) {
      if (await ddl.hasIndex(db, table, name)) return;
      const first = ddl.partialIndexes || only === undefined || only.is === 'not null' ? [] : [only.column];
      const kind = unique ? sql`unique index` : sql`index`;
      const on = sql.join([...first, ...columns].map(column => sql.ref(column)));
      await sql`create ${kind} ${sql.ref(name)} on ${sql.table(table)} (${on})${
        only !== undefined && ddl.partialIndexes ? sql` where ${condition(only)}` : sql``
      }`.execute(db);
    },
    async dropIndex(table, index) {
      if (await ddl.hasIndex(db, table, index)) await ddl.dropIndex(db, table, index);
    },
  };
}

function condition({ column, is }: NonNullable<Index['only']>): RawBuilder<unknown> {
  return is === 'not null' ? sql`${sql.ref(column)} is not null` : sql`${sql.ref(column)} = ${sql.lit(is)}`;
}
