import { DatabaseError } from 'pg';
import { ConnectFailure, connectHint, type Failure } from './sql/attempts.ts';

/** SQLSTATE codes (PostgreSQL documentation, appendix A) with what to do about them. */
const HINTS: Readonly<Record<string, string>> = {
  '25006': 'the server takes no writes (a standby?): let storage.database name the primary',
  '28000': 'check the user in storage.database and the rules for it in pg_hba.conf',
  '28P01': 'check user and password in storage.database',
  '3D000': 'make the database, or check its name in storage.database',
  '42501': 'give the user of storage.database the rights that docs/storage.md lists',
  '53100': 'make room on the disk of the database server',
  '53300':
    'the server has no connection left: raise max_connections, or lower the pool (storage.database: …?pool=5) of each node',
  '55P03': 'another session has held the lock for very long; see pg_stat_activity and pg_locks for which',
  '57014': 'the server is too slow, or another session holds what is needed; see pg_stat_activity',
  '57P01': 'the server is stopping or starting; it is tried again with the next call',
  '57P02': 'the server is stopping or starting; it is tried again with the next call',
  '57P03': 'the server is stopping or starting; it is tried again with the next call',
};

const TOO_SLOW = 'the server is overloaded, hangs or is cut off; look at its load and at the network';

/** Serialization failure and deadlock: undone, and worth another try. */
const CONFLICTS = new Set(['40001', '40P01']);

/** After these the server has left this connection. */
const GONE = /^(08|57P0)/;

/** The driver's words for a connection that was gone before the statement was sent. */
const NOT_SENT = /is not queryable$/;

/** Whether a connection may be used again after an error on it. One to a read-only server may have become the wrong one. */
export function survives(error: unknown): boolean {
  return error instanceof DatabaseError && !GONE.test(error.code ?? '') && error.code !== '25006';
}

/** Reads an error of the `pg` driver. */
export function postgresFailure(error: unknown): Failure {
  if (error instanceof ConnectFailure) return connectFailure(error.cause);
  if (error instanceof DatabaseError) {
    const code = error.code ?? '';
    const kind = CONFLICTS.has(code) ? 'conflict' : GONE.test(code) ? 'lost' : 'refused';
    return {
      kind,
      reason: `${error.message} (${code})`,
      hint: HINTS[code] ?? `look into the log of the server for ${code}`,
    };
  }
  const reason = wordsOf(error);
  if (NOT_SENT.test(reason)) return { kind: 'unsent', reason, hint: connectHint(reason) };
  return reason.startsWith('Query read timeout')
    ? { kind: 'refused', reason: 'no answer within the time limit', hint: TOO_SLOW }
    : { kind: 'lost', reason, hint: connectHint(reason) };
}

function connectFailure(cause: unknown): Failure {
  if (cause instanceof DatabaseError) return { ...postgresFailure(cause), kind: 'refused' };
  const reason = wordsOf(cause);
  return { kind: 'refused', reason, hint: connectHint(reason) };
}

function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(wordsOf).join('; ');
  return error instanceof Error ? error.message : 'an unknown error';
}
