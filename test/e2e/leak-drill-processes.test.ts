import { afterEach, beforeEach, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/base/secret.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import type { LeakDrillBody } from '../../src/contract/leak-drill.ts';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';

const ADMIN_KEY = 'canary-admin-key-of-processes-01';
const ORDERS_KEY = 'canary-key-of-orders-0123456789';
const READER_KEY = 'canary-key-of-a-reader-012345678';
const SDK_KEY = 'canary-key-of-virtual-sdk-012345';

/** Waits for other processes on a machine with much to do. */
const SOON = { timeout: 20_000 };

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;
let config: string;
let offsetMs: number;
let nodes: BridgeProcess[];

beforeEach(async () => {
  folder = temporaryFolder();
  offsetMs = 0;
  simulator = await startSimulator({
    accounts: ACCOUNTS.map(each => ({ ...each })),
    now: () => Date.now() + offsetMs,
  });
  config = writeConfig(folder.path, simulator.origin, {
    admin: { keys: [ADMIN_KEY] },
    callers: [
      { name: 'orders', key: ORDERS_KEY },
      { name: 'reader', key: READER_KEY, scopes: ['call', 'credential:read'] },
      { name: 'sdk', key: SDK_KEY, tokens: 'virtual' },
    ],
  });
  nodes = await Promise.all([startBridgeProcess(config), startBridgeProcess(config)]);
  await token(nodes[0], READER_KEY);
});

afterEach(async () => {
  await Promise.all(nodes.map(node => node.kill('SIGKILL')));
  await simulator.close();
  folder[Symbol.dispose]();
});

const admin = (node: BridgeProcess | undefined): Client =>
  createClient({ url: node?.control ?? '', adminKey: ADMIN_KEY });

const stable = () => simulator.counters(SHOP.appid).stable;

async function advance(ms: number): Promise<void> {
  offsetMs += ms;
  await Promise.all(nodes.map(node => node.advance(ms)));
}

async function call(node: BridgeProcess | undefined, key: string, query = '') {
  const answer = await fetch(`${node?.gateway}/cgi-bin/getcallbackip${query}`, {
    headers: { 'x-bridge-key': key },
  });
  const { errcode = 0 } = (await answer.json()) as { errcode?: number };
  return { status: answer.status, errcode };
}

async function token(node: BridgeProcess | undefined, key: string): Promise<string> {
  const query = `grant_type=client_credential&appid=${SHOP.appid}&secret=${key}`;
  const answer = await fetch(`${node?.gateway}/cgi-bin/token?${query}`);
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** Waits until the drill has come so far, as this node sees it. */
async function reached(
  node: BridgeProcess | undefined,
  is: (drill: LeakDrillBody) => boolean,
): Promise<LeakDrillBody> {
  await expect.poll(async () => is(await admin(node).getLeakDrill({ app: 'shop' })), SOON).toBe(true);
  return admin(node).getLeakDrill({ app: 'shop', report: true });
}

const isWaiting = ({ steps }: LeakDrillBody): boolean =>
  steps.some(({ name, state }) => name === 'wait' && state === 'running');
const isOver = ({ state }: LeakDrillBody): boolean => state !== 'running';

it('two commands on two nodes at once make one drill, and callers of both notice nothing', async () => {
  const [first, second] = nodes;
  const begun = await Promise.all(
    [first, second].map(node => admin(node).startLeakDrill({ app: 'shop', rehearsal: false })),
  );
  expect(new Set(begun.map(({ id }) => id)).size).toBe(1);

  const answers: { status: number; errcode: number }[] = [];
  let loading = true;
  const load = [first, second].map(async node => {
    while (loading) answers.push(await call(node, ORDERS_KEY));
  });
  await reached(second, isWaiting);
  await advance(32_000);
  const drill = await reached(first, isOver);
  const enough = answers.length + 50;
  await expect.poll(() => answers.length, SOON).toBeGreaterThan(enough);
  loading = false;
  await Promise.all(load);

  expect(drill).toMatchObject({ state: 'done', tokens: [{}, {}, { endsAt: null }] });
  expect(stable()).toMatchObject({ forced: 2, issued: 3 });
  expect(answers.filter(({ status, errcode }) => status !== 200 || errcode !== 0)).toEqual([]);
  expect(drill.report?.readers).toMatchObject([{ actor: 'reader', times: 1 }]);
  expect((await admin(second).listAudit({ action: 'leak-drill', limit: 50 })).entries).toHaveLength(2 + 6);
}, 60_000);

it('a node that dies after the first refresh leaves the rest to another', async () => {
  const [first, second] = nodes;
  const { id } = await admin(first).startLeakDrill({ app: 'shop' });
  await reached(second, isWaiting);
  await first?.kill('SIGKILL');
  nodes = second === undefined ? [] : [second];
  await advance(32_000);
  const drill = await reached(second, isOver);
  expect(drill).toMatchObject({ id, state: 'done', startedBy: 'admin' });
  expect(drill.tokens).toHaveLength(3);
  expect(stable()).toMatchObject({ forced: 2, issued: 3 });
  expect(simulator.state.tokens(SHOP.appid).map(fingerprintOf)).toEqual([drill.tokens[2]?.fingerprint]);
}, 60_000);

it('a node that dies in the middle of the first refresh costs no more than one', async () => {
  const [first, second] = nodes;
  simulator.faults.add({ kind: 'silent', path: '/cgi-bin/stable_token', times: 1 });
  await admin(first).startLeakDrill({ app: 'shop' });
  await expect.poll(() => stable().calls, SOON).toBe(2);
  await first?.kill('SIGKILL');
  nodes = second === undefined ? [] : [second];
  // Twice the spacing: the refresh that was cut off counts, whatever became of it.
  await advance(32_000);
  await reached(second, isWaiting);
  await advance(32_000);
  expect(await reached(second, isOver)).toMatchObject({ state: 'done', budget: { used: 3 } });
  expect(simulator.state.tokens(SHOP.appid)).toHaveLength(1);
}, 60_000);

it('a key revoked on one node is refused by the other, with the virtual tokens it brought, for good', async () => {
  const [first, second] = nodes;
  const virtual = await token(second, SDK_KEY);
  const query = `?access_token=${virtual}`;
  expect(await call(second, ORDERS_KEY, query)).toEqual({ status: 200, errcode: 0 });
  expect(await call(second, SDK_KEY)).toEqual({ status: 200, errcode: 0 });
  const { revoked, left } = await admin(first).revokeKey({ caller: 'sdk' });
  expect([revoked, left]).toEqual([[fingerprintOf(SDK_KEY)], []]);
  expect(await call(first, SDK_KEY)).toMatchObject({ status: 401 });
  await expect.poll(async () => (await call(second, SDK_KEY)).status, SOON).toBe(401);
  expect(await call(second, ORDERS_KEY, query)).toMatchObject({ errcode: 40001 });
  expect(await call(second, ORDERS_KEY)).toEqual({ status: 200, errcode: 0 });
  const { callers } = await admin(second).listCallers();
  expect(callers.map(({ name, keys }) => [name, keys.map(({ revokedAt }) => revokedAt !== null)])).toEqual([
    ['orders', [false]],
    ['reader', [false]],
    ['sdk', [true]],
  ]);

  await second?.kill('SIGTERM');
  const again = await startBridgeProcess(config);
  nodes = [...(first === undefined ? [] : [first]), again];
  expect(await call(again, SDK_KEY)).toMatchObject({ status: 401 });
  for (const node of nodes)
    for (const secret of [ADMIN_KEY, ORDERS_KEY, SDK_KEY, virtual, ...simulator.state.tokens(SHOP.appid)])
      expect(node.output()).not.toContain(secret);
}, 60_000);
