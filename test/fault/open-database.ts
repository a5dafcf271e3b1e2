import type { FaultyDatabase } from './database.ts';
import type { DatabaseName, FaultOptions } from './options.ts';
import { openPostgresDatabase } from './postgres-database.ts';
import { postgresBinaries } from './postgres-server.ts';
import { hasRedis } from './redis.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

/** What is missing on this machine for a run; undefined when nothing is. */
export function missingFor({
  database,
  redis,
}: Pick<FaultOptions, 'database' | 'redis'>): string | undefined {
  if (database === 'postgres' && postgresBinaries() === undefined) return 'PostgreSQL (initdb and postgres)';
  return redis && !hasRedis() ? 'redis-server' : undefined;
}

/** Starts a database of the run's own, with its files in `folder`. */
export async function openDatabase(database: DatabaseName, folder: string): Promise<FaultyDatabase> {
  return database === 'postgres' ? openPostgresDatabase(folder) : openSqliteDatabase(folder);
}
