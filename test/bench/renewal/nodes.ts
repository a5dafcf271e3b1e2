import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { type Processes, untilAnswers } from '../processes.ts';
import { ADMIN_KEY, CALLER_KEY } from '../traffic.ts';
import { appidOf, nameOf, PLATFORM, secretOf } from './accounts.ts';

/** A running node. */
export interface Node {
  readonly pid: number;
  readonly control: number;
  readonly gateway: number;
  /** Where its garbage collection can be asked for. */
  readonly inspector: number;
  /** From spawning it to its first answer. */
  readonly startMs: number;
}

/** What the nodes of one run have in common. */
export interface Cluster {
  readonly directory: string;
  readonly apps: number;
  /** `storage.database`. */
  readonly database: string;
  /** One port of the platform for each node. */
  readonly platformPorts: readonly number[];
}

/** The configuration file of a node that is yet to be started. */
export interface NodeConfig {
  readonly path: string;
  readonly directory: string;
  readonly control: number;
  readonly gateway: number;
}

const PATIENCE_MS = 120_000;

/** Writes the configuration of each node, as in production: equal but for the ports. */
export async function writeConfigs(cluster: Cluster): Promise<readonly NodeConfig[]> {
  const sealKey = randomBytes(32).toString('base64');
  const apps = Array.from({ length: cluster.apps }, (_, index) => ({
    name: nameOf(index),
    platform: PLATFORM,
    appid: appidOf(index),
    secret: secretOf(index),
  }));
  const configs: NodeConfig[] = [];
  for (const [node, platformPort] of cluster.platformPorts.entries()) {
    const directory = join(cluster.directory, `node-${node}`);
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'open-bridge.json');
    const [control, gateway] = [await freePort(), await freePort()];
    const settings = {
      apps,
      openapi: { enabled: true, allow: ['/wxa/getwxadevinfo'] },
      callers: [{ name: 'bench', key: CALLER_KEY }],
      storage: { database: cluster.database, sealKey },
      listen: {
        control: `127.0.0.1:${control}`,
        gateway: `127.0.0.1:${gateway}`,
        gatewayTls: null,
      },
      upstream: { weixin: `http://127.0.0.1:${platformPort}` },
      admin: { keys: [ADMIN_KEY] },
    };
    writeFileSync(path, JSON.stringify(settings));
    configs.push({ path, directory, control, gateway });
  }
  return configs;
}

/** Starts a node and waits for it. */
export async function startNode(
  { processes, main }: { readonly processes: Processes; readonly main: string },
  { path, directory, control, gateway }: NodeConfig,
): Promise<Node> {
  const inspector = await freePort();
  const begun = performance.now();
  const { pid } = processes.start({
    file: process.execPath,
    args: [`--inspect=127.0.0.1:${inspector}`, main, 'serve', '--config', path],
    cwd: directory,
    core: undefined,
    logFile: join(directory, 'node.log'),
  });
  await untilAnswers(control, '/livez', {}, PATIENCE_MS);
  return { pid, control, gateway, inspector, startMs: performance.now() - begun };
}

/**
 * What a node keeps in its heap, in MiB: what is left when all garbage is collected, which it is for this.
 * Memory as the system sees it goes up and down with the garbage.
 */
export async function keptHeapMib({ inspector }: Node): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${inspector}/json/list`);
  const [target] = (await answer.json()) as { readonly webSocketDebuggerUrl: string }[];
  if (target === undefined) throw new Error('a node cannot be inspected');
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const say = (id: number, method: string): void => socket.send(JSON.stringify({ id, method }));
  try {
    return await new Promise<number>((resolve, reject) => {
      socket.onerror = () => reject(new Error('a node cannot be inspected'));
      socket.onopen = () => say(1, 'HeapProfiler.collectGarbage');
      socket.onmessage = ({ data }) => {
        const { id, result } = JSON.parse(String(data)) as { id?: number; result?: { usedSize?: number } };
        if (id === 1) say(2, 'Runtime.getHeapUsage');
        if (id === 2) resolve((result?.usedSize ?? Number.NaN) / 2 ** 20);
      };
    });
  } finally {
    socket.close();
  }
}

/** Values of a node's metrics by name; those with labels are left out. */
export async function readMetrics({ control }: Node): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${control}/metrics`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
  const lines = (await answer.text()).split('\n');
  return new Map(
    lines.flatMap(line => {
      const [, name, value] = /^(\w+) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}
