import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  Kysely,
  type KyselyPlugin,
  MysqlDialect,
  type PluginTransformQueryArgs,
  PostgresDialect,
  sql,
} from 'kysely';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Secret } from '../../src/base/secret.ts';
import { serverOf } from '../../src/stores/database.ts';
import { openMysqlStore } from '../../src/stores/mysql.ts';
import { openMysqlPool } from '../../src/stores/mysql-pool.ts';
import { openPostgresStore, type ServerStoreOptions } from '../../src/stores/postgres.ts';
import { openPostgresPool } from '../../src/stores/postgres-pool.ts';
import { CREDENTIAL_TABLE, MIGRATION_TABLE, type Tables } from '../../src/stores/schema.ts';
import { SERVER_TIMEOUTS } from '../../src/stores/server-timeouts.ts';
import { migrate } from '../../src/stores/sql/migrate.ts';
import { MIGRATIONS } from '../../src/stores/sql/migrations.ts';
import { mysqlDdl } from '../../src/stores/sql/mysql-ddl.ts';
import { postgresDdl } from '../../src/stores/sql/postgres-ddl.ts';
import { createSchemaEditor, type DdlDialect } from '../../src/stores/sql/schema-editor.ts';
import type { CredentialRow, Store } from '../../src/stores/store.ts';
import {
  describeOn,
  mysqlServer,
  postgresServer,
  type TestDatabase,
  type TestServer,
} from '../support/database-servers.ts';
import { seededRandom } from '../support/temporary.ts';

const execute = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../support/open-store.ts', import.meta.url));

const row: CredentialRow = {
  id: 'uni-id:weixin-mp:wx01:oABC:session-key',
  value: '{"session_key":"K"}',
  expiresAt: Date.parse('2026-03-01T06:00:00Z'),
  platform: 'weixin-mp',
  appid: 'wx01',
  kind: 'session-key',
  epoch: 1,
  issuedAt: undefined,
  renewAt: undefined,
  background: false,
  fingerprint: '0123456789abcdef',
  previous: undefined,
};

/** What differs between the servers, for a test that looks at tables from outside. */
interface Outside {
  readonly ddl: DdlDialect;
  connect(url: Secret): Kysely<Tables>;
  /** Columns and indexes of all tables. */
  readonly describe: string;
  /** Makes the table as a program of uniCloud's kind would have it, with a row. */
  readonly foreign: readonly string[];
  /** Makes a user who may use tables and not change them; and removes it. */
  limited(database: TestDatabase): Promise<{ readonly url: Secret; remove(): Promise<void> }>;
  readonly quote: (name: string) => string;
}

const ofPostgres: Outside = {
  ddl: postgresDdl,
  connect: url =>
    new Kysely({
      dialect: new PostgresDialect({
        pool: openPostgresPool(
          { ...serverOf('postgres', url), connections: 1 },
          silentLog,
          SERVER_TIMEOUTS,
          'schema',
        ),
      }),
    }),
  describe: `select table_name || '.' || column_name as a, data_type || coalesce(character_maximum_length::text, '') || is_nullable || coalesce(collation_name, '') || coalesce(column_default, '') as b from information_schema.columns where table_schema = current_schema() union all select tablename || '.' || indexname, regexp_replace(indexdef, 'open_bridge_test_[0-9a-f]+', '', 'g') from pg_indexes where schemaname = current_schema() order by 1, 2`,
  foreign: [
    `create table "opendb-open-data" (_id text primary key, value jsonb, expired numeric)`,
    `insert into "opendb-open-data" values ('uni-id:x', '{"access_token": "T"}', 1772000000000), ('forever', '{}', -1)`,
  ],
  async limited({ run, urlWith, database }) {
    const schema = new URL(database.url.reveal()).searchParams.get('options')?.replace('-c search_path=', '');
    const user = `${schema}_user`;
    await run(`create role ${user} login`);
    await run(`grant usage on schema ${schema} to ${user}`);
    await run(`grant select, insert, update, delete on all tables in schema ${schema} to ${user}`);
    return {
      url: urlWith(url => {
        url.username = user;
      }),
      remove: async () => void (await run(`drop owned by ${user}; drop role ${user}`)),
    };
  },
  quote: name => `"${name}"`,
};

const ofMysql: Outside = {
  ddl: mysqlDdl('utf8mb4_nopad_bin'),
  connect: url =>
    new Kysely({
      dialect: new MysqlDialect({
        pool: openMysqlPool(
          { ...serverOf('mysql', url), connections: 1 },
          systemClock,
          SERVER_TIMEOUTS,
          'schema',
        ),
      }),
    }),
  describe: `select concat(table_name, '.', column_name) as a, concat(column_type, is_nullable, coalesce(collation_name, ''), coalesce(column_default, ''), extra) as b from information_schema.columns where table_schema = database() union all select concat(table_name, '.', index_name, seq_in_index), concat(column_name, non_unique) from information_schema.statistics where table_schema = database() order by 1, 2`,
  foreign: [
    'create table `opendb-open-data` (_id varchar(255) primary key, value json, expired double) character set utf8mb4 collate utf8mb4_general_ci',
    `insert into \`opendb-open-data\` values ('uni-id:x', '{"access_token": "T"}', 1772000000000), ('forever', '{}', -1)`,
  ],
  async limited({ run, urlWith, database }) {
    const name = new URL(database.url.reveal()).pathname.slice(1);
    const user = `u${name.slice(-12)}`;
    await run(`create user ${user}@'%'`);
    await run(`grant select, insert, update, delete on ${name}.* to ${user}@'%'`);
    return {
      url: urlWith(url => {
        url.username = user;
        url.password = '';
      }),
      remove: async () => void (await run(`drop user ${user}@'%'`)),
    };
  },
  quote: name => `\`${name}\``,
};

/** Ends everything after so many statements, as the power does. */
function failAfter(statements: number): KyselyPlugin & { readonly left: () => number } {
  let left = statements;
  return {
    left: () => left,
    transformQuery({ node }: PluginTransformQueryArgs) {
      left -= 1;
      if (left < 0) throw new Error('the power is gone');
      return node;
    },
    transformResult: async ({ result }) => result,
  };
}

async function migrationsOn(server: TestServer, outside: Outside): Promise<void> {
  await describeOn(server, 'bringing the schema up to date', () => {
    let database: TestDatabase;

    beforeEach(async () => {
      database = await server.create();
      onTestFinished(() => database.drop());
    });

    async function open(change: Partial<ServerStoreOptions> = {}): Promise<Store> {
      const openServer = server.kind === 'postgres' ? openPostgresStore : openMysqlStore;
      const store = await openServer({
        url: database.database.url,
        clock: systemClock,
        random: seededRandom(),
        log: silentLog,
        migrate: true,
        ...change,
      });
      // The last opened is closed first, before the database is dropped.
      onTestFinished(() => store.close());
      return store;
    }

    async function connect(): Promise<Kysely<Tables>> {
      const db = outside.connect(database.database.url);
      onTestFinished(() => db.destroy());
      return db;
    }

    const names = MIGRATIONS.map(({ name }) => name);
    const steps = async () =>
      (await database.run(`select name from ${MIGRATION_TABLE} order by name`)).map(({ name }) => name);

    test('opening again changes nothing', async () => {
      const store = await open();
      const before = await database.run(outside.describe);
      await store.credentials.commit(row, 0);
      const again = await open();
      expect(await again.credentials.get(row.id)).toEqual(row);
      expect(await database.run(outside.describe)).toEqual(before);
      expect(await steps()).toEqual(names);
    });

    test('eight processes open an empty database at once, and agree on who got what', async () => {
      const url = database.database.url.reveal();
      const processes = await Promise.all(
        Array.from({ length: 8 }, (_, number) =>
          execute(process.execPath, [SCRIPT, url, 'race', `p${number}`]),
        ),
      );
      const results = processes.map(({ stdout }) => JSON.parse(stdout));
      expect(results.every(result => result.opened)).toBe(true);
      expect(results.reduce((sum, result) => sum + result.taken, 0)).toBe(20);
      expect(results.filter(result => result.lease)).toHaveLength(1);
      expect(new Set(results.map(result => result.setting)).size).toBe(1);
      expect(await steps()).toEqual(names);
    });

    test('eight connections open an empty database at once', async () => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      await Promise.all(stores.map(store => store.ping()));
      expect(await steps()).toEqual(names);
    });

    test('whatever the statement it is killed at, the next start completes it', async () => {
      const whole = await open();
      const wanted = await database.run(outside.describe);
      await whole.close();
      const db = await connect();
      for (let statements = 0; ; statements += 1) {
        await emptied();
        const power = failAfter(statements);
        const killed = await migrate(db.withPlugin(power), outside.ddl).then(
          () => false,
          () => true,
        );
        await migrate(db, outside.ddl);
        expect(await database.run(outside.describe)).toEqual(wanted);
        expect(await steps()).toEqual(names);
        if (!killed) break;
      }
    }, 120_000);

    async function emptied(): Promise<void> {
      const tables = await database.run(
        server.kind === 'postgres'
          ? 'select tablename as name from pg_tables where schemaname = current_schema()'
          : 'select table_name as name from information_schema.tables where table_schema = database()',
      );
      if (tables.length > 0)
        await database.run(`drop table ${tables.map(({ name }) => outside.quote(String(name))).join(', ')}`);
    }

    test.each(MIGRATIONS.map(({ name }, taken) => [name, taken + 1] as const))(
      'a database that ends with %s is brought up to date, with what is in it',
      async (_, taken) => {
        const db = await connect();
        const editor = createSchemaEditor(db, outside.ddl);
        await editor.createTable(MIGRATION_TABLE, [{ name: 'name', type: 'varchar(128)' }], ['name']);
        for (const { name, up } of MIGRATIONS.slice(0, taken)) {
          await up(editor);
          await sql`insert into ${sql.table(MIGRATION_TABLE)} (name) values (${name})`.execute(db);
        }
        await sql`insert into ${sql.table(CREDENTIAL_TABLE)} (_id, value, expired, epoch, platform, appid, kind, fingerprint) values (${row.id}, ${row.value}, ${row.expiresAt}, 1, 'weixin-mp', 'wx01', 'session-key', ${row.fingerprint})`.execute(
          db,
        );
        const store = await open();
        expect(await store.credentials.get(row.id)).toEqual(row);
        expect(await steps()).toEqual(names);
        const upgraded = await database.run(outside.describe);
        await store.close();
        await emptied();
        await open();
        expect(await database.run(outside.describe)).toEqual(upgraded);
      },
    );

    test('a table that uniCloud filled is kept, and gets our columns', async () => {
      for (const statement of outside.foreign) await database.run(statement);
      const store = await open();
      const foreign = await store.credentials.get('uni-id:x');
      expect(JSON.parse(foreign?.value ?? '')).toEqual({ access_token: 'T' });
      expect(foreign).toMatchObject({ expiresAt: 1_772_000_000_000, epoch: 0, background: false });
      expect((await store.credentials.get('forever'))?.expiresAt).toBe(Number.POSITIVE_INFINITY);
      expect(await store.credentials.get('UNI-ID:X')).toBeUndefined();
      expect(await store.credentials.commit({ ...row, id: 'uni-id:x', value: 'sealed:v1:x' }, 0)).toBe(true);
      expect((await store.credentials.get('uni-id:x'))?.value).toBe('sealed:v1:x');
      const has = await database.run(outside.describe);
      await store.close();
      await emptied();
      await open();
      expect(has).toEqual(await database.run(outside.describe));
    });

    test('one without a key gets one, so that no credential is there twice', async () => {
      const [create = '', insert = ''] = outside.foreign;
      await database.run(create.replace(' primary key', ' not null'));
      await database.run(insert);
      const store = await open();
      expect(await store.credentials.commit({ ...row, id: 'uni-id:x' }, 0)).toBe(true);
      expect(await store.credentials.commit({ ...row, id: 'new' }, 0)).toBe(true);
      expect(await store.credentials.commit({ ...row, id: 'new' }, 0)).toBe(false);
      expect(await store.credentials.scan(10)).toHaveLength(3);
    });

    test('a user who may not change tables works with a schema that is up to date', async () => {
      await open();
      const { url, remove } = await outside.limited(database);
      onTestFinished(remove);
      const store = await open({ url });
      await store.credentials.commit(row, 0);
      expect(await store.leases.acquire('l', 'h', 1000)).toBe(true);
      await store.calls.prune({ olderThan: 1, keepAtMost: 1, limit: 1 });
      await database.run(`delete from ${MIGRATION_TABLE} where name = '${names.at(-1)}'`);
      await expect(open({ url })).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        hint: expect.stringContaining('docs/storage.md'),
      });
    });

    test('whoever must not change the schema refuses one that is not up to date', async () => {
      const error = await open({ migrate: false }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect((error as Error).message).toContain(names[0]);
      expect(await database.run(outside.describe)).toEqual([]);
    });

    test('a database of a newer version is refused and left as it is', async () => {
      await (await open()).close();
      await database.run(`insert into ${MIGRATION_TABLE} (name) values ('9999-of-tomorrow')`);
      const before = await database.run(outside.describe);
      await expect(open()).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining('9999-of-tomorrow'),
        hint: expect.stringContaining('upgrade this program'),
      });
      expect(await database.run(outside.describe)).toEqual(before);
    });
  });
}

await migrationsOn(postgresServer, ofPostgres);
await migrationsOn(mysqlServer, ofMysql);
