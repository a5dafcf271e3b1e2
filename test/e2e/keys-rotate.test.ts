import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { startSimulator } from '../../src/simulator/index.ts';
import { createSealer, newSealKey } from '../../src/stores/sealing.ts';
import { ACCOUNTS, SHOP, writeConfig } from '../support/bridge.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { runIn, type Served, serveIn } from './command.fixture.ts';

const DCLOUD = '__UNI__SHOP';
const APP = {
  ...{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret },
  ...{ dcloudAppid: DCLOUD, default: true },
};
const ADMIN_KEY = 'canary-admin-key-0123456789';
const CALLER_KEY = 'canary-caller-key-0123456789';
const CALLER = { name: 'orders', key: CALLER_KEY, tokens: 'virtual', scopes: ['call', 'credential:read'] };
const LOCAL = {
  name: 'local',
  addresses: ['127.0.0.1'],
  scopes: ['call', 'credential:read', 'credential:write'],
};

const idOf = (key: string): string => createSealer([new Secret(key)]).keyIds()[0] ?? '';

/** A folder with a platform and the configurations of nodes on one database, which take other keys on demand. */
async function nodes(names: readonly string[], keys: readonly string[]) {
  const folder = temporaryFolder();
  const simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
  onTestFinished(() => simulator.close());
  const configure = (name: string, sealKey: readonly string[]): void => {
    const written = writeConfig(folder, simulator.origin, {
      apps: [APP],
      callers: [CALLER, LOCAL],
      admin: { keys: [ADMIN_KEY] },
      storage: { database: 'sqlite:./open-bridge.db', sealKey },
      log: { level: 'info' },
    });
    renameSync(written, join(folder, `${name}.json`));
  };
  for (const name of names) configure(name, keys);
  return { folder, simulator, configure, run: runIn(folder) };
}

/** Calls of every kind without a pause, each answer checked; resolves to how many, or rejects with the first that failed. */
function traffic(served: readonly Served[], workers: number) {
  let calls = 0;
  let over = false;
  const post = async (node: Served, method: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${node.control}/uni-open-bridge/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ dcloudAppid: DCLOUD, platform: 'weixin-mp', ...body }),
    });
    if (answer.status !== 200) throw new Error(`${method}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const work = async (worker: number): Promise<void> => {
    for (let turn = 0; !over; turn += 1) {
      const node = served[(worker + turn) % served.length] as Served;
      const other = served[(worker + turn + 1) % served.length] as Served;
      const answer = await fetch(`${node.gateway}/wxa/getwxadevinfo`);
      const { errcode } = (await answer.json()) as { errcode: number };
      if (errcode !== 0) throw new Error(`the gateway answered ${errcode}`);
      // Another each time: a node may serve what it has in memory for a second.
      const openid = `user-${worker}-${turn}`;
      const session_key = Buffer.from(`${worker}/${turn}`).toString('base64');
      await post(node, 'setSessionKey', { openid, value: { session_key } });
      const read = await post(other, 'getSessionKey', { openid });
      if ((read as { session_key?: string }).session_key !== session_key)
        throw new Error(`another session key than was set: ${JSON.stringify(read)}`);
      calls += 3;
    }
  };
  const all = Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  // Awaited at the end only.
  all.catch(() => {});
  return {
    count: () => calls,
    /** Resolves when so many more calls have been answered. */
    async more(count: number): Promise<void> {
      const until = calls + count;
      await Promise.race([expect.poll(() => calls, { timeout: 30_000 }).toBeGreaterThan(until), all]);
    },
    async stop(): Promise<number> {
      over = true;
      await all;
      return calls;
    },
  };
}

test('a key is replaced under load, on two nodes, without one failed call', async () => {
  const [former, present] = [newSealKey(), newSealKey()];
  const { folder, simulator, configure, run } = await nodes(['one', 'two'], [former]);
  const served = [await serveIn(folder, 'one.json'), await serveIn(folder, 'two.json')];
  const load = traffic(served, 4);
  await load.more(100);
  let reloads = 0;
  const take = async (...keys: string[]): Promise<void> => {
    reloads += 1;
    for (const [at, name] of ['one', 'two'].entries()) {
      configure(name, keys);
      await served[at]?.printed('configuration reloaded', reloads);
      // In between the nodes differ.
      await load.more(60);
    }
  };
  await take(former, present);
  await take(present, former);
  simulator.revoke(SHOP.appid, 'stable');
  await load.more(60);

  const counted = await run('keys', 'rotate', '--config', 'one.json', '--dry-run');
  expect(counted).toMatchObject({ code: 0, err: '' });
  expect(counted.out).toContain(`key ${idOf(present)}, which seals: `);
  expect(counted.out).toMatch(
    new RegExp(`key ${idOf(former)}: \\d+ values? to be sealed anew\\nnothing was changed`),
  );
  const rotated = await run('keys', 'rotate', '--config', 'one.json');
  expect(rotated).toMatchObject({ code: 0, err: '' });
  expect(rotated.out).toContain(
    `nothing needs ${idOf(former)} any more: take it out of storage.sealKey on all nodes`,
  );
  await load.more(60);
  await take(present);
  const calls = await load.stop();
  expect(calls).toBeGreaterThan(300);

  for (const node of served) {
    expect(node.output()).not.toContain('SEAL_BROKEN');
    await node.kill('SIGTERM');
  }
  const database = new DatabaseSync(join(folder, 'open-bridge.db'), { readOnly: true });
  const texts = [
    'select value as text from "opendb-open-data"',
    'select previous_value as text from "opendb-open-data"',
    'select name || value as text from open_bridge_settings',
    'select value as text from open_bridge_ephemeral',
  ].flatMap(query =>
    database
      .prepare(query)
      .all()
      .map(row => String(row['text'])),
  );
  database.close();
  expect(texts.filter(text => text.includes(idOf(former)))).toEqual([]);
  expect(texts.filter(text => text.includes(`sealed:v1:${idOf(present)}`)).length).toBeGreaterThan(80);

  const again = await serveIn(folder, 'one.json');
  const { stable } = simulator.counters(SHOP.appid);
  expect((await fetch(`${again.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
  expect(simulator.counters(SHOP.appid).stable).toEqual(stable);
}, 120_000);

test('a key that is needed cannot be taken away: neither from a running bridge nor at a start', async () => {
  const [former, present] = [newSealKey(), newSealKey()];
  const { folder, configure, run } = await nodes(['one'], [former]);
  const served = await serveIn(folder, 'one.json');
  await fetch(`${served.gateway}/wxa/getwxadevinfo`);
  configure('one', [present]);
  await served.printed('the former one stays in force');
  expect(served.output()).toContain(
    `stored values are sealed with keys that are not configured: ${idOf(former)}`,
  );
  expect((await fetch(`${served.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
  await served.kill('SIGTERM');

  const refused = await run('serve', '--config', 'one.json');
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(
    new RegExp(
      `^open-bridge: stored values are sealed with keys that are not configured: ${idOf(former)} \\(\\d values, such as [^)]*gateway-ca[^)]*\\)$`,
      'm',
    ),
  );
  expect(refused.err).toContain(`configured: ${idOf(present)}. Add the missing key to storage.sealKey`);
  for (const key of [former, present]) expect(refused.out + refused.err).not.toContain(key);

  expect((await run('keys', 'forget', idOf(present), '--config', 'one.json')).err).toContain(
    'nothing is lost',
  );
  expect((await run('keys', 'forget', former, '--config', 'one.json')).err).toContain('8 hex digits');
  const counted = await run('keys', 'forget', idOf(former), '--config', 'one.json');
  expect(counted.out).toMatch(/^rows that only key [0-9a-f]{8} opens: \d; nothing was changed/);
  expect((await run('serve', '--config', 'one.json')).code).toBe(1);
  expect(await run('keys', 'forget', idOf(former), '--yes', '--config', 'one.json')).toMatchObject({
    code: 0,
  });
  const again = await serveIn(folder, 'one.json');
  expect((await fetch(`${again.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
}, 60_000);

test('a program hands the key over, at the start and when it is another', async () => {
  const [former, present] = [newSealKey(), newSealKey()];
  const { folder, simulator, run } = await nodes([], []);
  writeFileSync(join(folder, 'vault'), former);
  const sealKey = [
    { command: [process.execPath, '-p', "fs.readFileSync('vault', 'utf8')"] },
    '${file:./seal.key}',
  ];
  writeConfig(folder, simulator.origin, { storage: { database: 'sqlite:./open-bridge.db', sealKey } });
  const served = await serveIn(folder);
  expect((await fetch(`${served.gateway}/wxa/getwxadevinfo`)).status).toBe(200);

  writeFileSync(join(folder, 'seal.key'), former);
  writeFileSync(join(folder, 'vault'), present);
  await served.printed('configuration reloaded');
  expect(served.output()).toContain('sealing keys changed');
  expect((await run('keys', 'rotate')).out).toContain(`sealed anew with key ${idOf(present)}`);

  rmSync(join(folder, 'vault'));
  const refused = await run('serve');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('ended with status 1; run it by hand as the user of the bridge');
  expect(served.output() + refused.err + refused.out).not.toContain(present);
  expect(served.output()).not.toContain(former);
}, 60_000);

test('keys of callers and administrators are stored as hashes, if at all', async () => {
  const { folder } = await nodes(['one'], [newSealKey()]);
  const served = await serveIn(folder, 'one.json');
  const headers = { 'x-bridge-key': CALLER_KEY };
  const query = `grant_type=client_credential&appid=${SHOP.appid}&secret=any`;
  const token = await fetch(`${served.gateway}/cgi-bin/token?${query}`, { headers });
  expect(token.status).toBe(200);
  expect(
    (await fetch(`${served.control}/v1/apps`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })).status,
  ).toBe(200);
  await served.kill('SIGTERM');
  const stored = new DatabaseSync(join(folder, 'open-bridge.db'));
  const tables = stored.prepare("select name from sqlite_master where type = 'table'").all();
  const everything = tables
    .map(({ name }) => JSON.stringify(stored.prepare(`select * from "${name}"`).all()))
    .join();
  stored.close();
  expect(everything).toContain('virtual-token-key');
  expect(everything).not.toContain('canary');
});
