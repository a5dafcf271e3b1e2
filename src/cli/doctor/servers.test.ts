import { beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  describeOn,
  mysqlServer,
  postgresServer,
  type TestDatabase,
  type TestServer,
} from '../../../test/support/database-servers.ts';
import { seededRandom } from '../../../test/support/temporary.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { Secret } from '../../base/secret.ts';
import { openStore } from '../../stores/open-store.ts';
import { createSealer, newSealKey, sealKeyId, sealStore } from '../../stores/sealing.ts';
import { requireSealKeys } from '../../stores/sealing-keys.ts';
import { MIGRATIONS } from '../../stores/sql/migrations.ts';
import type { CredentialRow } from '../../stores/store.ts';
import { type Findings, startPatient } from './doctor.fixture.ts';

const PASSWORD = 'canary-database-password';
const KEY = newSealKey();
const OTHER_KEY = newSealKey();
const LAST_STEP = MIGRATIONS.at(-1)?.name ?? '';

const rowOf = (id: string): CredentialRow => ({
  id,
  value: '{"access_token":"canary-token-on-the-server"}',
  expiresAt: Date.now() + 3_600_000,
  platform: 'weixin-mp',
  appid: 'wx00000000000000a1',
  kind: 'access-token',
  epoch: 1,
  issuedAt: Date.now(),
  renewAt: undefined,
  background: false,
  fingerprint: undefined,
  previous: undefined,
});

/** What differs between the servers. */
interface Outside {
  /** Makes a user with rights on what they are given for, and none on the rest. */
  limited(database: TestDatabase, verbs: string): Promise<{ readonly url: Secret; readonly user: string }>;
  /** Takes a right away from the user. */
  revoke(database: TestDatabase, user: string, verb: string, table: string): Promise<unknown>;
  /** What mends it, as doctor says it. */
  grant(verb: string, table: string): RegExp;
  readonly schemaGrant: RegExp;
}

const nameOf = ({ database }: TestDatabase): string => {
  const url = new URL(database.url.reveal());
  return url.searchParams.get('options')?.replace('-c search_path=', '') ?? url.pathname.slice(1);
};

const ofPostgres: Outside = {
  async limited(database, verbs) {
    const schema = nameOf(database);
    const user = `${schema}_user`;
    await database.run(`create role ${user} login password '${PASSWORD}'`);
    onTestFinished(async () => void (await database.run(`drop owned by ${user}; drop role ${user}`)));
    await database.run(`grant usage on schema ${schema} to ${user}`);
    await database.run(`grant ${verbs} on all tables in schema ${schema} to ${user}`);
    return { user, url: withUser(database, user) };
  },
  revoke: ({ run }, user, verb, table) => run(`revoke ${verb} on "${table}" from ${user}`),
  grant: (verb, table) => new RegExp(`^grant ${verb} on "?${table}"? to \\w+$`, 'm'),
  schemaGrant: /^grant create on schema \w+ to \w+$/m,
};

const ofMysql: Outside = {
  async limited(database, verbs) {
    const name = nameOf(database);
    const user = `u${name.slice(-12)}`;
    await database.run(`create user ${user}@'%' identified by '${PASSWORD}'`);
    onTestFinished(async () => void (await database.run(`drop user ${user}@'%'`)));
    const tables = await database.run(
      `select table_name as t from information_schema.tables where table_schema = '${name}'`,
    );
    if (tables.length === 0) await database.run(`grant ${verbs} on ${name}.* to ${user}@'%'`);
    for (const { t } of tables) await database.run(`grant ${verbs} on ${name}.\`${t}\` to ${user}@'%'`);
    return { user, url: withUser(database, user) };
  },
  revoke: ({ run }, user, verb, table) => run(`revoke ${verb} on \`${table}\` from ${user}@'%'`),
  grant: (verb, table) => new RegExp(`^grant ${verb} on \`\\w+\`\\.\`${table}\` to '\\w+'@'%'$`, 'm'),
  schemaGrant: /^grant create, alter, index on `\w+`\.\* to '\w+'@'%'$/m,
};

const withUser = (database: TestDatabase, user: string): Secret =>
  database.urlWith(url => {
    url.username = user;
    url.password = PASSWORD;
  });

async function doctorOn(server: TestServer, outside: Outside): Promise<void> {
  await describeOn(server, 'doctor on a database server', () => {
    let database: TestDatabase;
    beforeEach(async () => {
      const created = await server.create();
      database = created;
      onTestFinished(() => created.drop());
    });

    /** Brings the schema up to date and stores rows as a bridge with these keys does. */
    async function prepare(keys: readonly string[], ids: readonly string[]): Promise<void> {
      const secrets = keys.map(key => new Secret(key));
      const store = await openStore({
        database: database.database,
        clock: systemClock,
        random: seededRandom(),
        log: silentLog,
      });
      try {
        await requireSealKeys(secrets.map(sealKeyId), { store, now: Date.now, log: silentLog });
        const sealed = sealStore(store, createSealer(secrets));
        for (const id of ids) await sealed.credentials.commit(rowOf(id), 0);
      } finally {
        await store.close();
      }
    }

    async function examine(url = database.database.url, sealKey: unknown = KEY): Promise<Findings> {
      const patient = await startPatient({ storage: { database: url.reveal(), sealKey } });
      const found = await patient.examine({ offline: true });
      expect(JSON.stringify(found.all)).not.toContain('canary');
      expect(found.text).not.toContain('the check itself failed');
      return found;
    }

    test('of a server that is empty, up to date, older and newer', async () => {
      const tables = (): Promise<readonly unknown[]> =>
        database.run(
          `select table_name from information_schema.tables where table_schema = '${nameOf(database)}'`,
        );
      const empty = await examine();
      expect(empty.of('database')).toMatchObject({
        status: 'ok',
        found: expect.stringContaining('the first start makes them'),
      });
      expect(empty.of('seal key')).toMatchObject({ status: 'ok' });
      expect(await tables()).toEqual([]);

      await prepare([KEY], ['uni-id:weixin-mp:wx01:access-token']);
      const well = await examine();
      expect(well.of('database')).toMatchObject({
        status: 'ok',
        found: expect.stringMatching(/is up to date, and takes every statement/),
      });
      expect(well.of('seal key')).toMatchObject({
        status: 'ok',
        found: expect.stringMatching(/^opens all \d+ rows \(values by key: [0-9a-f]{8}: 1\)$/),
      });
      expect(well.of('clock')).toMatchObject({ status: 'skipped' });

      await database.run(`delete from open_bridge_migrations where name = '${LAST_STEP}'`);
      const older = await examine();
      expect(older.of('database')).toMatchObject({
        status: 'warn',
        found: expect.stringContaining(`the next start brings it up to date (${LAST_STEP})`),
      });
      expect(older.of('seal key')).toMatchObject({ status: 'ok' });
      expect(await database.run('select name from open_bridge_migrations')).toHaveLength(
        MIGRATIONS.length - 1,
      );

      await database.run(`insert into open_bridge_migrations (name) values ('9999-of-tomorrow')`);
      expect((await examine()).of('database')).toMatchObject({
        status: 'fail',
        found: expect.stringContaining('9999-of-tomorrow'),
        advice: expect.stringContaining('upgrade this program'),
      });
    });

    test('names the key that is missing and the rows that need it', async () => {
      await prepare([KEY], ['uni-id:weixin-mp:wx01:access-token']);
      await prepare([OTHER_KEY, KEY], ['uni-id:weixin-mp:wx02:access-token']);
      const found = (await examine()).of('seal key');
      expect(found).toMatchObject({ status: 'fail' });
      const id = sealKeyId(new Secret(OTHER_KEY));
      expect(found?.found).toContain(`${id} (1 value, such as uni-id:weixin-mp:wx02:access-token)`);
      expect(found?.advice).toContain('Add the missing key to storage.sealKey');
      expect((await examine(undefined, [OTHER_KEY, KEY])).of('seal key')).toMatchObject({
        status: 'ok',
        found: expect.stringContaining(`${id}: 1, ${sealKeyId(new Secret(KEY))}: 1`),
      });
    });

    test('tells damage from a wrong key', async () => {
      await prepare([KEY], ['uni-id:weixin-mp:wx01:access-token']);
      await database.run(
        `update ${server.kind === 'mysql' ? '`opendb-open-data`' : '"opendb-open-data"'} set _id = 'moved'`,
      );
      expect((await examine()).of('seal key')).toMatchObject({
        status: 'fail',
        found: expect.stringMatching(/do not open with their key .* such as moved/),
      });
    });

    test('says which statements are refused, and which grants mend it', async () => {
      await prepare([KEY], ['uni-id:weixin-mp:wx01:access-token']);
      const { url, user } = await outside.limited(database, 'select, insert, update, delete');
      expect((await examine(url)).of('database')).toMatchObject({ status: 'ok' });
      await outside.revoke(database, user, 'delete', 'open_bridge_leases');
      await outside.revoke(database, user, 'insert', 'opendb-open-data');
      const before = await database.run('select * from open_bridge_leases');
      const refused = (await examine(url)).of('database');
      expect(refused).toMatchObject({
        status: 'fail',
        found: expect.stringContaining('delete on open_bridge_leases'),
        advice: expect.stringMatching(outside.grant('delete', 'open_bridge_leases')),
      });
      expect(refused?.found).toContain('insert on opendb-open-data');
      expect(refused?.advice).toMatch(outside.grant('insert', 'opendb-open-data'));
      expect(await database.run('select * from open_bridge_leases')).toEqual(before);
      // The steps are not readable either: nothing is claimed of the version then.
      await outside.revoke(database, user, 'select', 'open_bridge_migrations');
      const blind = await examine(url);
      expect(blind.of('database')?.found).toContain('select on open_bridge_migrations');
      expect(blind.text).not.toContain('older version');
      for (const grant of blind.of('database')?.advice?.split('\n').slice(1) ?? []) await database.run(grant);
      expect((await examine(url)).of('database')).toMatchObject({ status: 'ok' });
    });

    test('says when the next start must change tables and the user may not', async () => {
      await prepare([KEY], []);
      const { url } = await outside.limited(database, 'select, insert, update, delete');
      await database.run(`delete from open_bridge_migrations where name = '${LAST_STEP}'`);
      expect((await examine(url)).of('database')).toMatchObject({
        status: 'fail',
        found: expect.stringContaining(`lacks ${LAST_STEP}, and its user may not make them`),
        advice: expect.stringMatching(outside.schemaGrant),
      });
      expect((await examine()).of('database')).toMatchObject({ status: 'warn' });
    });

    test('has words for a wrong password and a server that is not there', async () => {
      const { url } = await outside.limited(database, 'select');
      const wrong = new URL(url.reveal());
      wrong.password = 'canary-wrong-password';
      // A PostgreSQL server may trust whoever comes from its own machine; then any password does.
      if (server.kind === 'mysql')
        expect((await examine(new Secret(wrong.href))).of('database')).toMatchObject({
          status: 'fail',
          advice: expect.stringContaining('user and password'),
        });
      wrong.port = '1';
      const away = await examine(new Secret(wrong.href));
      expect(away.of('database')).toMatchObject({
        status: 'fail',
        advice: expect.stringContaining('check that the server runs'),
      });
      expect(away.of('seal key')).toMatchObject({
        status: 'skipped',
        found: expect.stringContaining('cannot be read'),
      });
    });
  });
}

await doctorOn(postgresServer, ofPostgres);
await doctorOn(mysqlServer, ofMysql);
