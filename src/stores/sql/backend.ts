import type { CompiledQuery, Kysely, RawBuilder } from 'kysely';
import type { Log } from '../../base/log.ts';
import type { Tables } from '../schema.ts';
import type { SqlDialect } from './dialect.ts';

/** What goes into a column. */
export type ColumnValue = string | number | null;

/** A statement that does for so many rows at once, their parameters one after the other, what another does for one. */
export interface ManyRows {
  readonly statement: CompiledQuery;
  readonly rows: number;
}

/** What a SQL backend adds to the shared queries. */
export interface SqlBackend {
  readonly db: Kysely<Tables>;
  /** What this database says differently from others. */
  readonly dialect: SqlDialect;
  readonly log: Log;
  /** The store's own time, in milliseconds, as a part of a statement. */
  now(): RawBuilder<number>;
  /** Runs one statement: retries what is worth it and turns failures into BridgeError STORE_UNAVAILABLE. */
  run<T>(statement: () => Promise<T>): Promise<T>;
  /** As `run`, for a statement that changes nothing, which does no harm when it runs twice. */
  read<T>(statement: () => Promise<T>): Promise<T>;
  /**
   * Runs one statement once for each row of parameters, all of them or none, and resolves to the number
   * of rows changed. For records that come in masses: what was written in the last moments may be lost in a
   * power cut. An embedded database does all rows without letting anybody else in, so give it some hundred at
   * most. A backend may use `many` where there are enough rows, of which the one for the most comes first.
   */
  batch(
    statement: CompiledQuery,
    rows: readonly (readonly ColumnValue[])[],
    many?: readonly ManyRows[],
  ): Promise<number>;
}
