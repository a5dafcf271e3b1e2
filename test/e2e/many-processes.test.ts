import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';

const PROCESSES = 8;
const CALLERS = 64;
const LIFE_MS = 7200_000;

/** Token errors a caller may never see. */
const TOKEN_ERRORS = new Set([40001, 40014, 41001, 42001]);

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;
let offsetMs: number;
let bridges: BridgeProcess[];
let agent: Agent;

beforeEach(async () => {
  folder = temporaryFolder();
  offsetMs = 0;
  simulator = await startSimulator({
    accounts: ACCOUNTS.map(each => ({ ...each })),
    now: () => Date.now() + offsetMs,
  });
  agent = new Agent({ connections: CALLERS });
});

afterEach(async () => {
  await Promise.all(bridges.map(bridge => bridge.kill('SIGKILL')));
  await agent.destroy();
  await simulator.close();
  folder[Symbol.dispose]();
});

/** Starts the bridges; by default none issues before it is asked, so that callers meet a cold start. */
async function start(change: Record<string, unknown> = {}): Promise<void> {
  const config = writeConfig(folder.path, simulator.origin, {
    apps: [
      {
        name: 'shop',
        platform: 'weixin-mp',
        appid: SHOP.appid,
        secret: SHOP.secret,
        dcloudAppid: '__UNI__SHOP',
        default: true,
      },
    ],
    schedule: { __UNI__SHOP: { enable: false } },
    ...change,
  });
  bridges = await Promise.all(Array.from({ length: PROCESSES }, () => startBridgeProcess(config)));
}

async function advance(ms: number): Promise<void> {
  offsetMs += ms;
  await Promise.all(bridges.map(bridge => bridge.advance(ms)));
}

/** What one caller was told; a connection broken by a killed process counts as `gone`. */
async function call(bridge: BridgeProcess): Promise<number | 'gone'> {
  try {
    const answer = await request(`${bridge.gateway}/wxa/getwxadevinfo`, { dispatcher: agent });
    return ((await answer.body.json()) as { errcode: number }).errcode;
  } catch {
    return 'gone';
  }
}

function storm(): Promise<(number | 'gone')[]> {
  return Promise.all(bridges.flatMap(bridge => Array.from({ length: CALLERS }, () => call(bridge))));
}

const issued = (): number => simulator.counters(SHOP.appid).stable.issued;

describe('eight processes on one SQLite file, 64 callers each', () => {
  it('issue one token at a cold start, one at expiry, one in the renewal window, and no caller notices', async () => {
    await start();
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(issued()).toBe(1);

    await advance(LIFE_MS + 1000);
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(issued()).toBe(2);

    await advance(LIFE_MS - 200_000);
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(issued()).toBe(3);
    expect(simulator.counters(SHOP.appid).tokenErrors).toBe(0);
    expect(simulator.counters(SHOP.appid).stable.calls).toBe(3);
  }, 60_000);

  it('renew in the background when the token is due, though all of them look at the same rows', async () => {
    await start({ schedule: {} });
    await expect.poll(issued, { timeout: 10_000 }).toBe(1);
    await advance(LIFE_MS - 200_000);
    await expect.poll(issued, { timeout: 10_000 }).toBe(2);
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(issued()).toBe(2);
  }, 60_000);

  it('repair a token revoked in mid-life with one issue', async () => {
    await start();
    await storm();
    simulator.revoke(SHOP.appid, 'stable');
    expect(new Set(await storm())).toEqual(new Set([0]));
    expect(issued()).toBe(2);
    expect(simulator.counters(SHOP.appid).stable.forced).toBe(0);
  }, 60_000);

  it('outlive a process killed while it holds the lease', async () => {
    await start();
    simulator.faults.add({ kind: 'silent', path: '/cgi-bin/stable_token', times: 1 });
    const answers = storm();
    await expect.poll(() => simulator.counters(SHOP.appid).stable.calls, { timeout: 10_000 }).toBe(1);
    const holder = leaseHolder();
    const victim = bridges.find(bridge => holder.includes(`:${bridge.pid}/`));
    expect(victim).toBeDefined();
    await victim?.kill('SIGKILL');

    const seen = await answers;
    expect(seen.filter(each => each === 'gone').length).toBe(CALLERS);
    expect(seen.filter(each => typeof each === 'number' && TOKEN_ERRORS.has(each))).toEqual([]);
    expect(seen.filter(each => each === 0).length).toBe(CALLERS * (PROCESSES - 1));
    expect(issued()).toBe(1);
  }, 60_000);
});

function leaseHolder(): string {
  const database = new DatabaseSync(join(folder.path, 'open-bridge.db'), { readOnly: true });
  try {
    const row = database.prepare('select holder from open_bridge_leases').get();
    return String(row?.['holder']);
  } finally {
    database.close();
  }
}
