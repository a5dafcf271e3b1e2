import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Database } from './database.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

/** What a store is opened with. */
export interface OpenStoreOptions {
  readonly database: Database;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /**
   * Whether the schema of a database server may be brought up to date (default: yes); without, one that is
   * not is refused. A SQLite file is always brought up to date.
   */
  readonly migrate?: boolean;
}

/**
 * Opens the store on whatever database is configured. Drivers of database servers are loaded only for one,
 * as they take megabytes. Throws BridgeError STORE_UNAVAILABLE with a hint when it cannot be used.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { database, clock, random, log, migrate = true } = options;
  if (database.kind === 'sqlite') return openSqliteStore({ path: database.path, clock, random, log });
  const server = { url: database.url, clock, random, log, migrate };
  if (database.kind === 'postgres') {
    const { openPostgresStore } = await import('./postgres.ts');
    return openPostgresStore(server);
  }
  const { openMysqlStore } = await import('./mysql.ts');
  return openMysqlStore(server);
}
