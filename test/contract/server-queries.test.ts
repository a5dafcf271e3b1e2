import { type CompiledQuery, Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { serverOf } from '../../src/stores/database.ts';
import { openMysqlStore } from '../../src/stores/mysql.ts';
import { openMysqlPool } from '../../src/stores/mysql-pool.ts';
import { openPostgresStore } from '../../src/stores/postgres.ts';
import { openPostgresPool } from '../../src/stores/postgres-pool.ts';
import type { Tables } from '../../src/stores/schema.ts';
import { SERVER_TIMEOUTS } from '../../src/stores/server-timeouts.ts';
import type { SqlDialect } from '../../src/stores/sql/dialect.ts';
import { mysqlDialect } from '../../src/stores/sql/mysql-dialect.ts';
import { postgresDialect } from '../../src/stores/sql/postgres-dialect.ts';
import { createSqlStore } from '../../src/stores/sql-store.ts';
import type { CallRow, Store } from '../../src/stores/store.ts';
import { BARE_CALL, BARE_CREDENTIAL, BARE_FAILURE } from '../support/bare-rows.ts';
import {
  describeOn,
  mysqlServer,
  postgresServer,
  type TestDatabase,
  type TestServer,
} from '../support/database-servers.ts';
import { manualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/temporary.ts';

const ROWS = 4000;

const row = BARE_CREDENTIAL;

const failure = BARE_FAILURE;

/** What must find its rows by an index, and look at few others. */
const DIRECT: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  get: ({ credentials }) => credentials.get('a'),
  commit: ({ credentials }) => credentials.commit(row, 1),
  due: ({ credentials }) => credentials.due(5, 5),
  'the next page of what is due': ({ credentials }) => credentials.due(50, 5, { renewAt: 40, id: 'a' }),
  reschedule: ({ credentials }) => credentials.reschedule('a', 1, { renewAt: 1, background: true }),
  remove: ({ credentials }) => credentials.remove('a'),
  'look-up by fingerprint': ({ credentials }) => credentials.findByFingerprint('0000000000000007'),
  'a page of a scan': ({ credentials }) => credentials.scan(5, 'row-3990'),
  'pruning credentials': ({ credentials }) => credentials.pruneExpired(5, 5),
  'prolonging a lease': ({ leases }) => leases.extend('a', 'h', 5),
  'a lease': ({ leases }) => leases.acquire('a', 'h', 5),
  'releasing a lease': ({ leases }) => leases.release('a', 'h'),
  'a failure': ({ failures }) => failures.get('a'),
  'a setting': ({ settings }) => settings.get('a'),
  remembering: ({ ephemeral }) => ephemeral.putIfAbsent('a', 'b', 5),
  'what is remembered': ({ ephemeral }) => ephemeral.get('a'),
  forgetting: ({ ephemeral }) => ephemeral.prune(5),
  'a call': ({ calls }) => calls.get(seqidOf(7)),
  'calls after a page': ({ calls }) => calls.list({ limit: 5, cursor: seqidOf(9) }),
};

/** What differs between the servers. */
interface Planner {
  readonly dialect: SqlDialect;
  connect(database: TestDatabase, log: (query: CompiledQuery) => void): Kysely<Tables>;
  readonly analyze: string;
  /** What is wrong with the plan of a query. */
  faults(rows: readonly Record<string, unknown>[]): readonly unknown[];
}

const onPostgres: Planner = {
  dialect: postgresDialect,
  connect: ({ database }, log) =>
    new Kysely({
      log: event => log(event.query),
      dialect: new PostgresDialect({
        pool: openPostgresPool(serverOf('postgres', database.url), silentLog, SERVER_TIMEOUTS, 'statements'),
      }),
    }),
  analyze: 'analyze',
  faults(rows) {
    const plan = rows.map(line => String(line['QUERY PLAN']));
    const byIndex = plan.filter(line => /Index (Only )?Scan/.test(line)).length;
    const bounded = plan.filter(line => /Index Cond:/.test(line)).length;
    return plan.some(line => line.includes('Seq Scan')) || byIndex !== bounded || byIndex === 0 ? plan : [];
  },
};

const onMysql: Planner = {
  dialect: mysqlDialect,
  connect: ({ database }, log) =>
    new Kysely({
      log: event => log(event.query),
      dialect: new MysqlDialect({
        pool: openMysqlPool(serverOf('mysql', database.url), systemClock, SERVER_TIMEOUTS, 'statements'),
      }),
    }),
  analyze:
    'analyze table `opendb-open-data`, open_bridge_call_batches, open_bridge_ephemeral, open_bridge_leases, open_bridge_failures, open_bridge_settings',
  // No key and no type: the server found out from the index that there is no such row.
  faults: rows =>
    rows.filter(
      ({ type, rows: looked, key }) =>
        (key !== null || type !== null) &&
        (type === 'ALL' || type === 'index' || key === null || Number(looked) > ROWS / 4),
    ),
};

/** Each call began a second after the one before. */
const seqidOf = (number: number): string =>
  `${(0x69a3b9c0 + number).toString(16)}-${String(number).padStart(16, '0')}`;

function callOf(number: number): CallRow {
  return { ...BARE_CALL, seqid: seqidOf(number), startedAt: number, rid: `r${number}` };
}

async function fill(store: Store): Promise<void> {
  const numbers = Array.from({ length: ROWS }, (_, n) => n);
  const digits = (n: number) => String(n).padStart(16, '0');
  for (let at = 0; at < ROWS; at += 500) {
    const chunk = numbers.slice(at, at + 500);
    await store.credentials.merge(
      chunk.map(n => ({
        ...row,
        id: `row-${n}`,
        expiresAt: n,
        background: n % 2 === 0,
        renewAt: n,
        fingerprint: digits(n),
        previous: { value: '{}', fingerprint: digits(n + ROWS), expiresAt: 1 },
      })),
    );
    await Promise.all(chunk.map(n => store.calls.append([callOf(n)])));
    await Promise.all(chunk.map(n => store.ephemeral.putIfAbsent(`e${n}`, 'v', 60_000 + n)));
    await Promise.all(chunk.map(n => store.leases.acquire(`l${n}`, 'h', 60_000 + n)));
    await Promise.all(chunk.map(n => store.settings.put(`s${n}`, 'v')));
    await Promise.all(chunk.map(n => store.failures.put({ ...failure, id: `f${n}` })));
  }
}

async function queriesOn(server: TestServer, planner: Planner): Promise<void> {
  await describeOn(server, 'queries', () => {
    let database: TestDatabase;

    beforeEach(async () => {
      database = await server.create();
      onTestFinished(() => database.drop());
    });

    async function open(clock = systemClock): Promise<Store> {
      const openServer = server.kind === 'postgres' ? openPostgresStore : openMysqlStore;
      const store = await openServer({
        url: database.database.url,
        clock,
        random: seededRandom(),
        log: silentLog,
        migrate: true,
      });
      onTestFinished(() => store.close());
      return store;
    }

    test('each that is made often finds its rows by an index', async () => {
      await fill(await open());
      await database.run(planner.analyze);
      let made: CompiledQuery[] = [];
      const db = planner.connect(database, query => made.push(query));
      onTestFinished(() => db.destroy());
      const run = <T>(statement: () => Promise<T>): Promise<T> => statement();
      const { dialect } = planner;
      const store = createSqlStore({
        db,
        dialect,
        log: silentLog,
        now: () => dialect.time ?? dialect.timeOf(0),
        run,
        read: run,
        async batch(statement, [parameters = []]) {
          made.push({ ...statement, parameters });
          return 0;
        },
      });
      const faults: Record<string, readonly unknown[]> = {};
      for (const [name, work] of Object.entries(DIRECT)) {
        made = [];
        await work(store);
        const queries = made.filter(({ sql }) => !sql.startsWith('insert'));
        expect(queries.length, name).toBeGreaterThan(0);
        for (const query of queries) {
          const { rows } = await db.executeQuery({ ...query, sql: `explain ${query.sql}` });
          const found = planner.faults(rows as Record<string, unknown>[]);
          if (found.length > 0) faults[`${name}: ${query.sql}`] = found;
        }
      }
      expect(faults).toEqual({});
    }, 60_000);

    test('leases are decided by the time of the database, whatever the clocks of the nodes say', async () => {
      const slow = await open(manualClock(0));
      const fast = await open(manualClock(Date.parse('2099-01-01T00:00:00Z')));
      const before = Date.now();
      expect(await slow.leases.acquire('l', 'slow', 60_000)).toBe(true);
      expect(await fast.leases.acquire('l', 'fast', 60_000)).toBe(false);
      expect(await slow.leases.extend('l', 'slow', 30_000)).toBe(true);
      const [lease] = await database.run('select expires_at from open_bridge_leases');
      // Both run on one machine here; a minute allows for a slow one, and shows every mistake of a time zone.
      expect(Math.abs(Number(lease?.['expires_at']) - before - 30_000)).toBeLessThan(60_000);
      await database.run('update open_bridge_leases set expires_at = expires_at - 60000 - 30000');
      expect(await slow.leases.extend('l', 'slow', 60_000)).toBe(false);
      expect(await fast.leases.acquire('l', 'fast', 60_000)).toBe(true);
    });

    test('budgets and what is remembered are decided by it too', async () => {
      const slow = await open(manualClock(0));
      const fast = await open(manualClock(Date.parse('2099-01-01T00:00:00Z')));
      const use = { subject: 's', window: 'w', limit: 5, spacingMs: 600_000 };
      expect(await slow.budgets.take(use)).toBe(true);
      expect(await fast.budgets.take(use)).toBe(false);
      await database.run('update open_bridge_budgets set last_at = last_at - 600000');
      expect(await fast.budgets.take(use)).toBe(true);
      expect(await slow.ephemeral.putIfAbsent('e', 'v', 600_000)).toBe(true);
      expect(await fast.ephemeral.putIfAbsent('e', 'w', 600_000)).toBe(false);
      expect(await fast.ephemeral.get('e')).toBe('v');
      expect(await fast.ephemeral.prune(5)).toBe(0);
      await database.run('update open_bridge_ephemeral set expires_at = expires_at - 600000');
      expect(await slow.ephemeral.get('e')).toBeUndefined();
      expect(await slow.ephemeral.prune(5)).toBe(1);
    });

    test('a text that is too long is refused and never cut', async () => {
      const store = await open();
      const long = { ...row, id: 'x'.repeat(600) };
      await expect(store.credentials.commit(long, 0)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(store.credentials.merge([row, long])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(await store.credentials.scan(5)).toEqual([]);
    });

    test('of a batch that fails nothing is kept', async () => {
      const store = await open();
      const calls = Array.from({ length: 100 }, (_, n) => callOf(n));
      const spoilt = { ...callOf(100), seqid: seqidOf(100).padEnd(100, 'x') };
      await expect(store.calls.append([...calls, spoilt])).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
      });
      expect((await store.calls.list({ limit: 5 })).rows).toEqual([]);
      await store.calls.append(calls);
      expect((await store.calls.list({ limit: 200 })).rows).toHaveLength(100);
    });

    test('nodes that write the same sums in another order do not stop each other', async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => open()));
      const sums = Array.from({ length: 40 }, (_, n) => ({
        day: '2026-03-01',
        caller: `caller-${n}`,
        appid: undefined,
        calls: 1,
        errors: 0,
        refused: 0,
        replayed: 0,
        requestBytes: 0,
        answerBytes: 0,
      }));
      const reversed = <T>(list: T[], turn: number): T[] => (turn % 2 === 0 ? list : list.toReversed());
      await Promise.all(
        Array.from({ length: 40 }, async (_, turn) => {
          const store = stores[turn % stores.length];
          await Promise.all([
            store?.usage.add(reversed(sums, turn)),
            store?.calls.append([callOf(turn * 2), callOf(turn * 2 + 1)]),
          ]);
        }),
      );
      const [store] = stores;
      expect((await store?.usage.list({ since: '2026-03-01' }))?.map(sum => sum.calls)).toEqual(
        Array(40).fill(40),
      );
      expect((await store?.calls.list({ limit: 100 }))?.rows).toHaveLength(80);
    });
  });
}

await queriesOn(postgresServer, onPostgres);
await queriesOn(mysqlServer, onMysql);
