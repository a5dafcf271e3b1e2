import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import { serverOf } from './database.ts';
import { postgresFailure } from './postgres-failures.ts';
import { openPostgresPool } from './postgres-pool.ts';
import { postgresPrivileges } from './postgres-privileges.ts';
import type { Tables } from './schema.ts';
import { SERVER_TIMEOUTS, type ServerTimeouts } from './server-timeouts.ts';
import { createAttempts } from './sql/attempts.ts';
import { migrate } from './sql/migrate.ts';
import { postgresDdl } from './sql/postgres-ddl.ts';
import { postgresDialect } from './sql/postgres-dialect.ts';
import { inspectServer, type ServerInspection } from './sql/server-inspection.ts';
import { openServerStore, type SqlServer } from './sql/server-store.ts';
import type { Store } from './store.ts';

/** What the advisory lock of the schema is taken by: "open-bri" read as a number. */
const SCHEMA_LOCK = '8030029659483828841';
/** How long another node may take to bring the schema up to date. */
const SCHEMA_LOCK_MS = 60_000;

/** What a store on a database server is opened with. */
export interface ServerStoreOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or with `mysql`. */
  readonly url: Secret;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /** Whether the schema may be brought up to date; without, one that is not is refused. */
  readonly migrate: boolean;
  /** Stands in for the database's own time, so that tests need not wait. */
  readonly time?: (() => number) | undefined;
  readonly timeouts?: ServerTimeouts | undefined;
}

/** Opens a store on a PostgreSQL server, version 12 or later. Any number of processes may share its database. */
export async function openPostgresStore(options: ServerStoreOptions): Promise<Store> {
  return openServerStore(options, postgresServer(options));
}

/** Looks at a database on a PostgreSQL server, changing nothing. */
export function inspectPostgres(options: Omit<ServerStoreOptions, 'migrate'>): Promise<ServerInspection> {
  return inspectServer(options, postgresServer(options), postgresPrivileges);
}

function postgresServer(options: Omit<ServerStoreOptions, 'migrate'>): SqlServer {
  const { url, clock, random, log, timeouts = SERVER_TIMEOUTS } = options;
  const server = serverOf('postgres', url);
  const open = (purpose: 'statements' | 'schema', connections: number): Kysely<Tables> =>
    new Kysely({
      dialect: new PostgresDialect({
        pool: openPostgresPool({ ...server, connections }, log, timeouts, purpose),
      }),
    });
  return {
    db: open('statements', server.connections),
    dialect: postgresDialect,
    ddl: postgresDdl,
    attempts: createAttempts({
      clock,
      random,
      subject: `the PostgreSQL database (${server.name})`,
      failureOf: postgresFailure,
    }),
    // A power cut may take the last of what comes in masses, and nobody waits for the disk meanwhile.
    beginBatch: sql`set local synchronous_commit = off`,
    async migrate() {
      const db = open('schema', 1);
      try {
        await db.transaction().execute(async transaction => {
          await sql`set local lock_timeout = ${sql.lit(SCHEMA_LOCK_MS)}`.execute(transaction);
          await sql`select pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK)}::bigint)`.execute(transaction);
          await migrate(transaction, postgresDdl);
        });
      } finally {
        await db.destroy();
      }
    },
  };
}
