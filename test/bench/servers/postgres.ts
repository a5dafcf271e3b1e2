import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { postgresBinaries, startPostgresServer } from '../../fault/postgres-server.ts';
import type { Processes } from '../processes.ts';

/** A PostgreSQL of the run's own. */
export interface BenchPostgres {
  readonly pid: number;
  /** For `storage.database`. */
  readonly url: string;
  /** All that it wrote to its log. */
  readonly logFile: string;
  /** Asks on a connection that the measured program does not use. */
  query(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** Why PostgreSQL cannot be measured on this machine; undefined when it can. */
export function postgresAbsent(): string | undefined {
  return postgresBinaries() === undefined ? 'initdb and postgres are not installed' : undefined;
}

/** Starts a PostgreSQL with its data in `directory`, as it is set up by default but for `settings`. */
export async function startPostgres({
  processes,
  directory,
  core,
  settings,
}: {
  readonly processes: Processes;
  readonly directory: string;
  readonly core: number | undefined;
  /** Each as `name=value`. */
  readonly settings?: readonly string[];
}): Promise<BenchPostgres> {
  mkdirSync(directory, { recursive: true });
  const server = await startPostgresServer(directory, { core, settings });
  const url = `postgres://postgres@127.0.0.1:${server.port}/postgres`;
  const pool = new Pool({ connectionString: url, max: 2 });
  pool.on('error', () => {});
  processes.own({
    pid: server.pid(),
    async stop() {
      await pool.end();
      await server.close();
    },
  });
  return {
    pid: server.pid(),
    url,
    logFile: join(directory, 'postgres.log'),
    query: async text => (await pool.query(text)).rows,
  };
}
