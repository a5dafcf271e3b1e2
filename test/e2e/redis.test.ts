import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { describeOn, postgresServer } from '../support/database-servers.ts';
import { parseExposition } from '../support/exposition.ts';
import { describeOnRedis, eventually, startRedisServer } from '../support/redis-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const KEY = { dcloudAppid: '__UNI__SHOP01', platform: 'weixin-mp', openid: 'oUser' };
const CANARY = 'canary-session-key-0123456789';

/** Two bridges on one database. */
async function twoBridges(storage: Record<string, unknown>): Promise<readonly [TestBridge, TestBridge]> {
  const config = {
    apps: [{ name: 'shop', platform: 'weixin-mp', ...SHOP, type: undefined, dcloudAppid: KEY.dcloudAppid }],
    ipWhiteList: ['127.0.0.1'],
    storage: { sealKey: newSealKey(), ...storage },
  };
  const bridges = [await startTestBridge({ config }), await startTestBridge({ config })] as const;
  for (const bridge of bridges) onTestFinished(() => bridge.close());
  return bridges;
}

async function post(bridge: TestBridge, method: string, body: object = {}): Promise<unknown> {
  const answer = await fetch(`${bridge.control}/uni-open-bridge/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...KEY, ...body }),
  });
  expect(answer.status).toBe(200);
  return answer.json();
}

const sessionKey = async (bridge: TestBridge): Promise<string | undefined> =>
  ((await post(bridge, 'getSessionKey')) as { session_key: string } | null)?.session_key;

/** How long the other bridge takes to see what one has set, in milliseconds: the median of some. */
async function lag([a, b]: readonly [TestBridge, TestBridge], times: number): Promise<number> {
  const all: number[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    const value = `${CANARY}-${turn}-${performance.now()}`;
    // The former value is in the other one's memory, and just confirmed.
    await sessionKey(b);
    await post(a, 'setSessionKey', { value: { session_key: value } });
    all.push(await eventually(async () => (await sessionKey(b)) === value, 3000));
  }
  return all.sort((one, two) => one - two)[Math.floor(times / 2)] ?? 0;
}

await describeOnRedis('two bridges with Redis', () => {
  test.each(['sealed', 'plain'] as const)('see each other’s writes within 100 ms: %s', async redisFormat => {
    const server = await startRedisServer();
    onTestFinished(() => server.remove());
    const path = join(temporaryFolder(), 'bridge.db');
    const bridges = await twoBridges({ database: `sqlite:${path}`, redis: server.url, redisFormat });
    const [a, b] = bridges;
    await eventually(async () => (await readiness(a)).redis === 'ok' && (await readiness(b)).redis === 'ok');
    expect(await lag(bridges, 9)).toBeLessThan(100);
    await post(a, 'removeSessionKey');
    expect(await eventually(async () => (await sessionKey(b)) === undefined)).toBeLessThan(300);
    const all = await server.command('KEYS', '*');
    expect(all).toBeInstanceOf(Array);
    expect([...a.logs, ...b.logs].join('')).not.toContain(CANARY);
  });

  test('without Redis they are ready, say so, and go on', async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.remove());
    const path = join(temporaryFolder(), 'bridge.db');
    const bridges = await twoBridges({ database: `sqlite:${path}`, redis: server.url });
    const [a, b] = bridges;
    await eventually(async () => (await readiness(a)).redis === 'ok');
    await post(a, 'setSessionKey', { value: { session_key: CANARY } });
    await server.kill();
    await eventually(async () => (await readiness(a)).redis === 'degraded');
    expect((await fetch(`${a.control}/readyz`)).status).toBe(200);
    expect(await lag(bridges, 1)).toBeLessThan(1500);
    const scrape = parseExposition(await (await fetch(`${a.control}/metrics`)).text());
    expect(scrape.value('open_bridge_redis_up', {})).toBe(0);
    expect(scrape.value('open_bridge_redis_outages_total', {})).toBe(1);
    expect(scrape.value('open_bridge_redis_reads_total', { result: 'skipped' })).toBeGreaterThan(0);
    await server.start();
    await eventually(async () => (await readiness(a)).redis === 'ok' && (await readiness(b)).redis === 'ok');
    expect(await lag(bridges, 5)).toBeLessThan(100);
  });

  test('the authority asks the platform once for both', async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.remove());
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'redis-password'), 'canary-password');
    await server.command('CONFIG', 'SET', 'requirepass', 'canary-password');
    const [a, b] = await twoBridges({
      database: `sqlite:${join(folder, 'bridge.db')}`,
      redis: `redis://:\${file:${join(folder, 'redis-password')}}@127.0.0.1:${server.port}`,
    });
    await eventually(async () => (await readiness(a)).redis === 'ok' && (await readiness(b)).redis === 'ok');
    const tokens = await Promise.all(
      [a, b, a, b].map(bridge => post(bridge, 'getAccessToken', { openid: undefined })),
    );
    expect(new Set(tokens.map(token => JSON.stringify(token))).size).toBe(1);
    const issued = [a, b].map(({ simulator }) => simulator.counters(SHOP.appid).stable.calls);
    expect(issued.reduce((sum, calls) => sum + calls, 0)).toBe(1);
    expect([...a.logs, ...b.logs].join('')).not.toContain('canary-password');
  });
});

await describeOn(postgresServer, 'two bridges without Redis', () => {
  test('see each other’s writes within 100 ms, also after the connection that listens was lost', async () => {
    const database = await postgresServer.create();
    onTestFinished(() => database.drop());
    const listeners = "select pid from pg_stat_activity where application_name = 'open-bridge changes'";
    const others = (await database.run(listeners)).map(({ pid }) => Number(pid));
    const bridges = await twoBridges({ database: database.database.url.reveal() });
    expect(await lag(bridges, 9)).toBeLessThan(100);
    const ours = (await database.run(listeners)).map(({ pid }) => Number(pid));
    for (const pid of ours)
      if (!others.includes(pid)) await database.run(`select pg_terminate_backend(${pid})`);
    await systemClock.sleep(500);
    expect(await lag(bridges, 9)).toBeLessThan(100);
  });
});

test('two bridges on SQLite alone see each other’s writes within a second', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  const bridges = await twoBridges({ database: `sqlite:${path}` });
  expect(await lag(bridges, 3)).toBeLessThan(1500);
  expect((await readiness(bridges[0])).redis).toBeUndefined();
});

async function readiness({ control }: TestBridge): Promise<Record<string, string>> {
  const answer = await fetch(`${control}/readyz`);
  return ((await answer.json()) as { checks: Record<string, string> }).checks;
}
