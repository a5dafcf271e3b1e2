import { readFileSync } from 'node:fs';
import { request as askHttp, Agent as HttpAgent, type RequestOptions } from 'node:http';
import { request as askHttps, Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import { expect, onTestFinished } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { type Backend, type Balancer, startBalancer } from '../support/balancer.ts';
import { ACCOUNTS, SHOP, writeConfig } from '../support/bridge.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type Served, serveIn } from './command.fixture.ts';

/** What the tests of restarts share: nodes behind a balancer, and callers who never stop calling. */

/** Calls of this path are under way for a while at the platform. */
const SLOW_PATH = '/cgi-bin/get_api_domain_ip';
const SLOW_MS = 400;
const QUICK_PATH = '/wxa/getwxadevinfo';
const HOST = 'api.weixin.qq.com';
const DCLOUD = '__UNI__SHOP';
const CALLERS = 64;

/** A node behind the balancer. */
export interface RollingNode {
  readonly served: Served;
  readonly backend: Backend;
}

/** Three nodes on one database behind a balancer. */
export interface Cluster {
  readonly folder: string;
  readonly simulator: Simulator;
  readonly balancer: Balancer;
  readonly nodes: RollingNode[];
  /** Ends a node as a supervisor does and puts another in its place; `main` is its program. */
  replace(slot: number, main?: string): Promise<void>;
}

/** Starts the nodes; `database` is their `storage.database`. */
export async function startCluster(database: string): Promise<Cluster> {
  const folder = temporaryFolder();
  const simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
  onTestFinished(() => simulator.close());
  simulator.faults.add({ kind: 'latency', ms: SLOW_MS, path: SLOW_PATH });
  writeConfig(folder, simulator.origin, {
    apps: [
      {
        ...{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret },
        ...{ dcloudAppid: DCLOUD, default: true },
      },
    ],
    callers: [
      {
        name: 'local',
        addresses: ['127.0.0.1'],
        scopes: ['call', 'credential:read', 'credential:write'],
      },
    ],
    storage: { database, sealKey: `\${file:./seal.key}` },
    gateway: { certificateFile: './ca.crt' },
    shutdown: { drainMs: 2000 },
    log: { level: 'info' },
  });
  const balancer = await startBalancer(['control', 'gateway', 'gatewayTls']);
  onTestFinished(() => balancer.close());

  async function start(main?: string): Promise<RollingNode> {
    const served = await serveIn(folder, 'open-bridge.json', main);
    const { control, gateway, gatewayTls } = served;
    const port = (origin: string): number => Number(new URL(origin).port);
    const ports = { control: port(control), gateway: port(gateway), gatewayTls: port(gatewayTls) };
    const backend = { control, ports };
    balancer.add(backend);
    await expect.poll(() => balancer.isReady(backend), { timeout: 20_000 }).toBe(true);
    return { served, backend };
  }

  const nodes = [await start(), await start(), await start()];
  return {
    ...{ folder, simulator, balancer, nodes },
    async replace(slot, main) {
      const { served, backend } = nodes[slot] as RollingNode;
      expect(await served.kill('SIGTERM')).toBe(0);
      balancer.remove(backend);
      nodes[slot] = await start(main);
    },
  };
}

/** Calls without a pause worth the name; `failed` tells of each that was not answered as in quiet times. */
export interface Traffic {
  readonly calls: number;
  readonly failed: readonly string[];
  /** Resolves when each kind of caller has made so many more calls. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

type Ask = (turn: number) => Promise<{ readonly status: number; readonly text: string }>;

/** Starts 64 callers with connections that they keep: five kinds of clients, none of which repeats a call by our doing. */
export function startTraffic({ folder, balancer: { ports } }: Cluster): Traffic {
  const ca = readFileSync(join(folder, 'ca.crt'), 'utf8');
  const tls = { ca, servername: HOST };
  const plain = new Agent({ connections: 16 });
  const http2 = new Agent({ allowH2: true, connections: 4, connect: tls });
  const httpAgent = new HttpAgent({ keepAlive: true });
  const httpsAgent = new HttpsAgent({ keepAlive: true, ...tls });
  onTestFinished(async () => {
    await Promise.all([plain.destroy(), http2.destroy()]);
    httpAgent.destroy();
    httpsAgent.destroy();
  });

  const byUndici = async (dispatcher: Dispatcher, origin: string, path: string, body?: object) => {
    const method = body === undefined ? 'GET' : 'POST';
    const answer = await request(`${origin}${path}`, {
      ...{ dispatcher, method },
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const byNode = (send: typeof askHttp, options: RequestOptions) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = send({ host: '127.0.0.1', ...options }, answer => {
        let text = '';
        answer.on('data', chunk => (text += chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end();
    });

  const pathOf = (turn: number): string => (turn % 10 === 0 ? SLOW_PATH : QUICK_PATH);
  const bodyOf = (turn: number): object | undefined => (turn % 4 === 1 ? {} : undefined);
  const kinds: readonly { readonly name: string; readonly callers: number; readonly ask: Ask }[] = [
    {
      ...{ name: 'undici', callers: 16 },
      ask: turn => byUndici(plain, `http://127.0.0.1:${ports['gateway']}`, pathOf(turn), bodyOf(turn)),
    },
    {
      ...{ name: 'node:http', callers: 16 },
      ask: turn => byNode(askHttp, { port: ports['gateway'], path: pathOf(turn), agent: httpAgent }),
    },
    {
      ...{ name: 'node:https', callers: 8 },
      ask: turn =>
        byNode(askHttps, {
          ...{ port: ports['gatewayTls'], path: pathOf(turn), agent: httpsAgent },
          headers: { host: HOST },
        }),
    },
    {
      ...{ name: 'undici over HTTP/2', callers: 16 },
      ask: turn => byUndici(http2, `https://127.0.0.1:${ports['gatewayTls']}`, pathOf(turn), bodyOf(turn)),
    },
    {
      ...{ name: 'control API', callers: 8 },
      ask: () =>
        byUndici(plain, `http://127.0.0.1:${ports['control']}`, '/uni-open-bridge/getAccessToken', {
          ...{ dcloudAppid: DCLOUD, platform: 'weixin-mp' },
        }),
    },
  ];

  const failed: string[] = [];
  const counts = kinds.map(() => 0);
  let over = false;

  async function call(kind: number, turn: number): Promise<void> {
    const { name, ask } = kinds[kind] as (typeof kinds)[number];
    const fault = await ask(turn).then(
      ({ status, text }) => (status === 200 && isGood(text) ? undefined : `${status} ${text.slice(0, 300)}`),
      (error: NodeJS.ErrnoException) => `${error.code} ${error.message}`,
    );
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (fault !== undefined) failed.push(`${name}: ${fault}`);
  }

  const workers = kinds.flatMap(({ callers }, kind) =>
    Array.from({ length: callers }, async (_, worker) => {
      // Some call all the time, some leave their connections alone for a moment.
      for (let turn = worker; !over; turn += 1) {
        await call(kind, turn);
        await pause(worker % 4 === 0 ? 250 : 10);
      }
    }),
  );
  expect(workers).toHaveLength(CALLERS);

  return {
    get calls() {
      return counts.reduce((sum, count) => sum + count, 0);
    },
    failed,
    async more(count) {
      const wanted = counts.map(made => made + count);
      await expect
        .poll(() => counts.every((made, kind) => made >= (wanted[kind] ?? 0)), { timeout: 60_000 })
        .toBe(true);
    },
    async stop() {
      over = true;
      await Promise.all(workers);
    },
  };
}

function isGood(text: string): boolean {
  const answer = JSON.parse(text) as { errcode?: number; access_token?: string; ip_list?: unknown };
  return answer.errcode === 0 || answer.access_token !== undefined || Array.isArray(answer.ip_list);
}
