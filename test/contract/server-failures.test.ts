import { Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { BridgeError } from '../../src/base/errors.ts';
import type { Secret } from '../../src/base/secret.ts';
import { serverOf } from '../../src/stores/database.ts';
import { openMysqlStore } from '../../src/stores/mysql.ts';
import { openMysqlPool } from '../../src/stores/mysql-pool.ts';
import { openPostgresStore, type ServerStoreOptions } from '../../src/stores/postgres.ts';
import { openPostgresPool } from '../../src/stores/postgres-pool.ts';
import type { CredentialRow, FailureRow, Store, UsageRow } from '../../src/stores/store.ts';
import { BARE_CALL, BARE_FAILURE } from '../support/bare-rows.ts';
import { everythingAbout, type KeptLog, keptLog } from '../support/canary.ts';
import {
  describeOn,
  mysqlServer,
  postgresServer,
  type TestDatabase,
  type TestServer,
} from '../support/database-servers.ts';
import { seededRandom } from '../support/temporary.ts';
import { openWire, type Wire } from '../support/wire.ts';

const TIMEOUTS = { connectMs: 400, statementMs: 1000, answerMs: 1500 };
/** What a caller may have to wait for an error, with some room for a busy machine. */
const QUICKLY_MS = 4000;
const CANARY = 'canary-password-of-the-database';

const row: CredentialRow = {
  id: 'uni-id:weixin-mp:wx01:access-token',
  value: '{"access_token":"T"}',
  expiresAt: Date.parse('2026-03-01T06:00:00Z'),
  platform: 'weixin-mp',
  appid: 'wx01',
  kind: 'access-token',
  epoch: 1,
  issuedAt: Date.parse('2026-03-01T04:00:00Z'),
  renewAt: Date.parse('2026-03-01T05:55:00Z'),
  background: true,
  fingerprint: '0123456789abcdef',
  previous: undefined,
};

const failure: FailureRow = { ...BARE_FAILURE, id: 'f' };

const sums: UsageRow = {
  day: '2026-03-01',
  caller: 'orders',
  appid: 'wx01',
  calls: 1,
  errors: 0,
  refused: 0,
  replayed: 0,
  requestBytes: 0,
  answerBytes: 0,
};

/** One call of each kind that the store knows. */
const METHODS: readonly ((store: Store) => Promise<unknown>)[] = [
  ({ credentials }) => credentials.get('a'),
  ({ credentials }) => credentials.commit(row, 0),
  ({ credentials }) => credentials.commit(row, 1),
  ({ credentials }) => credentials.due(1, 1),
  ({ credentials }) => credentials.reschedule('a', 1, { renewAt: 1, background: true }),
  ({ credentials }) => credentials.remove('a'),
  ({ credentials }) => credentials.findByFingerprint('a'),
  ({ credentials }) => credentials.scan(1),
  ({ credentials }) => credentials.merge([row]),
  ({ credentials }) => credentials.pruneExpired(1, 1),
  ({ leases }) => leases.acquire('l', 'h', 1000),
  ({ leases }) => leases.extend('l', 'h', 1000),
  ({ leases }) => leases.release('l', 'h'),
  ({ leases }) => leases.prune(1),
  ({ budgets }) => budgets.take({ subject: 's', window: 'w', limit: 1, spacingMs: 1 }),
  ({ budgets }) => budgets.usage('s', 'w'),
  ({ failures }) => failures.get('f'),
  ({ failures }) => failures.put(failure),
  ({ failures }) => failures.clear('f'),
  ({ settings }) => settings.get('s'),
  ({ settings }) => settings.put('s', 'v'),
  ({ settings }) => settings.putIfAbsent('s', 'v'),
  ({ ephemeral }) => ephemeral.get('e'),
  ({ ephemeral }) => ephemeral.putIfAbsent('e', 'v', 1000),
  ({ ephemeral }) => ephemeral.prune(1),
  ({ calls }) => calls.append([BARE_CALL]),
  ({ calls }) => calls.get(BARE_CALL.seqid),
  ({ calls }) => calls.list({ limit: 1 }),
  ({ calls }) => calls.prune({ olderThan: 1, keepAtMost: 1, limit: 1 }),
  ({ usage }) => usage.add([sums]),
  ({ usage }) => usage.list({ since: '2026-01-01' }),
  ({ usage }) => usage.prune('2026-01-01'),
  store => store.ping(),
];

async function refusalOf(work: Promise<unknown>): Promise<BridgeError> {
  const startedAt = performance.now();
  const error = await work.then(
    value => new Error(`no error, but ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BridgeError)) throw error;
  expect(error.code).toBe('STORE_UNAVAILABLE');
  expect(error.hint).toBeTruthy();
  expect(performance.now() - startedAt).toBeLessThan(QUICKLY_MS);
  return error;
}

function openOn(server: TestServer, url: Secret, change: Partial<ServerStoreOptions> = {}): Promise<Store> {
  const open = server.kind === 'postgres' ? openPostgresStore : openMysqlStore;
  const clock = systemClock;
  return open({
    url,
    clock,
    random: seededRandom(),
    log: keptLog(),
    migrate: true,
    timeouts: TIMEOUTS,
    ...change,
  });
}

/** What differs between the servers, for a test that breaks them. */
interface Breaking {
  /** The pool of a store, without the store. */
  connect(url: Secret): Kysely<unknown>;
  /** Ends all connections of the stores to this test's database. */
  kill(database: TestDatabase): Promise<void>;
  /** Keeps everybody from a table until it is called off. */
  lock(database: TestDatabase, table: string): Promise<() => Promise<void>>;
  /** Whether a statement waits for such a lock. */
  isWaiting(database: TestDatabase): Promise<boolean>;
  /** Lets every insert into the settings fail with a code of the server. */
  readonly failures: Readonly<Record<string, { readonly statements: string; readonly hint: RegExp }>>;
}

const onPostgres: Breaking = {
  connect: url =>
    new Kysely({
      dialect: new PostgresDialect({
        pool: openPostgresPool(serverOf('postgres', url), keptLog(), TIMEOUTS, 'statements'),
      }),
    }),
  async kill({ run, database }) {
    const name = new URL(database.url.reveal()).searchParams.get('options')?.replace('-c search_path=', '');
    await run(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'of ${name}' and pid <> pg_backend_pid()`,
    );
  },
  async lock({ database }, table) {
    const client = new Client({ connectionString: database.url.reveal() });
    await client.connect();
    await client.query(`begin; lock table ${table} in access exclusive mode`);
    return () => client.end();
  },
  async isWaiting({ run, database }) {
    const name = new URL(database.url.reveal()).searchParams.get('options')?.replace('-c search_path=', '');
    const rows = await run(
      `select 1 from pg_stat_activity where application_name = 'of ${name}' and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  },
  failures: Object.fromEntries(
    [
      ['disk full', '53100', /room on the disk/],
      ['read-only', '25006', /name the primary/],
      ['shutting down', '57P01', /tried again with the next call/],
    ].map(([name, code, hint]) => [
      name,
      {
        statements: `create function fail() returns trigger language plpgsql as $$ begin raise exception 'told to' using errcode = '${code}'; end $$; create trigger fail before insert on open_bridge_settings execute function fail()`,
        hint: hint as RegExp,
      },
    ]),
  ),
};

const onMysql: Breaking = {
  connect: url =>
    new Kysely({
      dialect: new MysqlDialect({
        pool: openMysqlPool(serverOf('mysql', url), systemClock, TIMEOUTS, 'statements'),
      }),
    }),
  async kill({ run, database }) {
    const name = new URL(database.url.reveal()).pathname.slice(1);
    const rows = await run(
      `select id from information_schema.processlist where db = '${name}' and id <> connection_id()`,
    );
    for (const { id } of rows) await run(`kill ${id}`).catch(() => {});
  },
  async lock({ database }, table) {
    const url = new URL(database.url.reveal());
    const name = url.pathname.slice(1);
    url.pathname = '/';
    // Without a database of its own `kill` passes it over.
    const connection = await createConnection({ uri: url.href });
    await connection.query(`lock tables ${name}.${table} write`);
    return async () => connection.destroy();
  },
  async isWaiting({ run, database }) {
    const name = new URL(database.url.reveal()).pathname.slice(1);
    const rows = await run(
      `select 1 from information_schema.processlist where db = '${name}' and state like 'Waiting%'`,
    );
    return rows.length > 0;
  },
  failures: Object.fromEntries(
    [
      ['disk full', 1114, /room on the disk/],
      ['read-only', 1290, /name the primary/],
      ['shutting down', 1053, /tried again with the next call/],
    ].map(([name, number, hint]) => [
      name,
      {
        statements: `create trigger fail before insert on open_bridge_settings for each row signal sqlstate 'HY000' set mysql_errno = ${number}, message_text = 'told to'`,
        hint: hint as RegExp,
      },
    ]),
  ),
};

async function failuresOn(
  server: TestServer,
  { connect, kill, lock, isWaiting, failures }: Breaking,
): Promise<void> {
  await describeOn(server, 'a database server that fails', () => {
    let database: TestDatabase;
    let wire: Wire;
    let log: KeptLog;
    let store: Store;

    /** The database through the wire, with a name for connections by which `kill` finds them. */
    const urlOf = (change: (url: URL) => void = () => {}): Secret =>
      database.urlWith(url => {
        url.hostname = '127.0.0.1';
        url.port = String(wire.port);
        const name = url.searchParams.get('options')?.replace('-c search_path=', '');
        if (name !== undefined) url.searchParams.set('application_name', `of ${name}`);
        change(url);
      });

    beforeEach(async () => {
      database = await server.create();
      const { hostname, port } = new URL(database.database.url.reveal());
      wire = await openWire({ host: hostname, port: Number(port) });
      log = keptLog();
      store = await openOn(server, urlOf(), { log });
      onTestFinished(async () => {
        await wire.mend();
        await store.close();
        await wire.close();
        await database.drop();
      });
    });

    test('while it is away every call fails quickly, and succeeds as soon as it is back', async () => {
      await wire.refuse();
      for (const method of METHODS)
        expect((await refusalOf(method(store))).hint).toContain('storage.database');
      await wire.mend();
      for (const method of METHODS) await method(store);
    });

    test('opening fails while it is away', async () => {
      await wire.refuse();
      expect((await refusalOf(openOn(server, urlOf()))).message).toContain('ECONNREFUSED');
    });

    test('a server that hangs is given up', async () => {
      await store.ping();
      wire.mute();
      const errors = await Promise.all(METHODS.slice(0, 4).map(method => refusalOf(method(store))));
      expect(errors.map(({ message }) => message).join()).toMatch(/time/i);
      // The connections stand, each with an answer that will never come: none of them may be used again.
      await wire.mend();
      await store.ping();
      await store.credentials.commit(row, 0);
    });

    test('connections that are killed while idle are replaced, and nothing else happens', async () => {
      await Promise.all(Array.from({ length: 8 }, () => store.ping()));
      await kill(database);
      // A question is asked again even if the news of the kill is still on its way.
      await Promise.all(Array.from({ length: 8 }, () => store.ping()));
      expect(await store.credentials.commit(row, 0)).toBe(true);
    });

    test('a connection that is killed at work fails that call alone', async () => {
      const release = await lock(database, 'open_bridge_settings');
      const waiting = store.settings.put('s', 'v').catch((error: unknown) => error);
      while (!(await isWaiting(database))) await systemClock.sleep(5);
      await kill(database);
      await release();
      const outcome = await waiting;
      expect(outcome).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await store.settings.put('s', 'w');
      expect(await store.settings.get('s')).toBe('w');
    });

    test('a commit whose answer is lost says so, and what stands is found by reading', async () => {
      const other = await openOn(server, database.database.url);
      onTestFinished(() => other.close());
      for (const epoch of [1, 2]) {
        await store.ping();
        wire.mute();
        const commit = store.credentials.commit({ ...row, epoch }, epoch - 1);
        const outcome = refusalOf(commit);
        while ((await other.credentials.get(row.id))?.epoch !== epoch) await systemClock.sleep(5);
        // From here on a new connection would do: only the writer must not simply write again.
        await wire.mend();
        wire.cut();
        await outcome;
        expect((await store.credentials.get(row.id))?.epoch).toBe(epoch);
        // Whoever tries again with what he knew loses, and whoever read again wins.
        expect(await store.credentials.commit({ ...row, epoch }, epoch - 1)).toBe(false);
      }
      expect(await store.credentials.commit({ ...row, epoch: 3 }, 2)).toBe(true);
    });

    test('a commit whose question is lost is not made', async () => {
      await store.ping();
      wire.cut();
      await store.credentials.commit(row, 0).catch(error => expect(error.code).toBe('STORE_UNAVAILABLE'));
      const made = (await store.credentials.get(row.id)) !== undefined;
      expect(await store.credentials.commit(row, 0)).toBe(!made);
    });

    test('a connection that breaks between two statements ends neither the process nor the pool', async () => {
      const db = connect(urlOf());
      onTestFinished(() => db.destroy());
      const broken = db.transaction().execute(async transaction => {
        await sql`select 1`.execute(transaction);
        const seen = wire.closed();
        wire.cut();
        await seen;
        await sql`select 1`.execute(transaction);
      });
      await expect(broken).rejects.toThrow();
      expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
    });

    test('who holds a lock for very long is named as the cause, and the server stops waiting', async () => {
      const release = await lock(database, 'open_bridge_settings');
      const error = await refusalOf(store.settings.put('s', 'v'));
      expect(error.hint).toMatch(/another session holds|hangs/);
      await release();
      await store.settings.put('s', 'w');
      expect(await store.settings.get('s')).toBe('w');
    });

    test('a pool whose connections are all busy is named as the cause', async () => {
      const narrow = await openOn(
        server,
        urlOf(url => url.searchParams.set('pool', '1')),
      );
      onTestFinished(() => narrow.close());
      const release = await lock(database, 'open_bridge_settings');
      const busy = refusalOf(narrow.settings.put('s', 'v'));
      const error = await refusalOf(narrow.credentials.get('a'));
      expect(error.hint).toContain('?pool=20');
      await busy;
      await release();
      await narrow.ping();
    });

    describe('with an error of its own', () => {
      test.each(Object.entries(failures))('%s', async (_, { statements, hint }) => {
        await database.run(statements);
        const error = await refusalOf(store.settings.put('s', 'v'));
        expect(error.message).toContain('told to');
        expect(error.hint).toMatch(hint);
        await database.run(
          server.kind === 'postgres' ? 'drop trigger fail on open_bridge_settings' : 'drop trigger fail',
        );
        await store.settings.put('s', 'v');
      });
    });

    test('a user or database that is not there is named, the password never', async () => {
      const found: BridgeError[] = [];
      for (const change of [
        (url: URL) => {
          url.username = 'nobody_of_the_tests';
          url.password = CANARY;
        },
        (url: URL) => {
          url.password = CANARY;
          url.pathname = '/no_such_database_of_the_tests';
        },
      ])
        found.push(await refusalOf(openOn(server, urlOf(change), { log })));
      await wire.refuse();
      found.push(
        await refusalOf(
          openOn(
            server,
            urlOf(url => {
              url.password = CANARY;
            }),
            { log },
          ),
        ),
      );
      expect(found[0]?.hint).toMatch(/user/);
      for (const error of found) expect(everythingAbout(error)).not.toContain(CANARY);
      expect(log.text()).not.toContain(CANARY);
    });

    test('a server without TLS is refused where TLS is asked for', async () => {
      const [name, value] = server.kind === 'postgres' ? ['sslmode', 'verify-full'] : ['ssl', 'true'];
      const url = urlOf(each => {
        each.hostname = 'localhost';
        each.searchParams.set(name, value);
      });
      const error = await refusalOf(openOn(server, url));
      expect(error.message).toMatch(/SSL|secure connection/);
      expect(error.hint).toContain('TLS');
    });

    test('an error shows no value that was to be stored', async () => {
      await database.run(failures['disk full']?.statements ?? '');
      const error = await refusalOf(store.settings.put('s', CANARY));
      expect(everythingAbout(error)).not.toContain(CANARY);
    });

    test('closing does not wait for a server that hangs', async () => {
      const other = await openOn(server, urlOf());
      await other.ping();
      wire.mute();
      const startedAt = performance.now();
      await other.close();
      expect(performance.now() - startedAt).toBeLessThan(QUICKLY_MS);
      wire.cut();
    });
  });
}

await failuresOn(postgresServer, onPostgres);
await failuresOn(mysqlServer, onMysql);
