import { DatabaseSync } from 'node:sqlite';
import { BridgeError } from '../base/errors.ts';
import { CREDENTIAL_TABLE, MIGRATION_TABLE, MIGRATIONS } from './schema.ts';
import { sealedWith } from './sealing.ts';

/** Of each sealing key this many values are kept, to try whether they open. */
const SAMPLE = 50;

/** A stored value with what its seal is bound to. */
export interface StoredValue {
  readonly context: string;
  readonly text: string;
}

/** What is sealed with one key. */
export interface SealedValues {
  readonly count: number;
  /** The first of them. */
  readonly sample: readonly StoredValue[];
}

/** What a database file holds, found out without changing it. */
export interface SqliteInspection {
  /** Migrations that the next start will apply. */
  readonly pending: readonly string[];
  /** Migrations this version does not know: a newer one wrote the file. */
  readonly foreign: readonly string[];
  /** By the id of the key. */
  readonly sealed: ReadonlyMap<string, SealedValues>;
  /** Credential values that are not sealed, as uniCloud writes them. */
  readonly unsealed: number;
  /** Latest time at which something is said to have happened, in milliseconds since the Unix epoch. */
  readonly latest: number | undefined;
}

/**
 * Looks into a database file, read-only: no migration, no new file. Throws BridgeError STORE_UNAVAILABLE
 * when it cannot be read.
 */
export function inspectSqlite(path: string): SqliteInspection {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
    const applied = new Set(
      column(database, MIGRATION_TABLE, `select name from "${MIGRATION_TABLE}"`).map(String),
    );
    const known = MIGRATIONS.map(({ name }) => name);
    return {
      pending: known.filter(name => !applied.has(name)),
      foreign: [...applied].filter(name => !known.includes(name)),
      ...sealing(database),
      latest: latest(database),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridgeError('STORE_UNAVAILABLE', `the SQLite database cannot be read: ${reason}`, { cause });
  } finally {
    database?.close();
  }
}

function sealing(database: DatabaseSync): Pick<SqliteInspection, 'sealed' | 'unsealed'> {
  const sealed = new Map<string, { count: number; sample: StoredValue[] }>();
  let unsealed = 0;
  for (const value of values(database)) {
    const keyId = sealedWith(value.text);
    if (keyId === undefined) {
      // Most settings are no secrets, so only values of credentials are worth counting.
      if (!value.isSetting) unsealed += 1;
      continue;
    }
    const group = sealed.get(keyId) ?? { count: 0, sample: [] };
    sealed.set(keyId, group);
    group.count += 1;
    if (group.sample.length < SAMPLE) group.sample.push({ context: value.context, text: value.text });
  }
  return { sealed, unsealed };
}

function* values(database: DatabaseSync): Generator<StoredValue & { readonly isSetting: boolean }> {
  if (hasTable(database, CREDENTIAL_TABLE)) {
    const rows = database.prepare(`select _id, value, previous_value from "${CREDENTIAL_TABLE}"`).iterate();
    for (const row of rows) {
      const id = String(row['_id']);
      yield { context: id, text: String(row['value']), isSetting: false };
      const previous = row['previous_value'];
      if (previous !== null) yield { context: `${id}#previous`, text: String(previous), isSetting: false };
    }
  }
  if (!hasTable(database, 'open_bridge_settings')) return;
  for (const row of database.prepare('select name, value from open_bridge_settings').iterate())
    yield { context: String(row['name']), text: String(row['value']), isSetting: true };
}

function latest(database: DatabaseSync): number | undefined {
  const times = [
    ...column(database, CREDENTIAL_TABLE, `select max(issued_at) from "${CREDENTIAL_TABLE}"`),
    ...column(database, 'open_bridge_failures', 'select max(failed_at) from open_bridge_failures'),
  ].filter(value => value !== null);
  return times.length === 0 ? undefined : Math.max(...times.map(Number));
}

/** The first column of a query, or nothing while its table is not there. */
function column(database: DatabaseSync, table: string, query: string): unknown[] {
  if (!hasTable(database, table)) return [];
  return database
    .prepare(query)
    .all()
    .map(row => Object.values(row)[0]);
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return (
    database.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(name) !== undefined
  );
}
