/** How long a database server may take, in milliseconds. */
export interface ServerTimeouts {
  /** For a connection, be it a new one or the next that is free. */
  readonly connectMs: number;
  /** For the server to work on a statement, waiting for locks included. */
  readonly statementMs: number;
  /** The longest wait for its word on a statement. */
  readonly answerMs: number;
}

/** Callers wait for this, so a server that hangs must be given up before they do. */
export const SERVER_TIMEOUTS: ServerTimeouts = { connectMs: 3000, statementMs: 4000, answerMs: 5000 };
