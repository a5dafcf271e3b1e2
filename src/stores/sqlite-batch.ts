import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ColumnValue } from './sql/backend.ts';

/** One statement for many rows. */
export interface Batch {
  readonly sql: string;
  readonly rows: readonly (readonly ColumnValue[])[];
  /** The same for so many rows at once, used for as many as can be. */
  readonly many?: { readonly sql: string; readonly rows: number } | undefined;
}

/**
 * Runs batches on a connection that has no transaction open, each in one of its own that does not wait for
 * the disk: a commit then survives a crash of the program, not always one of the machine; a later full
 * commit secures it too. Gives the number of rows changed.
 */
export function createBatchRunner(database: DatabaseSync): (batch: Batch) => number {
  const kept = new Map<string, StatementSync>();

  function prepared(sql: string): StatementSync {
    let statement = kept.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      kept.set(sql, statement);
    }
    return statement;
  }

  function runAll({ sql, rows, many }: Batch): number {
    let changes = 0;
    let at = 0;
    if (many !== undefined) {
      for (; at + many.rows <= rows.length; at += many.rows) {
        const group: ColumnValue[] = [];
        for (const row of rows.slice(at, at + many.rows)) group.push(...row);
        changes += Number(prepared(many.sql).run(...group).changes);
      }
    }
    for (; at < rows.length; at += 1) changes += Number(prepared(sql).run(...(rows[at] ?? [])).changes);
    return changes;
  }

  function transact(batch: Batch): number {
    database.exec('begin immediate');
    try {
      const changes = runAll(batch);
      database.exec('commit');
      return changes;
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
  }

  return batch => withoutDisk(database, () => transact(batch));
}

/**
 * Does something, outside of a transaction, whose commits need not be on the disk when they are acknowledged:
 * a power cut may take them, a crash of the program does not. All other commits wait for the disk.
 */
export function withoutDisk<T>(database: DatabaseSync, work: () => T): T {
  database.exec('pragma synchronous = normal');
  try {
    return work();
  } finally {
    database.exec('pragma synchronous = full');
  }
}
