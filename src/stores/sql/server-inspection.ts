import { type Kysely, type RawBuilder, sql } from 'kysely';
import { CREDENTIAL_TABLE, MIGRATION_TABLE, type Tables } from '../schema.ts';
import type { Store } from '../store.ts';
import { ConnectFailure } from './attempts.ts';
import { type SchemaVersion, schemaVersion } from './schema-version.ts';
import { type OpenServerOptions, type SqlServer, serverStore } from './server-store.ts';

/** A column of each table that a statement which changes nothing can name. */
const COLUMNS: Readonly<Record<keyof Tables | typeof MIGRATION_TABLE, string>> = {
  [CREDENTIAL_TABLE]: '_id',
  open_bridge_leases: 'name',
  open_bridge_budgets: 'subject',
  open_bridge_failures: 'id',
  open_bridge_settings: 'name',
  open_bridge_ephemeral: 'name',
  open_bridge_call_batches: 'first_seqid',
  open_bridge_usage: 'day',
  open_bridge_audit: 'chain',
  open_bridge_audit_anchors: 'chain',
  [MIGRATION_TABLE]: 'name',
};

/** What daily work does with each table. */
const VERBS = ['select', 'insert', 'update', 'delete'] as const;
type Verb = (typeof VERBS)[number];

/** A statement that the user of `storage.database` may not run. */
export interface Refusal {
  /** What was tried, such as `delete on open_bridge_leases`. */
  readonly statement: string;
  /** The statement by which the owner of the database allows it. */
  readonly grant: string;
}

/** What is found on a database server without changing anything there. */
export interface ServerInspection extends SchemaVersion {
  /** Whether this program has made tables there. */
  readonly isEmpty: boolean;
  /** What daily work needs and the user may not do. */
  readonly refusals: readonly Refusal[];
  /** Undefined when the user may change the schema, or none of its steps is pending. */
  readonly schemaRefusal: Refusal | undefined;
  /** Works as far as the schema is up to date and the user may do what it does. */
  readonly store: Store;
}

/** How a database says what a user may do. */
export interface Privileges {
  /** Whether an error says that the user may not run the statement. */
  isRefusal(error: unknown): boolean;
  /** Whether it says that there is no such table. */
  isMissing(error: unknown): boolean;
  /** Whether it speaks of what is only looked at once the user may run the statement. */
  isAllowed(error: unknown): boolean;
  /** The statement that allows verbs on a table. */
  grant(db: Kysely<Tables>, verbs: readonly string[], table: string): Promise<string>;
  /** What the user lacks to make and change tables, as far as the server tells. */
  schemaRefusal(db: Kysely<Tables>): Promise<Refusal | undefined>;
}

/**
 * Looks at a database on a server: the version of its schema, and by statements that concern no row, whether
 * the user may do what daily work does. Throws BridgeError STORE_UNAVAILABLE when it cannot be reached; else
 * the caller closes the store.
 */
export async function inspectServer(
  options: Omit<OpenServerOptions, 'migrate'>,
  server: SqlServer,
  privileges: Privileges,
): Promise<ServerInspection> {
  const store = serverStore(options, server);
  try {
    return { ...(await look(server, privileges)), store };
  } catch (error) {
    // Connections that are still being made may fail to close, which says nothing new.
    await store.close().catch(() => {});
    throw error;
  }
}

async function look(server: SqlServer, privileges: Privileges): Promise<Omit<ServerInspection, 'store'>> {
  const { db, attempts } = server;
  // One alone, so that a server that is not there is asked once.
  await attempts.read(() => sql`select 1`.execute(db));
  const outcomes = await Promise.all(
    Object.entries(COLUMNS).map(async ([table, column]) => {
      const refused: Verb[] = [];
      for (const verb of VERBS) {
        const outcome = await attempts.read(() => tried(harmless(verb, table, column), db, privileges));
        if (outcome === 'missing') return { table, refused: [], isMissing: true };
        if (outcome === 'refused') refused.push(verb);
      }
      return { table, refused, isMissing: false };
    }),
  );
  const refusals = await Promise.all(
    outcomes
      .filter(({ refused }) => refused.length > 0)
      .map(async ({ table, refused }) => ({
        statement: `${refused.join(', ')} on ${table}`,
        grant: await attempts.read(() => privileges.grant(db, refused, table)),
      })),
  );
  const steps = outcomes.find(({ table }) => table === MIGRATION_TABLE);
  const isEmpty = steps?.isMissing === true;
  // What cannot be read tells nothing of the version; the refusal is what is wrong then.
  const isReadable = !isEmpty && steps?.refused.includes('select') !== true;
  const version = isReadable
    ? schemaVersion(await attempts.read(() => takenSteps(db)))
    : isEmpty
      ? schemaVersion([])
      : { pending: [], foreign: [] };
  const schemaRefusal =
    version.pending.length === 0 ? undefined : await attempts.read(() => privileges.schemaRefusal(db));
  return { ...version, isEmpty, refusals, schemaRefusal };
}

async function takenSteps(db: Kysely<Tables>): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(db);
  return rows.map(({ name }) => name);
}

/** A statement that needs the privilege and concerns no row. */
function harmless(verb: Verb, tableName: string, columnName: string): RawBuilder<unknown> {
  const [table, column] = [sql.table(tableName), sql.ref(columnName)];
  switch (verb) {
    case 'select':
      return sql`select ${column} from ${table} where 1 = 0`;
    case 'insert':
      return sql`insert into ${table} (${column}) select 'x' where 1 = 0`;
    case 'update':
      return sql`update ${table} set ${column} = 'x' where 1 = 0`;
    case 'delete':
      return sql`delete from ${table} where 1 = 0`;
  }
}

async function tried(
  statement: RawBuilder<unknown>,
  db: Kysely<Tables>,
  { isRefusal, isMissing, isAllowed }: Privileges,
): Promise<'done' | 'refused' | 'missing'> {
  try {
    await statement.execute(db);
    return 'done';
  } catch (error) {
    if (error instanceof ConnectFailure) throw error;
    if (isRefusal(error)) return 'refused';
    if (isMissing(error)) return 'missing';
    if (isAllowed(error)) return 'done';
    throw error;
  }
}
