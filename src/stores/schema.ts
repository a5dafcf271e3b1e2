import type { ColumnType, Generated, Kysely } from 'kysely';
import { sql } from 'kysely';
import { BridgeError } from '../base/errors.ts';

/** Name of the credential table, as uniCloud has it. */
export const CREDENTIAL_TABLE = 'opendb-open-data';

/** A column left out on insert is null. */
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;

/** Tables as Kysely sees them. Times are milliseconds since the Unix epoch. */
export interface Tables {
  [CREDENTIAL_TABLE]: {
    _id: string;
    value: string;
    /** -1 for never. */
    expired: number;
    platform: Optional<string>;
    appid: Optional<string>;
    kind: Optional<string>;
    epoch: Generated<number>;
    issued_at: Optional<number>;
    renew_at: Optional<number>;
    /** 1 when it is renewed in the background. */
    background: Generated<number>;
    fingerprint: Optional<string>;
    previous_value: Optional<string>;
    previous_fingerprint: Optional<string>;
    previous_expired: Optional<number>;
  };
  open_bridge_leases: { name: string; holder: string; expires_at: number };
  open_bridge_budgets: { subject: string; period: string; used: number; last_at: number };
  open_bridge_failures: {
    id: string;
    identity: string;
    code: string;
    errcode: number | null;
    errmsg: string;
    error_class: string;
    hint: string | null;
    failures: number;
    failed_at: number;
    retry_at: number;
  };
  open_bridge_settings: { name: string; value: string };
  open_bridge_calls: {
    /** Given out in order, so that the earliest are found without an index of their own. */
    id: Generated<number>;
    seqid: string;
    started_at: number;
    duration_ms: number;
    upstream_ms: number;
    sends: number;
    method: string;
    path: string;
    remote_address: string;
    caller: string | null;
    platform: string | null;
    app: string | null;
    appid: string | null;
    injected: number;
    credential: string | null;
    status: number;
    errcode: number | null;
    rid: string | null;
    failure: string | null;
    /** 1 when it did not go well, for whatever reason. */
    failed: number;
    replayed: number;
    request_bytes: number;
    answer_bytes: number;
    ending: string;
  };
  open_bridge_usage: {
    day: string;
    /** Empty for those we do not know. */
    caller: string;
    appid: string;
    calls: number;
    errors: number;
    refused: number;
    replayed: number;
    request_bytes: number;
    answer_bytes: number;
  };
}

/** One step forward of the schema. Steps are never changed once released, only added to. */
interface Migration {
  readonly name: string;
  up(db: Kysely<Tables>): Promise<void>;
}

/** All steps, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-first',
    async up(db) {
      await db.schema
        .createTable(CREDENTIAL_TABLE)
        .ifNotExists()
        .addColumn('_id', 'varchar(512)', column => column.primaryKey())
        .addColumn('value', 'text', column => column.notNull())
        .addColumn('expired', 'bigint', column => column.notNull())
        .addColumn('platform', 'varchar(32)')
        .addColumn('appid', 'varchar(128)')
        .addColumn('kind', 'varchar(32)')
        .addColumn('epoch', 'bigint', column => column.notNull().defaultTo(0))
        .addColumn('issued_at', 'bigint')
        .addColumn('renew_at', 'bigint')
        .addColumn('background', 'smallint', column => column.notNull().defaultTo(0))
        .addColumn('fingerprint', 'varchar(32)')
        .addColumn('previous_value', 'text')
        .addColumn('previous_fingerprint', 'varchar(32)')
        .addColumn('previous_expired', 'bigint')
        .execute();
      await db.schema
        .createIndex('open_bridge_due')
        .on(CREDENTIAL_TABLE)
        .columns(['background', 'renew_at', '_id'])
        .execute();
      for (const column of ['fingerprint', 'previous_fingerprint'] as const) {
        await db.schema.createIndex(`open_bridge_${column}`).on(CREDENTIAL_TABLE).column(column).execute();
      }
      await db.schema
        .createTable('open_bridge_leases')
        .addColumn('name', 'varchar(512)', column => column.primaryKey())
        .addColumn('holder', 'varchar(64)', column => column.notNull())
        .addColumn('expires_at', 'bigint', column => column.notNull())
        .execute();
      await db.schema
        .createTable('open_bridge_budgets')
        .addColumn('subject', 'varchar(255)', column => column.notNull())
        .addColumn('period', 'varchar(32)', column => column.notNull())
        .addColumn('used', 'integer', column => column.notNull())
        .addColumn('last_at', 'bigint', column => column.notNull())
        .addPrimaryKeyConstraint('open_bridge_budgets_key', ['subject', 'period'])
        .execute();
      await db.schema
        .createTable('open_bridge_failures')
        .addColumn('id', 'varchar(512)', column => column.primaryKey())
        .addColumn('identity', 'varchar(64)', column => column.notNull())
        .addColumn('code', 'varchar(64)', column => column.notNull())
        .addColumn('errcode', 'integer')
        .addColumn('errmsg', 'text', column => column.notNull())
        .addColumn('error_class', 'varchar(32)', column => column.notNull())
        .addColumn('hint', 'text')
        .addColumn('failures', 'integer', column => column.notNull())
        .addColumn('failed_at', 'bigint', column => column.notNull())
        .addColumn('retry_at', 'bigint', column => column.notNull())
        .execute();
      await db.schema
        .createTable('open_bridge_settings')
        .addColumn('name', 'varchar(128)', column => column.primaryKey())
        .addColumn('value', 'text', column => column.notNull())
        .execute();
    },
  },
  {
    name: '0002-calls',
    async up(db) {
      await db.schema
        .createTable('open_bridge_calls')
        .addColumn('id', 'integer', column => column.primaryKey().autoIncrement())
        .addColumn('seqid', 'varchar(64)', column => column.notNull())
        .addColumn('started_at', 'bigint', column => column.notNull())
        .addColumn('duration_ms', 'bigint', column => column.notNull())
        .addColumn('upstream_ms', 'bigint', column => column.notNull())
        .addColumn('sends', 'integer', column => column.notNull())
        .addColumn('method', 'varchar(32)', column => column.notNull())
        .addColumn('path', 'varchar(512)', column => column.notNull())
        .addColumn('remote_address', 'varchar(64)', column => column.notNull())
        .addColumn('caller', 'varchar(255)')
        .addColumn('platform', 'varchar(32)')
        .addColumn('app', 'varchar(64)')
        .addColumn('appid', 'varchar(128)')
        .addColumn('injected', 'smallint', column => column.notNull())
        .addColumn('credential', 'varchar(32)')
        .addColumn('status', 'integer', column => column.notNull())
        .addColumn('errcode', 'bigint')
        .addColumn('rid', 'varchar(64)')
        .addColumn('failure', 'varchar(64)')
        .addColumn('failed', 'smallint', column => column.notNull())
        .addColumn('replayed', 'smallint', column => column.notNull())
        .addColumn('request_bytes', 'bigint', column => column.notNull())
        .addColumn('answer_bytes', 'bigint', column => column.notNull())
        .addColumn('ending', 'varchar(16)', column => column.notNull())
        .execute();
      const index = (name: string, ...columns: ('seqid' | 'started_at' | 'caller' | 'rid')[]) =>
        db.schema.createIndex(`open_bridge_calls_${name}`).on('open_bridge_calls').columns(columns);
      await index('seqid', 'seqid').unique().execute();
      await index('time', 'started_at').execute();
      await index('caller', 'caller', 'started_at').execute();
      await index('rid', 'rid').execute();
      await db.schema
        .createTable('open_bridge_usage')
        .addColumn('day', 'varchar(10)', column => column.notNull())
        .addColumn('caller', 'varchar(255)', column => column.notNull())
        .addColumn('appid', 'varchar(128)', column => column.notNull())
        .addColumn('calls', 'bigint', column => column.notNull())
        .addColumn('errors', 'bigint', column => column.notNull())
        .addColumn('refused', 'bigint', column => column.notNull())
        .addColumn('replayed', 'bigint', column => column.notNull())
        .addColumn('request_bytes', 'bigint', column => column.notNull())
        .addColumn('answer_bytes', 'bigint', column => column.notNull())
        .addPrimaryKeyConstraint('open_bridge_usage_key', ['day', 'caller', 'appid'])
        .execute();
    },
  },
];

/** Where the names of the steps that were taken are kept. */
export const MIGRATION_TABLE = 'open_bridge_migrations';

/**
 * Brings the schema up to date. The caller holds whatever keeps other nodes out (an immediate
 * transaction, an advisory lock) for as long as this runs. Throws when the database is newer than
 * this program, because writing to it could lose what the newer one keeps there.
 */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable(MIGRATION_TABLE)
    .ifNotExists()
    .addColumn('name', 'varchar(128)', column => column.primaryKey())
    .execute();
  const done = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(db);
  const applied = new Set(done.rows.map(row => row.name));
  const known = new Set(MIGRATIONS.map(step => step.name));
  const foreign = [...applied].filter(name => !known.has(name));
  if (foreign.length > 0) {
    throw new BridgeError(
      'STORE_UNAVAILABLE',
      `the database was written by a newer version of this program (${foreign.join(', ')})`,
      { hint: 'upgrade this program, or use another database' },
    );
  }
  for (const step of MIGRATIONS) {
    if (applied.has(step.name)) continue;
    await step.up(db);
    await sql`insert into ${sql.table(MIGRATION_TABLE)} (name) values (${step.name})`.execute(db);
  }
}
