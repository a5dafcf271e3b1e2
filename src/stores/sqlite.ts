import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { migrate, type Tables } from './schema.ts';
import { createSqlStore } from './sql-store.ts';
import { createBatchRunner } from './sqlite-batch.ts';
import { type Batches, openBatches } from './sqlite-batches.ts';
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
}

/**
 * Opens the embedded store: one SQLite file that several processes of one machine may share. WAL lets
 * readers pass writers; `synchronous=FULL` keeps an acknowledged commit through a power cut.
 */
export async function openSqliteStore({ path, clock, random }: SqliteOptions): Promise<Store> {
  const run = patiently(clock, random);
  const database = await run(async () => openDatabase(path));
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: adapt(database) }) });
  await run(async () => {
    database.exec('begin immediate');
    try {
      await migrate(db);
      database.exec('commit');
    } catch (error) {
      database.exec('rollback');
      throw error;
    }
  }).catch(error => {
    database.close();
    throw error;
  });
  const batches = path === ':memory:' ? batchesInMemory(database) : openBatches(path);
  const store = createSqlStore({
    db,
    now: () => clock.now(),
    run,
    batch: ({ sql }, rows) => run(() => batches.run({ sql, rows })),
  });
  return {
    ...store,
    async close() {
      await batches.close();
      await store.close();
    },
  };
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

/** A database in memory is known to its one connection alone. */
function batchesInMemory(database: DatabaseSync): Batches {
  const run = createBatchRunner(database);
  return { run: async batch => run(batch), close: async () => {} };
}

/** Lets Kysely drive node:sqlite, keeping each statement prepared: the program has a fixed, small set of them. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  return {
    close: () => database.close(),
    prepare(sql) {
      let statement = prepared.get(sql);
      if (statement === undefined) {
        statement = adaptStatement(database.prepare(sql));
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

/** Runs statements, waiting its turn while another process writes. */
function patiently(clock: Clock, random: () => number): <T>(statement: () => Promise<T>) => Promise<T> {
  return async statement => {
    const patienceEndsAt = clock.now() + BUSY_PATIENCE_MS;
    for (;;) {
      try {
        return await statement();
      } catch (error) {
        if (error instanceof BridgeError) throw error;
        const busy = BUSY_CODES.has(sqliteCode(error) & 0xff);
        if (busy && clock.now() < patienceEndsAt) {
          await clock.sleep(BUSY_PAUSE_MS * (0.5 + random()));
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
