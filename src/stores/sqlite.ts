import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { Tables } from './schema.ts';
import { migrate } from './sql/migrate.ts';
import { sqliteDdl } from './sql/sqlite-ddl.ts';
import { sqliteDialect } from './sql/sqlite-dialect.ts';
import { createSqlStore } from './sql-store.ts';
import { createBatchRunner, withoutDisk } from './sqlite-batch.ts';
import type { Store } from './store.ts';

/** SQLite's own wait for a lock stops the whole event loop, so it is kept to a blink and we wait ourselves. */
const BUSY_TIMEOUT_MS = 20;
const BUSY_PATIENCE_MS = 10_000;
const BUSY_PAUSE_MS = 15;

/** SQLITE_BUSY and SQLITE_LOCKED, whose extended codes carry them in the low byte. */
const BUSY_CODES: ReadonlySet<number> = new Set([5, 6]);

/** What `openSqliteStore` is given. */
export interface SqliteOptions {
  /** A file path, or `:memory:`. The folder is made if missing. */
  readonly path: string;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** Told of what is wrong and passed over. */
  readonly log?: Log;
}

/**
 * Opens the embedded store: one SQLite file that several processes of one machine may share. WAL lets
 * readers pass writers; `synchronous=FULL` keeps an acknowledged commit through a power cut. Leases alone do
 * not wait for the disk: a power cut ends whoever holds them along with the file.
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path, clock, random, log = silentLog } = options;
  const run = patiently(clock, random);
  const database = await run(async () => openDatabase(path));
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(database) }) });
  await run(async () => {
    database.exec('begin immediate');
    try {
      await migrate(db, sqliteDdl);
      database.exec('commit');
    } catch (error) {
      database.exec('rollback');
      throw error;
    }
  }).catch(error => {
    database.close();
    throw error;
  });
  const runBatch = createBatchRunner(database);
  return createSqlStore({
    db,
    dialect: sqliteDialect,
    log,
    now: () => sqliteDialect.timeOf(clock.now()),
    run,
    read: run,
    batch({ sql }, rows, [many] = []) {
      const work = { sql, rows, many: many && { sql: many.statement.sql, rows: many.rows } };
      // Kysely has one connection here, and lends it when no transaction is open on it.
      return run(() => db.connection().execute(async () => runBatch(work)));
    },
  });
}

/**
 * Opens a file as it is, read-only and without bringing its schema up to date: for looking at values of
 * another version's. What the schema lacks fails when it is asked for.
 */
export function openSqliteAsFound({ path, clock, random }: SqliteOptions): Store {
  const run = patiently(clock, random);
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  return createSqlStore({
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(database) }) }),
    dialect: sqliteDialect,
    log: silentLog,
    now: () => sqliteDialect.timeOf(clock.now()),
    run,
    read: run,
    batch: ({ sql }, rows) => run(async () => createBatchRunner(database)({ sql, rows, many: undefined })),
  });
}

function openDatabase(path: string): DatabaseSync {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite makes files as the umask lets it, and its log files like the database: a new one is its owner's alone.
    closeSync(openSync(path, 'a', 0o600));
  }
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('pragma journal_mode = wal');
    database.exec('pragma synchronous = full');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Writes of leases; what they concern is known by the table's name alone. */
const LEASE_WRITE = /^(insert into|update|delete from) "open_bridge_leases"/;

/** Lets Kysely drive node:sqlite, keeping each statement prepared: the program has a fixed, small set of them. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  return {
    close: () => database.close(),
    prepare(sql) {
      let statement = prepared.get(sql);
      if (statement === undefined) {
        statement = adaptStatement(database.prepare(sql));
        if (LEASE_WRITE.test(sql)) statement = unawaited(database, statement);
        prepared.set(sql, statement);
      }
      return statement;
    },
  };
}

function adaptStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: parameters => statement.all(...(parameters as SQLInputValue[])),
    run: parameters => statement.run(...(parameters as SQLInputValue[])),
    iterate: parameters => statement.iterate(...(parameters as SQLInputValue[])),
  };
}

/**
 * A statement that does not wait for the disk. An issue takes and gives back a lease, and three of its four
 * waits, in which this thread does nothing else, would be for that. The log keeps the order of writes, so
 * that nothing that is waited for stands on the disk without what was written before it.
 */
function unawaited(database: DatabaseSync, statement: SqliteStatement): SqliteStatement {
  return { ...statement, run: parameters => withoutDisk(database, () => statement.run(parameters)) };
}

/** Runs statements, waiting its turn while another process writes. */
function patiently(clock: Clock, random: () => number): <T>(statement: () => Promise<T>) => Promise<T> {
  return async statement => {
    const patienceEndsAt = clock.now() + BUSY_PATIENCE_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        return await statement();
      } catch (error) {
        if (error instanceof BridgeError) throw error;
        const busy = BUSY_CODES.has(sqliteCode(error) & 0xff);
        if (busy && clock.now() < patienceEndsAt) {
          // Another store of this process may be in the middle of a transaction, which ends as soon as we let it.
          if (tries === 1) await setImmediate();
          else await clock.sleep(BUSY_PAUSE_MS * (0.5 + random()));
          continue;
        }
        throw new BridgeError(
          'STORE_UNAVAILABLE',
          `the SQLite database failed: ${error instanceof Error ? error.message : String(error)}`,
          {
            cause: error,
            hint: busy
              ? 'another process has held the database for very long; see which one with lsof'
              : 'check the path in storage.database, its permissions and the free space on its disk',
          },
        );
      }
    }
  };
}

function sqliteCode(error: unknown): number {
  return Number((error as { errcode?: unknown } | null)?.errcode ?? 0);
}
