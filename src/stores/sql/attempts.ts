import type { Clock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';

/** What became of a statement that failed. */
export type FailureKind =
  /** It stood in another's way and was undone: it may well succeed now. */
  | 'conflict'
  /** It was never sent, as its connection was gone before. */
  | 'unsent'
  /** The connection was lost: nobody knows whether it was done. */
  | 'lost'
  /** It was refused, or there is nobody to take it. */
  | 'refused';

/** What a driver's error says. */
export interface Failure {
  readonly kind: FailureKind;
  /** The driver's own words, with its code. */
  readonly reason: string;
  /** What the operator should do. */
  readonly hint: string;
}

/** An error of reaching the server: no statement was sent. */
export class ConnectFailure extends Error {
  constructor(cause: unknown) {
    super('no connection to the database', { cause });
  }
}

/** What to do about a connection that could not be made, by the words of the driver or of TLS. */
export function connectHint(reason: string): string {
  if (/certificate|SSL|TLS|secure connection/i.test(reason))
    return 'check the TLS parameters of storage.database: docs/storage.md has them, and how to trust an authority of your own';
  if (/ENOENT.*open/.test(reason)) return 'check the files that the parameters of storage.database name';
  return /time/i.test(reason)
    ? 'the server cannot be reached, or all connections of the pool are busy: look at its load, or raise the pool (storage.database: …?pool=20)'
    : 'check that the server runs, that storage.database names its address and that no firewall is between';
}

/** Conflicts are over in milliseconds; eight tries take half a second at most. */
const CONFLICT_TRIES = 8;
const CONFLICT_PAUSE_MS = 2;
/** A statement that waited this long for a lock would only wait again; PostgreSQL takes one second to see a deadlock. */
const CONFLICT_PATIENCE_MS = 2500;

/** What statements are run with. */
export interface AttemptDeps {
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** The database, for messages: `the PostgreSQL database (HOST:PORT/NAME)`. */
  readonly subject: string;
  readonly failureOf: (error: unknown) => Failure;
}

/**
 * Runs statements on a database server. Conflicts are tried again after a moment. After a lost connection
 * only what changes nothing, or was never sent, is tried again, once; whoever wrote has to look what stands.
 */
export function createAttempts({ clock, random, subject, failureOf }: AttemptDeps): {
  run<T>(statement: () => Promise<T>): Promise<T>;
  read<T>(statement: () => Promise<T>): Promise<T>;
} {
  async function attempt<T>(statement: () => Promise<T>, isRead: boolean): Promise<T> {
    const givesUpAt = clock.now() + CONFLICT_PATIENCE_MS;
    let conflicts = 0;
    let reconnected = false;
    for (;;) {
      try {
        return await statement();
      } catch (error) {
        if (error instanceof BridgeError) throw error;
        const { kind, reason, hint } = failureOf(error);
        if (kind === 'conflict' && conflicts < CONFLICT_TRIES && clock.now() < givesUpAt) {
          conflicts += 1;
          await clock.sleep(CONFLICT_PAUSE_MS * 2 ** conflicts * random());
          continue;
        }
        if (!reconnected && (kind === 'unsent' || (kind === 'lost' && isRead))) {
          reconnected = true;
          continue;
        }
        // The driver's own error may carry the statement with its values.
        throw new BridgeError('STORE_UNAVAILABLE', `${subject} failed: ${reason}`, { hint });
      }
    }
  }
  return {
    run: statement => attempt(statement, false),
    read: statement => attempt(statement, true),
  };
}
