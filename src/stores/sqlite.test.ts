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
import { MIGRATIONS } from './schema.ts';
import { createSealer, newSealKey, sealStore } from './sealing.ts';
import { openSqliteStore } from './sqlite.ts';
import type { CredentialRow, Store } from './store.ts';

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
  expect(await store.credentials.get(row.id)).toEqual({
    id: row.id,
    value: '{"access_token":"T"}',
    expiresAt: 1_772_000_000_000,
    platform: undefined,
    appid: undefined,
    kind: undefined,
    epoch: 0,
    issuedAt: undefined,
    renewAt: undefined,
    background: false,
    fingerprint: undefined,
    previous: undefined,
  });
  expect((await store.credentials.get('uni-id:weixin-mp:wx01:oABC:session-key'))?.expiresAt).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(await store.credentials.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  expect(await store.credentials.commit(row, 1)).toBe(false);
  expect(await store.credentials.commit(row, 0)).toBe(true);
  expect(raw.prepare('select count(*) as n from "opendb-open-data"').get()).toEqual({ n: 3 });
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
