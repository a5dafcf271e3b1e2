import type { CompiledQuery, Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** What goes into a column. */
export type ColumnValue = string | number | null;

/** What a SQL backend adds to the shared queries. */
export interface SqlBackend {
  readonly db: Kysely<Tables>;
  /** The store's own time, in milliseconds. */
  now(): number;
  /** Runs one statement: retries what is worth it and turns failures into BridgeError STORE_UNAVAILABLE. */
  run<T>(statement: () => Promise<T>): Promise<T>;
  /**
   * Runs one statement once for each row of parameters, all of them or none, and resolves to the number
   * of rows changed. For records that come in masses: it must not hold up other statements, and what was
   * written in the last moments may be lost in a power cut.
   */
  batch(statement: CompiledQuery, rows: readonly (readonly ColumnValue[])[]): Promise<number>;
}
