import { readFileSync } from 'node:fs';
import type { MysqlPool, MysqlPoolConnection, MysqlQueryResult } from 'kysely';
import { createPool, type PoolConnection, type SslOptions } from 'mysql2';
import { type Clock, deadline } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { type DatabaseServer, verifiesName } from './database.ts';
import { survives } from './mysql-failures.ts';
import type { ServerTimeouts } from './server-timeouts.ts';
import { ConnectFailure } from './sql/attempts.ts';

const IDLE_MS = 60_000;

/**
 * What every connection begins with: texts too long are refused and not cut, quotes are escaped as the
 * driver does it, times are unambiguous, nobody waits long for a lock. What stands in the comment is
 * MariaDB's alone; MySQL has no such limit for what writes.
 */
const SESSION = "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'";
const limitsOf = ({ statementMs }: ServerTimeouts) =>
  `, innodb_lock_wait_timeout = ${Math.ceil(statementMs / 1000)} /*M! , max_statement_time = ${statementMs / 1000} */`;

type Callback<T> = (error: unknown, result: T) => void;

/**
 * Connections to a MySQL or MariaDB server, for Kysely. One that failed in an uncertain state is closed
 * and not used again. Changes of the schema take as long as they take.
 */
export function openMysqlPool(
  { url, connections }: DatabaseServer,
  clock: Clock,
  timeouts: ServerTimeouts,
  purpose: 'statements' | 'schema',
): MysqlPool {
  const ssl = tlsOf(url);
  const socket = url.searchParams.get('socketPath');
  const pool = createPool({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 3306 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(socket !== null && { socketPath: socket }),
    ...(ssl !== undefined && { ssl }),
    charset: 'utf8mb4',
    // Row counts are those of the rows that were found, changed or not.
    flags: ['FOUND_ROWS'],
    connectTimeout: timeouts.connectMs,
    connectionLimit: connections,
    maxIdle: connections,
    idleTimeout: IDLE_MS,
    enableKeepAlive: true,
  });
  const prepared = new WeakSet<PoolConnection>();

  function prepare(connection: PoolConnection, callback: Callback<PoolConnection>): void {
    if (prepared.has(connection)) {
      callback(undefined, connection);
      return;
    }
    // The pool listens once only, and an error without a listener ends the process.
    connection.on('error', () => {});
    const statement = purpose === 'statements' ? SESSION + limitsOf(timeouts) : SESSION;
    connection.query({ sql: statement, timeout: timeouts.connectMs }, error => {
      if (error) connection.destroy();
      else prepared.add(connection);
      callback(error ?? undefined, connection);
    });
  }

  return {
    end: callback => pool.end(callback),
    getConnection(callback) {
      const fail = (cause: unknown): void => callback(new ConnectFailure(cause), undefined as never);
      let isOver = false;
      const limit = deadline(clock, timeouts.connectMs, () =>
        Object.assign(new Error('no connection became free in time'), { code: 'ETIMEDOUT' }),
      );
      limit.signal.addEventListener('abort', () => {
        isOver = true;
        fail(limit.signal.reason);
      });
      pool.getConnection((cause, connection) => {
        if (cause) {
          limit.clear();
          if (!isOver) fail(cause);
          return;
        }
        prepare(connection, error => {
          limit.clear();
          if (isOver) {
            if (!error) connection.release();
          } else if (error) fail(error);
          else
            callback(undefined, adapt(connection, purpose === 'statements' ? timeouts.answerMs : undefined));
        });
      });
    },
  };
}

function adapt(connection: PoolConnection, timeout: number | undefined): MysqlPoolConnection {
  let isSound = true;
  return {
    threadId: connection.threadId,
    query(sql: string, values: unknown[], callback: Callback<MysqlQueryResult>) {
      connection.query({ sql, values, ...(timeout !== undefined && { timeout }) }, (error, result) => {
        if (error) isSound &&= survives(error);
        callback(error ?? undefined, result as MysqlQueryResult);
      });
    },
    release() {
      if (isSound) connection.release();
      else connection.destroy();
    },
    destroy: () => connection.destroy(),
  } as unknown as MysqlPoolConnection;
}

/** `ssl=true`: encrypted, and the server proves its name. `ssl=no-verify`: encrypted to whoever answers. */
function tlsOf(url: URL): SslOptions | undefined {
  if (!verifiesName(url))
    return url.searchParams.get('ssl') === 'no-verify' ? { rejectUnauthorized: false } : undefined;
  const authority = url.searchParams.get('sslrootcert');
  if (authority === null) return { rejectUnauthorized: true, verifyIdentity: true };
  try {
    return { rejectUnauthorized: true, verifyIdentity: true, ca: readFileSync(authority, 'utf8') };
  } catch (cause) {
    throw new BridgeError(
      'STORE_UNAVAILABLE',
      `the certificate of sslrootcert cannot be read: ${authority}`,
      {
        cause,
        hint: 'check sslrootcert in storage.database',
      },
    );
  }
}
