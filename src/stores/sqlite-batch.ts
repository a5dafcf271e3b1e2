import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ColumnValue } from './sql/backend.ts';

/** One statement for many rows, as it is sent to the thread that runs it. */
export interface Batch {
  readonly sql: string;
  readonly rows: readonly (readonly ColumnValue[])[];
}

/** Runs batches on a connection, each in a transaction; gives the number of rows changed. */
export function createBatchRunner(database: DatabaseSync): (batch: Batch) => number {
  const prepared = new Map<string, StatementSync>();
  return ({ sql, rows }) => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      prepared.set(sql, statement);
    }
    let changes = 0;
    database.exec('begin immediate');
    try {
      for (const row of rows) changes += Number(statement.run(...row).changes);
      database.exec('commit');
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
    return changes;
  };
}
