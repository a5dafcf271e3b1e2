import { Kysely, MysqlDialect, sql } from 'kysely';
import { BridgeError } from '../base/errors.ts';
import { serverOf } from './database.ts';
import { mysqlFailure } from './mysql-failures.ts';
import { openMysqlPool } from './mysql-pool.ts';
import { mysqlPrivileges } from './mysql-privileges.ts';
import type { ServerStoreOptions } from './postgres.ts';
import type { Tables } from './schema.ts';
import { SERVER_TIMEOUTS } from './server-timeouts.ts';
import { createAttempts } from './sql/attempts.ts';
import { migrate } from './sql/migrate.ts';
import { mysqlColumns, mysqlDdl } from './sql/mysql-ddl.ts';
import { mysqlDialect } from './sql/mysql-dialect.ts';
import { inspectServer, type ServerInspection } from './sql/server-inspection.ts';
import { openServerStore, type SqlServer } from './sql/server-store.ts';
import type { Store } from './store.ts';

/** How long another node may take to bring the schema up to date, in seconds. */
const SCHEMA_LOCK_SECONDS = 60;

/** Opens a store on a MySQL (8.0.17 or later) or MariaDB (10.6 or later) server. Any number of processes may share its database. */
export async function openMysqlStore(options: ServerStoreOptions): Promise<Store> {
  return openServerStore(options, mysqlServer(options));
}

/** Looks at a database on a MySQL or MariaDB server, changing nothing. */
export function inspectMysql(options: Omit<ServerStoreOptions, 'migrate'>): Promise<ServerInspection> {
  return inspectServer(options, mysqlServer(options), mysqlPrivileges);
}

function mysqlServer(options: Omit<ServerStoreOptions, 'migrate'>): SqlServer {
  const { url, clock, random, timeouts = SERVER_TIMEOUTS } = options;
  const server = serverOf('mysql', url);
  const open = (purpose: 'statements' | 'schema', connections: number): Kysely<Tables> =>
    new Kysely({
      dialect: new MysqlDialect({
        pool: openMysqlPool({ ...server, connections }, clock, timeouts, purpose),
      }),
    });
  return {
    db: open('statements', server.connections),
    dialect: mysqlDialect,
    ddl: { columns: mysqlColumns },
    attempts: createAttempts({
      clock,
      random,
      subject: `the MySQL database (${server.name})`,
      failureOf: mysqlFailure,
    }),
    async migrate() {
      const db = open('schema', 1);
      try {
        // The lock is that of the connection, and ends with it.
        await db.connection().execute(migrateLocked);
      } finally {
        await db.destroy();
      }
    },
  };
}

/** Tables are changed outside of any transaction, so a step may be found half done, and is done again. */
async function migrateLocked(db: Kysely<Tables>): Promise<void> {
  const lock = sql`concat('open_bridge:', md5(database()))`;
  const taken = await sql<{
    taken: number | null;
  }>`select get_lock(${lock}, ${sql.lit(SCHEMA_LOCK_SECONDS)}) as taken`.execute(db);
  if (Number(taken.rows[0]?.taken) !== 1) {
    throw new BridgeError(
      'STORE_UNAVAILABLE',
      `another node has been bringing the database up to date for ${SCHEMA_LOCK_SECONDS} seconds`,
      { hint: 'wait for it, then start again; show processlist tells what it does' },
    );
  }
  try {
    await migrate(db, mysqlDdl(await bytewiseCollation(db)));
  } finally {
    await sql`select release_lock(${lock})`.execute(db);
  }
}

/** The collation that compares byte by byte and minds blanks at the end: MariaDB's, or MySQL's. */
async function bytewiseCollation(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{
    name: string;
  }>`select collation_name as name from information_schema.collations where collation_name in ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') order by collation_name desc`.execute(
    db,
  );
  const name = rows[0]?.name;
  if (name !== undefined) return name;
  throw new BridgeError(
    'STORE_UNAVAILABLE',
    'the database server is too old: it has no collation that compares texts byte by byte',
    {
      hint: 'use MySQL 8.0.17, MariaDB 10.6, or later versions of them',
    },
  );
}
