import type { Database } from './database.ts';
import type { OpenStoreOptions } from './open-store.ts';
import type { ServerInspection } from './sql/server-inspection.ts';

/** Which server to look at, and with what. */
export type InspectServerOptions = Omit<OpenStoreOptions, 'migrate' | 'database'> & {
  readonly database: Exclude<Database, { kind: 'sqlite' }>;
};

/**
 * Looks at a database on a server, changing nothing there. Throws BridgeError STORE_UNAVAILABLE with a hint
 * when it cannot be reached; else the caller closes the store.
 */
export async function inspectServerDatabase(options: InspectServerOptions): Promise<ServerInspection> {
  const { database, ...rest } = options;
  const server = { url: database.url, ...rest };
  if (database.kind === 'postgres') {
    const { inspectPostgres } = await import('./postgres.ts');
    return inspectPostgres(server);
  }
  const { inspectMysql } = await import('./mysql.ts');
  return inspectMysql(server);
}
