import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import { Pool, type PoolClient, type PoolConfig, types } from 'pg';
import type { Log } from '../base/log.ts';
import type { DatabaseServer } from './database.ts';
import { survives } from './postgres-failures.ts';
import type { ServerTimeouts } from './server-timeouts.ts';
import { ConnectFailure } from './sql/attempts.ts';

const IDLE_MS = 60_000;

/** What `int8` is in PostgreSQL's catalogue. */
const INT8 = 20;

/** Limits for the statements of daily work. */
function limitsOf({ statementMs, answerMs }: ServerTimeouts): PoolConfig {
  return {
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: IDLE_MS,
    query_timeout: answerMs,
  };
}

/**
 * Connections to a PostgreSQL server, for Kysely. One that failed in an uncertain state is closed and not
 * used again; one that breaks while idle is only noted. Changes of the schema take as long as they take.
 */
export function openPostgresPool(
  { url, connections }: DatabaseServer,
  log: Log,
  timeouts: ServerTimeouts,
  purpose: 'statements' | 'schema',
): PostgresPool {
  const pool = new Pool({
    application_name: 'open-bridge',
    ...(purpose === 'statements' && limitsOf(timeouts)),
    connectionString: url.href,
    connectionTimeoutMillis: timeouts.connectMs,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    max: connections,
    types: {
      // All our numbers are exact in a double.
      getTypeParser: (id: number, format?: 'text' | 'binary') =>
        id === INT8 ? Number : types.getTypeParser(id, format as 'text'),
    } as PoolConfig['types'],
  });
  pool.on('error', error => log.debug({ reason: error.message }, 'an idle database connection was lost'));
  const broken = new WeakSet<PoolClient>();
  // The pool listens to idle connections only, the driver while a statement runs, and an error without a
  // listener ends the process. Errors come between statements, and in the same packet as the first readiness.
  pool.on('connect', client => client.on('error', () => broken.add(client)));
  return {
    options: {},
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect().catch(cause => {
        throw new ConnectFailure(cause);
      });
      return {
        async query(text: string, parameters: readonly unknown[]) {
          try {
            return (await client.query(text, [...parameters])) as PostgresQueryResult<unknown>;
          } catch (error) {
            if (!survives(error)) broken.add(client);
            throw error;
          }
        },
        release(destroy = false) {
          client.release(destroy || broken.has(client));
        },
      } as PostgresPoolClient;
    },
  };
}
