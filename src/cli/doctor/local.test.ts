import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';
import { createSealer, newSealKey, sealStore } from '../../stores/sealing.ts';
import { openSqliteStore } from '../../stores/sqlite.ts';
import { type Patient, startPatient } from './doctor.fixture.ts';

const OFFLINE = { offline: true };

/** Puts a sealed credential into the patient's database, as a bridge would. */
async function store(patient: Patient, key: string, expiresAt = Date.now() + 3_600_000): Promise<void> {
  const opened = await openSqliteStore({
    path: join(patient.folder, 'open-bridge.db'),
    clock: systemClock,
    random: Math.random,
  });
  await sealStore(opened, createSealer([new Secret(key)])).credentials.commit(
    {
      id: 'uni-id:weixin-mp:wx00000000000000a1:access-token',
      value: '{"access_token":"canary-token-in-the-store"}',
      expiresAt,
      platform: 'weixin-mp',
      appid: 'wx00000000000000a1',
      kind: 'access-token',
      epoch: 1,
      issuedAt: expiresAt - 7_200_000,
      renewAt: undefined,
      background: false,
      fingerprint: undefined,
      previous: undefined,
    },
    0,
  );
  await opened.close();
}

const keyOf = (patient: Patient): string => readFileSync(join(patient.folder, 'seal.key'), 'utf8');

describe('configuration', () => {
  it('tells every fault with its place, and looks at the rest no further', async () => {
    const patient = await startPatient();
    patient.configure({ apps: [{ name: 'a b', secret: 'canary-in-the-file' }], openapi: { allow: ['wxa'] } });
    const found = await patient.examine(OFFLINE);
    const faults = found.all.filter(({ name }) => name === 'configuration');
    expect(faults.length).toBeGreaterThanOrEqual(4);
    for (const fault of faults) expect(fault).toMatchObject({ status: 'fail' });
    expect(found.text).toMatch(/open-bridge\.json:\d+:\d+ apps\[0\]\.name/);
    expect(found.text).not.toContain('canary');
    expect(found.of('the rest')?.found).toContain('seal key');
  });

  it('says how to name the file when there is none', async () => {
    const patient = await startPatient();
    const found = await patient.examine({ ...OFFLINE, config: join(patient.folder, 'none.json') });
    expect(found.of('configuration')).toMatchObject({
      status: 'fail',
      advice: 'name the file with --config',
    });
  });

  it('a seal key that is none', async () => {
    const patient = await startPatient();
    writeFileSync(join(patient.folder, 'seal.key'), 'canary-not-a-key');
    const found = await patient.examine(OFFLINE);
    expect(found.of('configuration')?.found).toContain('32 random bytes');
    expect(found.text).not.toContain('canary-not-a-key');
  });
});

describe('seal key', () => {
  it('opens what is stored', async () => {
    const patient = await startPatient();
    expect((await patient.examine(OFFLINE)).of('seal key')?.found).toContain('nothing is stored');
    await store(patient, keyOf(patient));
    const found = await patient.examine(OFFLINE);
    expect(found.of('seal key')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/[0-9a-f]{8}: 1/),
    });
    expect(found.text).not.toContain('canary-token');
  });

  it('names the key that is missing', async () => {
    const patient = await startPatient();
    await store(patient, newSealKey());
    expect((await patient.examine(OFFLINE)).of('seal key')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/not configured: [0-9a-f]{8} \(1 value, such as uni-id:weixin-mp:\w+/),
      advice: expect.stringContaining('storage.sealKey'),
    });
  });

  it('tells damage from a wrong key', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    const database = new DatabaseSync(join(patient.folder, 'open-bridge.db'));
    database.exec(`update "opendb-open-data" set _id = 'moved'`);
    database.close();
    expect((await patient.examine(OFFLINE)).of('seal key')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('do not open'),
    });
  });

  it('says how much it looked at, which does not grow with what is stored', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    expect((await patient.examine(OFFLINE)).of('seal key')?.found).toMatch(/^opens all 1 rows /);
    const database = new DatabaseSync(join(patient.folder, 'open-bridge.db'));
    database.exec(
      `insert into "opendb-open-data" (_id, value, expired)
       with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
       select 'zz:' || i, '{}', -1 from n`,
    );
    database.close();
    expect((await patient.examine(OFFLINE)).of('seal key')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^opens the 1000 rows looked at, .*: 1; not sealed: 999\)$/),
    });
  });

  it('says which former key is needed no more', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    patient.configure({
      storage: {
        database: 'sqlite:./open-bridge.db',
        sealKey: [keyOf(patient).trim(), newSealKey()],
      },
    });
    expect((await patient.examine(OFFLINE)).of('seal key')?.advice).toContain('can be taken out');
  });
});

describe('database', () => {
  it('is not made, migrated or changed by a look', async () => {
    const patient = await startPatient();
    const path = join(patient.folder, 'open-bridge.db');
    expect((await patient.examine(OFFLINE)).of('database')?.found).toContain('the first start makes it');
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    new DatabaseSync(path).exec('create table stranger (x)');
    expect((await patient.examine(OFFLINE)).of('database')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('0001-first'),
    });
    const tables = new DatabaseSync(path)
      .prepare("select name from sqlite_master where type = 'table'")
      .all();
    expect(tables).toEqual([{ name: 'stranger' }]);
  });

  it('reads and writes', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    expect((await patient.examine(OFFLINE)).of('database')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('reads and writes'),
    });
  });

  it('of a newer version', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    const database = new DatabaseSync(join(patient.folder, 'open-bridge.db'));
    database.exec("insert into open_bridge_migrations (name) values ('9999-from-the-future')");
    database.close();
    expect((await patient.examine(OFFLINE)).of('database')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('9999-from-the-future'),
    });
  });

  it('that is none, and one that cannot be made', async () => {
    const patient = await startPatient();
    writeFileSync(
      join(patient.folder, 'open-bridge.db'),
      'this is no database at all, however long it may be',
    );
    const found = await patient.examine(OFFLINE);
    expect(found.of('database')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('not a database'),
    });
    expect(found.of('seal key')).toMatchObject({ status: 'skipped' });

    patient.configure({ storage: { database: 'sqlite:./seal.key/x.db', sealKey: keyOf(patient).trim() } });
    expect((await patient.examine(OFFLINE)).of('database')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('cannot be made'),
    });
  });

  it('that cannot be written to', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    const holder = new DatabaseSync(join(patient.folder, 'open-bridge.db'));
    onTestFinished(() => holder.close());
    holder.exec('begin immediate');
    // Patience with other writers is counted by this clock, which is in a hurry.
    let now = Date.now();
    const clock = {
      now: () => now,
      async sleep(ms: number) {
        now += ms * 100;
      },
    };
    const found = await patient.examine(OFFLINE, { clock });
    expect(found.of('database')).toMatchObject({ status: 'fail', advice: expect.stringContaining('lsof') });
  });

  it('from the future speaks against the clock', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient), Date.now() + 10 * 3_600_000);
    expect((await patient.examine(OFFLINE)).of('clock')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('from now'),
    });
  });
});

describe('files', () => {
  it('warns of secrets that others may read, unless their folder is closed', async () => {
    const patient = await startPatient();
    const key = join(patient.folder, 'seal.key');
    chmodSync(key, 0o644);
    chmodSync(patient.folder, 0o755);
    expect((await patient.examine(OFFLINE)).of('files')).toMatchObject({
      status: 'warn',
      advice: `chmod 600 ${key}`,
    });
    chmodSync(patient.folder, 0o700);
    expect((await patient.examine(OFFLINE)).of('files')).toMatchObject({ status: 'ok' });
    chmodSync(patient.folder, 0o755);
    chmodSync(key, 0o600);
    expect((await patient.examine(OFFLINE)).of('files')).toMatchObject({ status: 'ok' });
    expect((await patient.examine(OFFLINE, { uid: undefined })).of('files')).toBeUndefined();
  });

  it('warns when it runs as another user than the database belongs to', async () => {
    const patient = await startPatient();
    await store(patient, keyOf(patient));
    chmodSync(patient.folder, 0o700);
    expect((await patient.examine(OFFLINE, { uid: 4242 })).of('files')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('user 4242'),
    });
  });
});

describe('callers and allow-list', () => {
  it('warns of keys that are easy to guess and of a control API on the network', async () => {
    const patient = await startPatient({
      callers: [
        { name: 'a', key: 'canary-password-1234' },
        { name: 'b', keys: ['abababababababababab', 'k4Jx9QmZ2vLw7RtY'] },
      ],
      listen: { control: '0.0.0.0:0' },
    });
    const found = await patient.examine(OFFLINE);
    expect(found.text).toContain('callers[0].key is easy to guess');
    expect(found.text).toContain('callers[1].keys[0] is easy to guess');
    expect(found.text).not.toContain('callers[1].keys[1]');
    expect(found.text).toContain('over plain HTTP');
    expect(found.text).not.toMatch(/canary|abababab/);
  });

  it('warns of s2s secrets that are easy to guess, short ones once', async () => {
    const told = async (s2s: object): Promise<readonly string[]> => {
      const patient = await startPatient({ s2s });
      const found = await patient.examine(OFFLINE);
      expect(found.text).not.toContain('canary');
      return found.all.filter(({ found: text }) => text.includes('easy to guess')).map(({ name }) => name);
    };
    expect(await told({ type: 'sign', signKey: 'canary-password-1234' })).toEqual(['callers']);
    expect(await told({ type: 'connectCode', connectCode: 'abababababababababab' })).toEqual(['callers']);
    expect(await told({ type: 'sign', signKey: 'canary-1' })).toEqual(['configuration']);
    expect(await told({ type: 'sign', signKey: 'canary-k4Jx9QmZ2vLw7RtY' })).toEqual([]);
  });

  it('names the other ways to the uni-open-bridge functions', async () => {
    const patient = await startPatient();
    expect((await patient.examine(OFFLINE)).of('callers')?.found).not.toContain('uni-open-bridge');
    patient.configure({
      s2s: { type: 'sign', signKey: 'canary-k4Jx9QmZ2vLw7RtY' },
      ipWhiteList: ['10.0.0.0/24', '::1'],
    });
    expect((await patient.examine(OFFLINE)).of('callers')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(
        /functions are open to uni-cloud-s2s \(sign\) and the addresses in ipWhiteList \(10\.0\.0\.0\/24, ::1\)$/,
      ),
    });
  });

  it('warns of 0.0.0.0 in ipWhiteList, and of a schedule for a dcloudAppid that no app has', async () => {
    const patient = await startPatient({
      ipWhiteList: ['0.0.0.0', '10.0.0.1'],
      schedule: { __UNI__NOBODY1: { enable: true } },
    });
    const told = (await patient.examine(OFFLINE)).all.filter(({ name }) => name === 'configuration');
    expect(told.filter(({ status }) => status === 'warn').map(({ found }) => found)).toEqual([
      expect.stringMatching(/ipWhiteList\[0\]: is no wildcard: it matches only itself/),
      expect.stringMatching(/schedule\.__UNI__NOBODY1: no app has this dcloudAppid/),
    ]);
  });

  it('hints at the path that was probably meant, and leaves unpublished ones alone', async () => {
    const patient = await startPatient({
      openapi: {
        allow: [
          ...['/wxa/msg_sec_chek', '/cgi-bn/*', '/wxa/*', '/entirely/other/thing'],
          // Of QQ too few paths are known to call another one misspelt.
          ...['/api/json/security/ImgSecCheck', '/api/*', '/oauth2.0/m2'],
        ],
      },
    });
    const told = (await patient.examine(OFFLINE)).all.filter(({ name }) => name === 'allow-list');
    expect(told.map(({ advice }) => advice)).toEqual([
      expect.stringContaining('/wxa/msg_sec_check'),
      expect.stringContaining('/cgi-bin/*'),
    ]);
  });

  it.each([
    [{ allow: [] }, /is empty/],
    [{ allow: ['/wxa/*'], enabled: false }, /switched off/],
  ])('%j', async (openapi, found) => {
    const patient = await startPatient({ openapi });
    expect((await patient.examine(OFFLINE)).of('allow-list')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(found),
    });
  });
});
