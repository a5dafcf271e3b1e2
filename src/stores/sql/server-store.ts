import { CompiledQuery, type Kysely, type RawBuilder } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Tables } from '../schema.ts';
import { createSqlStore } from '../sql-store.ts';
import type { Store } from '../store.ts';
import type { createAttempts } from './attempts.ts';
import type { ColumnValue, ManyRows } from './backend.ts';
import type { SqlDialect } from './dialect.ts';
import { pendingSteps } from './migrate.ts';
import type { DdlDialect } from './schema-editor.ts';

/** How long closing waits for a server that does not answer. */
const CLOSE_MS = 2000;

/** A database server, as what is common to all of them needs it. */
export interface SqlServer {
  readonly db: Kysely<Tables>;
  readonly dialect: SqlDialect;
  readonly ddl: Pick<DdlDialect, 'columns'>;
  readonly attempts: ReturnType<typeof createAttempts>;
  /** What a transaction of records that come in masses begins with. */
  readonly beginBatch?: RawBuilder<unknown>;
  /** Brings the schema up to date, with all other nodes kept out. */
  migrate(): Promise<void>;
}

/** How the store is to be opened. */
export interface OpenServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly migrate: boolean;
  readonly time?: (() => number) | undefined;
}

/** Opens a store on a database server. Throws BridgeError STORE_UNAVAILABLE when it cannot be used. */
export async function openServerStore(options: OpenServerOptions, server: SqlServer): Promise<Store> {
  const { db, ddl, attempts } = server;
  const { run, read } = attempts;
  const store = serverStore(options, server);
  try {
    const pending = await read(() => pendingSteps(db, ddl));
    // Who may not change tables can still work with those that are up to date.
    if (pending.length > 0) {
      if (!options.migrate) throw outdated(pending);
      await run(server.migrate);
    }
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/** The store on a server as its schema is, which nobody has looked at. */
export function serverStore(options: Omit<OpenServerOptions, 'migrate'>, server: SqlServer): Store {
  const { db, dialect, attempts } = server;
  const { run, read } = attempts;
  const { time } = options;
  const now = (): RawBuilder<number> => {
    const own = time === undefined ? dialect.time : dialect.timeOf(time());
    if (own === undefined) throw new TypeError('a database server has a time of its own');
    return own;
  };
  const store = createSqlStore({
    db,
    dialect,
    log: options.log,
    now,
    run,
    read,
    batch(statement, rows, many = []) {
      const queries = inGroups(statement, rows, many);
      return run(() => changesOf(server, queries));
    },
  });
  return { ...store, close: () => closeWithin(CLOSE_MS, options.clock, () => db.destroy()) };
}

async function changesOf({ db, beginBatch }: SqlServer, queries: readonly CompiledQuery[]): Promise<number> {
  const [first] = queries;
  if (first === undefined) return 0;
  if (queries.length === 1) return Number((await db.executeQuery(first)).numAffectedRows ?? 0n);
  return db.transaction().execute(async transaction => {
    await beginBatch?.execute(transaction);
    let changes = 0;
    for (const query of queries)
      changes += Number((await transaction.executeQuery(query)).numAffectedRows ?? 0n);
    return changes;
  });
}

/** The statements for all rows, as few as can be. */
function inGroups(
  statement: CompiledQuery,
  rows: readonly (readonly ColumnValue[])[],
  many: readonly ManyRows[],
): CompiledQuery[] {
  const queries: CompiledQuery[] = [];
  let at = 0;
  for (const group of [...many, { statement, rows: 1 }])
    for (; at + group.rows <= rows.length; at += group.rows)
      queries.push(CompiledQuery.raw(group.statement.sql, rows.slice(at, at + group.rows).flat()));
  return queries;
}

function outdated(pending: readonly string[]): BridgeError {
  return new BridgeError(
    'STORE_UNAVAILABLE',
    `the database is of an older version of this program (it lacks ${pending.join(', ')})`,
    { hint: 'start open-bridge serve of this version, which brings the database up to date' },
  );
}

/** Closes, or lets go after a while: what is left ends with the process. */
async function closeWithin(ms: number, clock: Clock, close: () => Promise<void>): Promise<void> {
  const waiting = new AbortController();
  try {
    await Promise.race([close(), clock.sleep(ms, waiting.signal).catch(() => {})]);
  } finally {
    waiting.abort();
  }
}
