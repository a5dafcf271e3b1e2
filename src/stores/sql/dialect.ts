import type { CompiledQuery, Expression, InsertResult, Kysely, RawBuilder } from 'kysely';
import type { Tables } from '../schema.ts';

/** Values for columns, by the name of the column. */
export type ColumnExpressions = Readonly<Record<string, Expression<unknown>>>;

/** A column of the row that was to be inserted, while another stands under its key. */
export type Incoming = (column: string) => Expression<unknown>;

/** Columns that take what was to be inserted. */
export function allOf(columns: readonly string[], incoming: Incoming): ColumnExpressions {
  return Object.fromEntries(columns.map(column => [column, incoming(column)]));
}

/** A statement that adds rows, to whichever table. */
export interface Insert {
  modifyEnd(clause: RawBuilder<unknown>): Insert;
  executeTakeFirstOrThrow(): Promise<InsertResult>;
}

/** Rows that replace those that stand under their keys, where a condition allows it. */
export interface Merge {
  readonly table: keyof Tables;
  readonly key: string;
  /** No two with the same key; all with the same columns. */
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
  /**
   * What a standing row is given. Databases may assign from left to right, each seeing what is assigned
   * already, so a column that others are reckoned from comes after them.
   */
  readonly updates: (incoming: Incoming) => ColumnExpressions;
  /** Which standing rows may be replaced; all of them when left out. */
  readonly where?: (incoming: Incoming) => Expression<unknown>;
}

/** Rows to remove, a few at a time. */
export interface Removal {
  readonly table: keyof Tables;
  readonly key: string;
  readonly where: RawBuilder<unknown>;
  /** The same again, for rows that were picked by their key: another may have written them since. */
  readonly stillSo: RawBuilder<unknown>;
  /** What goes first. */
  readonly order?: string;
  readonly limit: number;
}

/** What the shared queries must say differently from one database to the next. */
export interface SqlDialect {
  /**
   * The database's own time in milliseconds, the same throughout a statement; undefined where the
   * machine's time is the database's.
   */
  readonly time: RawBuilder<number> | undefined;
  /** A time from elsewhere, in whole milliseconds. */
  timeOf(ms: number): RawBuilder<number>;
  /** How many rows one statement adds where there are many of them, the largest number first. */
  readonly rowsAtOnce: readonly number[];
  /** Adds one row unless one stands under its key; whether it did. */
  insertNew(insert: Insert, key: readonly string[]): Promise<boolean>;
  /** The end of an insert that leaves standing rows as they are. Its row count means nothing. */
  unlessTaken(key: readonly string[]): RawBuilder<unknown>;
  /** The end of an insert that updates standing rows instead. Its row count means nothing. */
  orUpdate(key: readonly string[], updates: (incoming: Incoming) => ColumnExpressions): RawBuilder<unknown>;
  /** Resolves to the number of rows written, new ones and replaced ones; all of them are looked at or none. */
  merge(db: Kysely<Tables>, merge: Merge): Promise<number>;
  /** Removes some rows; the row count tells how many. */
  removeSome(db: Kysely<Tables>, removal: Removal): CompiledQuery;
}
