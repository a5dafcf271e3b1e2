import { ConnectFailure, connectHint, type Failure } from './sql/attempts.ts';

const READ_ONLY = 'the server takes no writes (a replica?): let storage.database name the primary';
const ACCESS = 'check user and password in storage.database';
const RIGHTS = 'give the user of storage.database the rights that docs/storage.md lists';
const FULL = 'make room on the disk of the database server';
const CONNECTIONS =
  'the server has no connection left: raise max_connections, or lower the pool (storage.database: …?pool=5) of each node';
const STOPPING = 'the server is stopping or starting; it is tried again with the next call';
const TOO_SLOW = 'the server is overloaded, hangs or is cut off; look at its load and at the network';
const HELD = 'the server is too slow, or another session holds what is needed; see show processlist';

/** Error numbers (MySQL and MariaDB error references) with what to do about them. */
const HINTS: Readonly<Record<number, string>> = {
  3: FULL,
  28: FULL,
  1021: FULL,
  1030: FULL,
  1040: CONNECTIONS,
  1044: RIGHTS,
  1045: ACCESS,
  1049: 'make the database, or check its name in storage.database',
  1053: STOPPING,
  1114: FULL,
  1142: RIGHTS,
  1143: RIGHTS,
  1203: CONNECTIONS,
  1205: HELD,
  1226: CONNECTIONS,
  1227: RIGHTS,
  1290: READ_ONLY,
  1317: HELD,
  1698: ACCESS,
  1792: READ_ONLY,
  1836: READ_ONLY,
  1927: STOPPING,
  1969: HELD,
  3024: HELD,
};

/** Lock wait timeout and deadlock: undone, and worth another try. */
const CONFLICTS: ReadonlySet<number> = new Set([1205, 1213]);
/** Server shutdown in progress and connection killed: the server has left this connection. */
const GONE: ReadonlySet<number> = new Set([1053, 1927]);
/** A connection to a server that became read-only may lead to the wrong one. */
const WRONG_SERVER: ReadonlySet<number> = new Set([1290, 1792, 1836]);

/** mysql2's word for a time limit that passed. */
const TIMED_OUT = 'PROTOCOL_SEQUENCE_TIMEOUT';
/** mysql2's words for a connection that was gone before the statement was sent. */
const NOT_SENT = /^Can't add new command when connection is in closed state/;

interface DriverError {
  readonly message: string;
  readonly code: string | undefined;
  /** The server's error number; undefined for an error of the driver or the network. */
  readonly number: number | undefined;
}

/** Whether a connection may be used again after an error on it. */
export function survives(error: unknown): boolean {
  const { number } = read(error);
  return number !== undefined && !GONE.has(number) && !WRONG_SERVER.has(number);
}

/** Reads an error of the `mysql2` driver. */
export function mysqlFailure(error: unknown): Failure {
  if (error instanceof ConnectFailure) {
    const { message, number } = read(error.cause);
    return number === undefined
      ? { kind: 'refused', reason: message, hint: connectHint(message) }
      : { kind: 'refused', reason: `${message} (${number})`, hint: hintFor(number) };
  }
  const { message, number, code } = read(error);
  if (number !== undefined) {
    const kind = CONFLICTS.has(number) ? 'conflict' : GONE.has(number) ? 'lost' : 'refused';
    return { kind, reason: `${message} (${number})`, hint: hintFor(number) };
  }
  if (code === TIMED_OUT)
    return { kind: 'refused', reason: 'no answer within the time limit', hint: TOO_SLOW };
  return { kind: NOT_SENT.test(message) ? 'unsent' : 'lost', reason: message, hint: connectHint(message) };
}

function hintFor(number: number): string {
  return HINTS[number] ?? `look into the log of the server for error ${number}`;
}

function read(error: unknown): DriverError {
  if (!(error instanceof Error)) return { message: 'an unknown error', code: undefined, number: undefined };
  const { code, errno, sqlState } = error as Error & {
    readonly code?: unknown;
    readonly errno?: unknown;
    readonly sqlState?: unknown;
  };
  const message =
    error instanceof AggregateError && error.errors.length > 0
      ? error.errors.map(each => read(each).message).join('; ')
      : error.message;
  return {
    message,
    code: typeof code === 'string' ? code : undefined,
    // Errors of the network have a number too, of another list.
    number: typeof errno === 'number' && typeof sqlState === 'string' ? errno : undefined,
  };
}
