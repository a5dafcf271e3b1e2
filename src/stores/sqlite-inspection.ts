import { DatabaseSync } from 'node:sqlite';
import { BridgeError } from '../base/errors.ts';
import { MIGRATION_TABLE } from './schema.ts';
import { type SchemaVersion, schemaVersion } from './sql/schema-version.ts';

/**
 * Compares the schema of a database file with that of this version, read-only: no migration, no new file,
 * and no time, however much it holds. Throws BridgeError STORE_UNAVAILABLE when it cannot be read.
 */
export function inspectSqliteVersion(path: string): SchemaVersion {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
    return schemaVersion(hasTable(database, MIGRATION_TABLE) ? takenSteps(database) : []);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridgeError('STORE_UNAVAILABLE', `the SQLite database cannot be read: ${reason}`, { cause });
  } finally {
    database?.close();
  }
}

function takenSteps(database: DatabaseSync): readonly string[] {
  return database
    .prepare(`select name from "${MIGRATION_TABLE}"`)
    .all()
    .map(row => String(row['name']));
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return (
    database.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(name) !== undefined
  );
}
