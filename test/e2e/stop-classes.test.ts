import { tmpdir } from 'node:os';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Bridge, startBridge } from '../../src/server/bridge.ts';
import { createLogger } from '../../src/server/logger.ts';
import { type AccountChange, type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';
import { parseExposition } from '../support/exposition.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const CALLERS = 200;
const LISTED = '/wxa/getwxadevinfo';

let clock: ManualClock;
let simulator: Simulator;
let folder: ReturnType<typeof temporaryFolder>;
let agent: Agent;
let nodes: { readonly bridge: Bridge; readonly lines: Record<string, unknown>[] }[];

beforeEach(async () => {
  clock = manualClock();
  folder = temporaryFolder();
  nodes = [];
  agent = new Agent({ connections: 50 });
  simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })), now: clock.now });
});

afterEach(async () => {
  for (const { bridge } of nodes) await flowing(bridge.close());
  await agent.destroy();
  await simulator.close();
  folder[Symbol.dispose]();
});

/** Waits for work over real sockets, with time going on slowly, as whoever waits for the other node sleeps. */
async function flowing<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  while (!isOver) {
    await delay(5);
    if (!isOver) await clock.advance(10);
  }
  return work;
}

/** Starts two nodes on one database; shop alone is renewed in the background, unless told otherwise. */
async function start(change: Record<string, unknown> = {}): Promise<void> {
  const path = writeConfig(folder.path, simulator.origin, {
    apps: [{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret, default: true }],
    ...change,
  });
  for (const instance of ['a', 'b']) {
    const lines: Record<string, unknown>[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line));
        done();
      },
    });
    const { settings } = loadConfig({ path, env: {} });
    const log = createLogger('debug', sink);
    const deps = { settings, clock, log, instance, version: '0', tmpDir: tmpdir() };
    const bridge = await flowing(startBridge(deps));
    nodes.push({ bridge, lines });
  }
}

const control = (node: number): string => `http://127.0.0.1:${nodes[node]?.bridge.control.port}`;

interface Answered {
  readonly status: number;
  readonly retryAfter: number;
  readonly body: Record<string, unknown>;
}

async function call(node: number): Promise<Answered> {
  const origin = `http://127.0.0.1:${nodes[node]?.bridge.gateway?.port}`;
  const answer = await request(`${origin}${LISTED}`, { dispatcher: agent });
  const body = (await answer.body.json()) as Record<string, unknown>;
  return { status: answer.statusCode, retryAfter: Number(answer.headers['retry-after']), body };
}

/** Everybody calls at once, half of them each node. */
const everybody = (): Promise<Answered[]> =>
  flowing(Promise.all(Array.from({ length: CALLERS }, (_, turn) => call(turn % 2))));

const tokenCalls = (): number => simulator.counters(SHOP.appid).stable.calls;

const told = (words: string): Record<string, unknown>[] =>
  nodes.flatMap(({ lines }) => lines).filter(({ msg }) => String(msg).includes(words));

/** Lets time pass with nobody calling, so that only what nodes do by themselves happens. */
async function wait(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5 * SECOND) await clock.advance(5 * SECOND);
}

describe('two nodes, 200 callers, and an app that the platform refuses until someone acts', () => {
  it('40164: one call a minute in all, one alarm, an answer that says what to do, and an end by itself', async () => {
    simulator.setAccount(SHOP.appid, { ipWhitelist: ['203.0.113.9'] });
    await start();
    const begun = clock.now();
    while (clock.now() < begun + 4 * MINUTE) {
      for (const { status, body, retryAfter } of await everybody()) {
        expect(status).toBe(503);
        expect(body).toMatchObject({ errcode: 40164, error_code: '40164' });
        expect(body['errmsg']).toContain('invalid ip 127.0.0.1');
        expect(body['errmsg']).toMatch(/add 127\.0\.0\.1 to the IP list of wx00000000000000a1.*IP白名单/);
        expect(retryAfter).toBeGreaterThanOrEqual(1);
        expect(retryAfter).toBeLessThanOrEqual(61);
      }
      await wait(20 * SECOND);
    }
    // One at first, and one more each time its pause of a minute is over.
    expect(tokenCalls()).toBeLessThanOrEqual(5);
    expect(tokenCalls()).toBeGreaterThanOrEqual(3);
    expect(told('alarm:')).toHaveLength(1);
    expect(told('alarm:')[0]).toMatchObject({ appid: SHOP.appid, errcode: 40164, class: 'address' });
    expect(told('alarm over')).toEqual([]);

    for (const node of [0, 1]) {
      const client = createClient({ url: control(node) });
      // A node is ready all the same: the other apps are served.
      expect(await client.readyz()).toMatchObject({ status: 'ok' });
      const { credentials } = await client.listCredentials();
      expect(credentials[0]?.failure).toMatchObject({
        errcode: 40164,
        class: 'address',
        hint: expect.stringContaining('127.0.0.1'),
      });
      const labels = { app: 'shop', kind: 'access_token', class: 'address', errcode: '40164' };
      const metrics = parseExposition(await client.metrics());
      expect(metrics.value('open_bridge_issue_failures', labels)).toBeGreaterThanOrEqual(3);
    }

    simulator.setAccount(SHOP.appid, { ipWhitelist: null });
    const before = tokenCalls();
    await wait(70 * SECOND);
    // Nobody has called: the nodes have seen by themselves that the cause is gone.
    expect(tokenCalls()).toBe(before + 1);
    expect(told('alarm over')).toHaveLength(1);
    for (const { status } of await everybody()) expect(status).toBe(200);
    expect(tokenCalls()).toBe(before + 1);
    for (const node of [0, 1]) {
      const { credentials } = await createClient({ url: control(node) }).listCredentials();
      expect(credentials[0]?.failure).toBeNull();
    }
  });

  it.each<[number, AccountChange, AccountChange, number]>([
    [40125, { secret: 'reset at the console' }, { secret: SHOP.secret }, MINUTE],
    [40243, { frozenSecret: true }, { frozenSecret: false }, 5 * MINUTE],
    [89503, { ipWhitelist: [], unlistedIp: 89503 }, { ipWhitelist: null }, 5 * MINUTE],
  ])(
    '%i: asked again after its pause and not before, and over soon after the cause',
    async (errcode, cause, cure, pauseMs) => {
      simulator.setAccount(SHOP.appid, cause);
      await start();
      for (const { status, body } of await everybody()) {
        expect(status).toBe(503);
        expect(body['errcode']).toBe(errcode);
      }
      await wait(pauseMs - 10 * SECOND);
      await everybody();
      expect(tokenCalls()).toBe(1);
      simulator.setAccount(SHOP.appid, cure);
      await wait(20 * SECOND);
      for (const { status } of await everybody()) expect(status).toBe(200);
      expect(tokenCalls()).toBe(2);
      expect(told('alarm:')).toHaveLength(1);
      expect(told('alarm over')).toHaveLength(1);
    },
  );

  it('serves the token it has for as long as it lasts, while none can be had', async () => {
    await start();
    for (const { status } of await everybody()) expect(status).toBe(200);
    simulator.setAccount(SHOP.appid, { frozenSecret: true });
    clock.jump(2 * HOUR - 250 * SECOND);
    await wait(MINUTE);
    expect(told('alarm:')).toHaveLength(1);
    for (const { status } of await everybody()) expect(status).toBe(200);
    await wait(200 * SECOND);
    for (const { status, body } of await everybody()) {
      expect(status).toBe(503);
      expect(body['errcode']).toBe(40243);
    }
    expect(tokenCalls()).toBeLessThanOrEqual(3);
  });

  it('45009: waits for its window, looks in once an hour, and is no alarm', async () => {
    simulator.setAccount(SHOP.appid, { quotas: { stablePerDay: 0 } });
    await start();
    for (let hour = 0; hour < 3; hour += 1) {
      for (const { status, body, retryAfter } of await everybody()) {
        expect(status).toBe(503);
        expect(body['errcode']).toBe(45009);
        expect(retryAfter).toBeGreaterThan(50 * 60);
      }
      clock.jump(HOUR - 30 * SECOND);
      await wait(40 * SECOND);
    }
    // At first, and after each hour.
    expect(tokenCalls()).toBeLessThanOrEqual(4);
    expect(told('alarm:')).toEqual([]);
    // 00:00 in China.
    simulator.setAccount(SHOP.appid, { quotas: { stablePerDay: 100 } });
    clock.jump(Date.parse('2026-03-01T16:00:00Z') - clock.now());
    await wait(20 * SECOND);
    for (const { status } of await everybody()) expect(status).toBe(200);
  });

  it('89506 stands for a day, and an operator who has mended the cause need not wait', async () => {
    simulator.setAccount(SHOP.appid, { ipWhitelist: [], unlistedIp: 89506 });
    await start();
    for (const { retryAfter } of await everybody()) expect(retryAfter).toBeGreaterThan(23 * 3600);
    simulator.setAccount(SHOP.appid, { ipWhitelist: null });
    await wait(2 * MINUTE);
    for (const { body } of await everybody()) expect(body['errcode']).toBe(89506);
    expect(tokenCalls()).toBe(1);
    const adminKey = nodes[0]?.bridge.freshAdminKey;
    await flowing(createClient({ url: control(1), adminKey }).rotateCredential({ appid: 'shop' }));
    for (const { status } of await everybody()) expect(status).toBe(200);
    expect(tokenCalls()).toBe(2);
    expect(told('alarm over')).toHaveLength(1);
  });
});
