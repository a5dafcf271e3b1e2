import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { foreignRow } from './foreign-row.ts';
import { sampleSeals } from './seal-sample.ts';
import { createSealer, newSealKey, sealStore } from './sealing.ts';
import { MIGRATIONS } from './sql/migrations.ts';
import { openSqliteStore } from './sqlite.ts';
import type { CredentialRow, Store, UsageRow } from './store.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../../test/support/open-store.ts', import.meta.url));

async function opened(path: string, clock: Clock = systemClock): Promise<Store> {
  const store = await openSqliteStore({ path, clock, random: seededRandom() });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

function databaseFile(): string {
  return join(temporaryFolder(), 'data', 'bridge.db');
}

/** A second connection that keeps none of our rules, as another program's would. */
function rawConnection(path: string): DatabaseSync {
  const raw = new DatabaseSync(path);
  onTestFinished(() => {
    if (raw.isOpen) raw.close();
  });
  return raw;
}

async function refusalOf(work: Promise<unknown>): Promise<BridgeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BridgeError)) throw new Error(`expected a BridgeError, got ${String(error)}`);
  return error;
}

const row: CredentialRow = {
  id: 'uni-id:weixin-mp:wx01:access-token',
  value: '{"access_token":"canary-token-current"}',
  expiresAt: Date.parse('2026-03-01T06:00:00Z'),
  platform: 'weixin-mp',
  appid: 'wx01',
  kind: 'access-token',
  epoch: 1,
  issuedAt: Date.parse('2026-03-01T04:00:00Z'),
  renewAt: Date.parse('2026-03-01T05:55:00Z'),
  background: true,
  fingerprint: '0123456789abcdef',
  previous: {
    value: '{"access_token":"canary-token-previous"}',
    fingerprint: 'fedcba9876543210',
    expiresAt: Date.parse('2026-03-01T04:05:00Z'),
  },
};

const usage: UsageRow = {
  ...{ day: '2026-03-01', caller: 'orders', appid: 'wx01', calls: 1, errors: 0, refused: 0, replayed: 0 },
  ...{ requestBytes: 0, answerBytes: 0 },
};

test('the folder is made, for its owner alone', async () => {
  const path = databaseFile();
  await opened(path);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test('what a process wrote is there although it was killed without closing', async () => {
  const path = databaseFile();
  const killed = run(process.execPath, [SCRIPT, path, 'crash', 'p1']);
  await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' });
  expect(rawConnection(path).prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' });
  expect(await (await opened(path)).settings.get('kept')).toBe('p1');
});

test('rows that uniCloud wrote are read, passed over by renewal, and replaced', async () => {
  const path = databaseFile();
  await opened(path);
  const raw = rawConnection(path);
  const insert = raw.prepare('insert into "opendb-open-data" (_id, value, expired) values (?, ?, ?)');
  insert.run(row.id, '{"access_token":"T"}', 1_772_000_000_000);
  insert.run('uni-id:weixin-mp:wx01:oABC:session-key', '{"session_key":"K"}', -1);
  insert.run('uni-id:__UNI__X:weixin-mp:code:0a1:secure-network-cache', '{"openid":"o"}', 1_772_000_000_000);
  const store = await opened(path);
  const expected = foreignRow(row.id, '{"access_token":"T"}', 1_772_000_000_000);
  expect(await store.credentials.get(row.id)).toEqual(expected);
  expect((await store.credentials.get('uni-id:weixin-mp:wx01:oABC:session-key'))?.expiresAt).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(await store.credentials.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  expect(await store.credentials.commit(row, 1)).toBe(false);
  expect(await store.credentials.commit(row, 0)).toBe(true);
  expect(raw.prepare('select count(*) as n from "opendb-open-data"').get()).toEqual({ n: 3 });
});

test('a table that uniCloud filled is kept, and gets our columns', async () => {
  for (const key of ['_id text primary key', '_id text']) {
    const path = databaseFile();
    mkdirSync(dirname(path), { recursive: true });
    const raw = rawConnection(path);
    raw.exec(`create table "opendb-open-data" (${key}, value text, expired integer)`);
    raw.exec(`insert into "opendb-open-data" values ('${row.id}', '{"access_token":"T"}', 1772000000000)`);
    const store = await opened(path);
    expect(await store.credentials.get(row.id)).toMatchObject({ value: '{"access_token":"T"}', epoch: 0 });
    expect(await store.credentials.commit(row, 0)).toBe(true);
    expect(await store.credentials.commit({ ...row, id: 'new' }, 0)).toBe(true);
    expect(await store.credentials.commit({ ...row, id: 'new' }, 0)).toBe(false);
    expect(await store.credentials.get(row.id)).toEqual(row);
    expect(await store.credentials.scan(5)).toHaveLength(2);
  }
});

test('what we write has the shape that uniCloud reads', async () => {
  const path = databaseFile();
  const store = await opened(path);
  await store.credentials.commit(row, 0);
  await store.credentials.commit({ ...row, id: 'forever', expiresAt: Number.POSITIVE_INFINITY }, 0);
  const raw = rawConnection(path);
  expect(raw.prepare('select _id, value, expired from "opendb-open-data" order by _id').all()).toEqual([
    { _id: 'forever', value: row.value, expired: -1 },
    { _id: row.id, value: row.value, expired: row.expiresAt },
  ]);
});

test('opening again changes nothing', async () => {
  const path = databaseFile();
  const store = await opened(path);
  await store.credentials.commit(row, 0);
  await store.close();
  const again = await opened(path);
  expect(await again.credentials.get(row.id)).toEqual(row);
  const raw = rawConnection(path);
  expect(raw.prepare('select name from open_bridge_migrations').all()).toEqual(
    MIGRATIONS.map(({ name }) => ({ name })),
  );
});

test('eight processes open a new file at once, and agree on who got what', async () => {
  const path = databaseFile();
  const processes = await Promise.all(
    Array.from({ length: 8 }, (_, number) => run(process.execPath, [SCRIPT, path, 'race', `p${number}`])),
  );
  const results = processes.map(({ stdout }) => JSON.parse(stdout));
  expect(results.every(result => result.opened)).toBe(true);
  expect(results.reduce((sum, result) => sum + result.taken, 0)).toBe(20);
  expect(results.filter(result => result.lease)).toHaveLength(1);
  expect(new Set(results.map(result => result.setting)).size).toBe(1);
});

test('a database of a newer version is refused and left as it is', async () => {
  const path = databaseFile();
  const store = await opened(path);
  await store.close();
  const raw = rawConnection(path);
  raw.exec("insert into open_bridge_migrations (name) values ('9999-of-tomorrow')");
  raw.close();
  const before = readFileSync(path);
  const error = await refusalOf(openSqliteStore({ path, clock: systemClock, random: () => 0.5 }));
  expect(error.code).toBe('STORE_UNAVAILABLE');
  expect(error.message).toContain('newer version');
  expect(error.message).toContain('9999-of-tomorrow');
  expect(error.hint).toContain('upgrade this program');
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('a file that is no database is refused and left as it is', async () => {
  const path = databaseFile();
  mkdirSync(dirname(path), { recursive: true });
  const text = 'this is a text file, not a database. '.repeat(500);
  writeFileSync(path, text);
  const error = await refusalOf(openSqliteStore({ path, clock: systemClock, random: () => 0.5 }));
  expect(error.code).toBe('STORE_UNAVAILABLE');
  expect(error.message).toContain('not a database');
  expect(error.hint).toContain('storage.database');
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a path that cannot be written is refused at once', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  const random = (): number => 0.5;
  for (const path of [join(folder, 'file', 'bridge.db'), folder]) {
    const clock = manualClock();
    const error = await refusalOf(openSqliteStore({ path, clock, random }));
    expect(error.code).toBe('STORE_UNAVAILABLE');
    expect(error.hint).toContain('storage.database');
    expect(clock.sleepers()).toBe(0);
  }
});

test('a file damaged while it is open fails with STORE_UNAVAILABLE', async () => {
  const path = databaseFile();
  const store = await opened(path);
  const raw = rawConnection(path);
  raw.exec('drop table open_bridge_settings');
  const error = await refusalOf(store.settings.get('a'));
  expect(error.code).toBe('STORE_UNAVAILABLE');
  expect(error.message).toContain('open_bridge_settings');
});

test('a write waits for the write transaction of another, then succeeds', async () => {
  const path = databaseFile();
  const clock = manualClock();
  const store = await opened(path, clock);
  const raw = rawConnection(path);
  raw.exec('begin immediate');
  const commit = store.credentials.commit(row, 0);
  let done = false;
  void commit.then(() => {
    done = true;
  });
  await clock.advance(500);
  expect(done).toBe(false);
  expect(await store.credentials.get(row.id)).toBeUndefined();
  raw.exec('commit');
  await clock.advance(50);
  expect(done).toBe(true);
  await expect(commit).resolves.toBe(true);
});

test('a batch waits for the write transaction of another, and holds up no reader meanwhile', async () => {
  const path = databaseFile();
  const clock = manualClock();
  const store = await opened(path, clock);
  await store.credentials.commit(row, 0);
  const raw = rawConnection(path);
  raw.exec('begin immediate');
  const batch = store.usage.add([usage]);
  await clock.advance(500);
  expect(await store.usage.list({ since: '2026-01-01' })).toEqual([]);
  expect((await store.credentials.get(row.id))?.epoch).toBe(1);
  raw.exec('commit');
  await clock.advance(50);
  await batch;
  expect(await store.usage.list({ since: '2026-01-01' })).toEqual([usage]);
});

test('a batch waits for a copy that is being made', async () => {
  const store = await opened(databaseFile());
  await store.settings.put('a', 'b');
  let batch: Promise<void> | undefined;
  for await (const { rows } of store.copies.read(['open_bridge_settings', 'open_bridge_usage'])) {
    batch ??= store.usage.add([usage]);
    expect(rows).toEqual([{ name: 'a', value: 'b' }]);
  }
  await batch;
  expect(await store.usage.list({ since: '2026-01-01' })).toEqual([usage]);
});

test('opening waits for the write transaction of another, then succeeds', async () => {
  const path = databaseFile();
  const first = await opened(path);
  await first.close();
  const raw = rawConnection(path);
  raw.exec('begin immediate');
  const clock = manualClock();
  const opening = opened(path, clock);
  await clock.advance(300);
  raw.exec('commit');
  await clock.advance(50);
  await expect(opening).resolves.toBeDefined();
});

test('a transaction that never ends is named as the cause', async () => {
  const path = databaseFile();
  // Every try holds the event loop for a moment of real time, so each sleep here passes a second.
  let now = 0;
  const clock: Clock = {
    now: () => now,
    async sleep() {
      now += 1000;
    },
  };
  const store = await opened(path, clock);
  rawConnection(path).exec('begin immediate');
  const error = await refusalOf(store.settings.putIfAbsent('a', 'b'));
  expect(now).toBe(10_000);
  expect(error.code).toBe('STORE_UNAVAILABLE');
  expect(error.hint).toContain('another process has held the database');
});

test('readers pass a writer', async () => {
  const path = databaseFile();
  const clock = manualClock();
  const store = await opened(path, clock);
  await store.credentials.commit(row, 0);
  const raw = rawConnection(path);
  raw.exec('begin immediate');
  raw.exec('update "opendb-open-data" set epoch = 9');
  expect((await store.credentials.get(row.id))?.epoch).toBe(1);
  expect(clock.sleepers()).toBe(0);
});

test('no byte of a sealed value is in the database files', async () => {
  const path = databaseFile();
  const plain = await opened(path);
  const store = sealStore(plain, createSealer([new Secret(newSealKey())]));
  const bytesOnDisk = (): Buffer =>
    Buffer.concat(readdirSync(dirname(path)).map(name => readFileSync(join(dirname(path), name))));
  await store.credentials.commit(row, 0);
  await store.credentials.commit({ ...row, epoch: 2, previous: undefined }, 1);
  await store.credentials.commit({ ...row, epoch: 3 }, 2);
  expect(await store.credentials.get(row.id)).toEqual({ ...row, epoch: 3 });
  expect(readdirSync(dirname(path))).toContain('bridge.db-wal');
  expect(bytesOnDisk().includes('canary-token')).toBe(false);
  expect(bytesOnDisk().includes('sealed:v1:')).toBe(true);
  await store.close();
  expect(bytesOnDisk().includes('canary-token')).toBe(false);

  // The search itself works: without the seal it finds them.
  const unsealed = await opened(path);
  await unsealed.credentials.commit({ ...row, id: 'plain' }, 0);
  expect(bytesOnDisk().includes('canary-token-current')).toBe(true);
  expect(bytesOnDisk().includes('canary-token-previous')).toBe(true);
});

test('a sealed value copied to another row or column does not open', async () => {
  const path = databaseFile();
  const store = sealStore(await opened(path), createSealer([new Secret(newSealKey())]));
  await store.credentials.commit(row, 0);
  await store.credentials.commit({ ...row, id: 'thief' }, 0);
  const raw = rawConnection(path);
  raw.exec(
    `update "opendb-open-data" set value = (select value from "opendb-open-data" where _id = '${row.id}') where _id = 'thief'`,
  );
  await expect(store.credentials.get('thief')).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  raw.exec(`update "opendb-open-data" set value = previous_value where _id = '${row.id}'`);
  await expect(store.credentials.get(row.id)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
});

test('rows of a former key are read, and sealed with the new one when written', async () => {
  const path = databaseFile();
  const [former, present] = [new Secret(newSealKey()), new Secret(newSealKey())];
  const plain = await opened(path);
  await sealStore(plain, createSealer([former])).credentials.commit(row, 0);
  const rotated = sealStore(plain, createSealer([present, former]));
  expect(await rotated.credentials.get(row.id)).toEqual(row);
  await rotated.credentials.commit({ ...row, epoch: 2 }, 1);
  const afterwards = sealStore(plain, createSealer([present]));
  expect(await afterwards.credentials.get(row.id)).toEqual({ ...row, epoch: 2 });
});

test('a scan tells of rows that do not open, and they hide no others', async () => {
  const path = databaseFile();
  const [former, present] = [new Secret(newSealKey()), new Secret(newSealKey())];
  const plain = await opened(path);
  const store = sealStore(plain, createSealer([present]));
  await sealStore(plain, createSealer([former])).credentials.commit({ ...row, id: 'a-former-key' }, 0);
  await store.credentials.commit({ ...row, id: 'b-sound' }, 0);
  await store.credentials.commit({ ...row, id: 'c-moved' }, 0);
  await plain.credentials.commit({ ...row, id: 'd-not-sealed', epoch: 0 }, 0);
  rawConnection(path).exec(
    `update "opendb-open-data" set value = (select value from "opendb-open-data" where _id = 'b-sound') where _id = 'c-moved'`,
  );
  const rows = await store.credentials.scan(10);
  expect(rows.map(({ id, fault }) => [id, fault?.code])).toEqual([
    ['a-former-key', 'SEAL_BROKEN'],
    ['b-sound', undefined],
    ['c-moved', 'SEAL_BROKEN'],
    ['d-not-sealed', undefined],
  ]);
  expect(rows[0]?.fault?.message).toContain('which is not configured');
  expect(rows[2]?.fault?.message).toContain('c-moved');
  expect(rows[1]).toEqual({ ...row, id: 'b-sound' });
  expect(rows[3]?.value).toBe(row.value);
  expect(rows[0]?.value).toMatch(/^sealed:v1:/);
  expect(JSON.stringify(rows[2])).not.toContain('canary-token');
});

test('merged rows and what is remembered for a while are sealed on disk too', async () => {
  const path = databaseFile();
  const sealer = createSealer([new Secret(newSealKey())]);
  const store = sealStore(await opened(path), sealer);
  await store.credentials.merge([row, { ...row, id: 'another' }]);
  await store.credentials.merge([row], { force: true });
  await store.ephemeral.putIfAbsent('code:1', '{"openid":"canary-token-openid"}', 60_000);
  const bytes = readdirSync(dirname(path)).map(name => readFileSync(join(dirname(path), name)));
  expect(Buffer.concat(bytes).includes('canary-token')).toBe(false);
  expect(await store.credentials.get(row.id)).toEqual({ ...row, epoch: 2 });
  expect(await store.ephemeral.get('code:1')).toBe('{"openid":"canary-token-openid"}');
  const { keys } = await sampleSeals(store.texts, sealer, sealer.keyIds(), 100);
  expect([...keys.values()]).toEqual([{ count: 5, damaged: 0, examples: [] }]);

  const raw = rawConnection(path);
  raw.exec("update open_bridge_ephemeral set name = 'code:2'");
  expect(await store.ephemeral.get('code:1')).toBeUndefined();
  await expect(store.ephemeral.get('code:2')).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
});

test('plain rows that uniCloud wrote pass a sealed store', async () => {
  const path = databaseFile();
  const plain = await opened(path);
  await plain.credentials.commit({ ...row, epoch: 0 }, 0);
  const store = sealStore(plain, createSealer([new Secret(newSealKey())]));
  expect((await store.credentials.get(row.id))?.value).toBe(row.value);
});

test('a new database and its log files are readable by their owner alone', async () => {
  const path = databaseFile();
  const store = await opened(path);
  await store.settings.put('a', 'b');
  const modes = readdirSync(dirname(path)).map(name => statSync(join(dirname(path), name)).mode & 0o777);
  expect(modes.length).toBeGreaterThan(1);
  expect(new Set(modes)).toEqual(new Set([0o600]));
});

test('leases do not wait for the disk, and everything else does', async () => {
  const path = databaseFile();
  const store = await opened(path);
  const raw = rawConnection(path);
  raw.exec('create table waits (what text, synchronous integer)');
  for (const table of ['open_bridge_leases', 'opendb-open-data'])
    for (const change of ['insert', 'update', 'delete'])
      raw.exec(
        `create trigger "${table} ${change}" after ${change} on "${table}" begin
           insert into waits select '${table} ${change}', synchronous from pragma_synchronous;
         end`,
      );
  await store.leases.acquire('a', 'holder', 5000);
  await store.credentials.commit(row, 0);
  await store.leases.extend('a', 'holder', 5000);
  await store.credentials.commit({ ...row, epoch: 2 }, 1);
  await store.leases.release('a', 'holder');
  await store.credentials.remove(row.id);
  const [normal, full] = [1, 2];
  expect(raw.prepare('select * from waits').all()).toEqual([
    { what: 'open_bridge_leases insert', synchronous: normal },
    { what: 'opendb-open-data insert', synchronous: full },
    { what: 'open_bridge_leases update', synchronous: normal },
    { what: 'opendb-open-data update', synchronous: full },
    { what: 'open_bridge_leases delete', synchronous: normal },
    { what: 'opendb-open-data delete', synchronous: full },
  ]);
});

test('after a lease that could not be written everything else waits for the disk again', async () => {
  const path = databaseFile();
  const store = await opened(path);
  const raw = rawConnection(path);
  raw.exec(`create trigger refusal before insert on open_bridge_leases begin select raise(abort, 'no'); end`);
  await expect(store.leases.acquire('a', 'holder', 5000)).rejects.toBeInstanceOf(BridgeError);
  raw.exec('create table waits (synchronous integer)');
  raw.exec(
    `create trigger wait after insert on "opendb-open-data" begin
       insert into waits select synchronous from pragma_synchronous;
     end`,
  );
  await store.credentials.commit(row, 0);
  expect(raw.prepare('select * from waits').all()).toEqual([{ synchronous: 2 }]);
});

test('a store that is being opened in the same process is waited for, though no time passes', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  // It stands still: nobody here moves it.
  const clock = manualClock();
  const open = () => openSqliteStore({ path, clock, random: seededRandom() });
  const store = await open();
  onTestFinished(() => store.close());
  for (let time = 0; time < 5; time += 1) {
    const opening = open();
    for (let turn = 0; turn < 40; turn += 1) {
      await store.usage.add([{ ...usage, calls: 1 }]);
      await Promise.resolve();
    }
    await (await opening).close();
  }
  expect((await store.usage.list({ since: '2000-01-01' }))[0]).toMatchObject({ calls: 200 });
});
