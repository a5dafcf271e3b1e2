import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';
import type { OpenLoopResult } from '../load/open-loop.ts';
import type { PartSetup } from '../part.ts';
import { cpuMs, rssMib, run, untilAnswers } from '../processes.ts';
import { type BenchPostgres, startPostgres } from '../servers/postgres.ts';
import type { Schedule } from './accounts.ts';
import type { CallSettings } from './calls-main.ts';
import type { ConfigCost, ConfigSettings } from './config-main.ts';
import type { FillSettings } from './fill-main.ts';
import { keptHeapMib, type Node, type NodeConfig, readMetrics, startNode, writeConfigs } from './nodes.ts';
import type { PlatformReport, PlatformSettings } from './platform-main.ts';
import { beginCounts, type Counts, type Plan, readCounts, readPlans, WATCHING } from './statements.ts';
import type { RenewalSubject } from './subjects.ts';

/** What one run does. */
export interface RunOptions {
  readonly setup: PartSetup;
  readonly subject: RenewalSubject;
  /** Folder of the compiled program. */
  readonly dist: string;
  readonly directory: string;
  readonly apps: number;
  /** Seconds in which all of them fall due. */
  readonly dueSeconds: number;
}

/** Memory of every node at one time, in MiB. */
export interface MemorySample {
  /** Seconds since the first was due. */
  readonly at: number;
  readonly renewed: number;
  readonly rss: readonly number[];
}

/** Calls through one node's gateway at a fixed rate. */
export type Calls = Pick<OpenLoopResult, 'sent' | 'failed' | 'p50' | 'p99'>;

/** All that one run found out. */
export interface RunResult {
  readonly config: ConfigCost;
  readonly startMs: readonly number[];
  readonly fillSeconds: number;
  readonly platform: PlatformReport;
  /** Seconds from the first that was due to the last that was renewed. */
  readonly tookSeconds: number;
  readonly memory: readonly MemorySample[];
  /** What the nodes keep in their heaps before, and ten seconds after the last renewal, in MiB. */
  readonly keptBefore: readonly number[];
  readonly keptAfter: readonly number[];
  /** Lag of the event loops, in milliseconds: the 99th percentile of each few seconds of each node. */
  readonly lags: readonly number[];
  /** Processor time of the nodes, and of the database server, for one renewal, in milliseconds. */
  readonly nodeCpuMs: number;
  readonly serverCpuMs: number | undefined;
  /** Calls before anything was due, and meanwhile. */
  readonly callsBefore: Calls;
  readonly callsMeanwhile: Calls;
  /** Rows that were written exactly once. */
  readonly writtenOnce: number;
  /** Of a database server. */
  readonly counts: Counts | undefined;
  readonly plans: readonly Plan[];
  /** Whether the nodes were ready too late to be called for a while before anything was due. */
  readonly late: boolean;
}

const ANSWER_MS = 50;
const CALL_RATE = 50;
const CALL_CONNECTIONS = 8;
const SAMPLE_MS = 2000;
const METRICS_EVERY = 3;
const SETTLE_MS = 10_000;
/** What a run may take beyond the time in which all fall due: the least that is left of a token's life then. */
const LAST_MS = 240_000;

/** Fills a database, starts what is needed and watches until all are renewed. */
export async function runRenewal(options: RunOptions): Promise<RunResult> {
  const { setup, subject, dist, directory, apps, dueSeconds } = options;
  const { processes, main, say } = setup;
  mkdirSync(directory, { recursive: true });
  const postgres =
    subject.store === 'postgres'
      ? await startPostgres({
          processes,
          directory: join(directory, 'database'),
          core: undefined,
          settings: WATCHING,
        })
      : undefined;
  const file = join(directory, 'open-bridge.db');
  const platformPorts: number[] = [];
  for (let node = 0; node < subject.nodes; node += 1) platformPorts.push(await freePort());
  const [platformPort] = platformPorts as [number];
  const database = postgres?.url ?? `sqlite:${file}`;
  const configs = await writeConfigs({ directory, apps, database, platformPorts });
  const [{ path: config }] = configs as [NodeConfig];
  const cost = await child<ConfigCost>('config-main.ts', { dist, config } satisfies ConfigSettings, [
    '--expose-gc',
  ]);

  // Time to store the tokens, to start the nodes and to have them called for a while before.
  const quietSeconds = setup.options.quick ? 2 : 10;
  const schedule: Schedule = {
    apps,
    from: Date.now() + 10_000 + quietSeconds * 1000 + apps * (0.2 + 0.15 * subject.nodes),
    spreadMs: dueSeconds * 1000,
  };
  say(`${subject.name}: storing ${apps} tokens`);
  const filling = performance.now();
  await child('fill-main.ts', { dist, config, schedule } satisfies FillSettings);
  const fillSeconds = (performance.now() - filling) / 1000;
  const platformSettings: PlatformSettings = { ports: platformPorts, schedule, answerMs: ANSWER_MS };
  processes.start({
    file: process.execPath,
    args: [script('platform-main.ts'), JSON.stringify(platformSettings)],
    core: undefined,
    logFile: join(directory, 'platform.log'),
  });
  await untilAnswers(platformPort, '/bench/issued', {});
  const nodes: Node[] = [];
  for (const each of configs) nodes.push(await startNode({ processes, main }, each));
  const [first] = nodes as [Node];
  const late = Date.now() > schedule.from - quietSeconds * 1000;
  const call = (seconds: number): Promise<OpenLoopResult> => {
    const settings: CallSettings = {
      port: first.gateway,
      apps,
      rate: CALL_RATE,
      seconds,
      connections: CALL_CONNECTIONS,
    };
    return child('calls-main.ts', settings);
  };
  const callsBefore = await call(Math.max(1, (schedule.from - Date.now()) / 1000 - 3));
  const keptBefore = await Promise.all(nodes.map(keptHeapMib));
  await delay(Math.max(0, schedule.from - Date.now() - 500));
  if (postgres !== undefined) await beginCounts(postgres);

  say(`${subject.name}: ${apps} tokens fall due within ${dueSeconds} s`);
  const cpuBefore = cpuOf(nodes);
  const serverCpuBefore = postgres === undefined ? 0 : cpuMs(postgres.pid);
  const meanwhile = call(dueSeconds);
  // Should it fail while something else is waited for, it is told when its turn comes.
  meanwhile.catch(() => {});
  const { memory, lags } = await watch(nodes, platformPort, schedule);
  const renewed = memory.at(-1)?.renewed ?? Number.NaN;
  const nodeCpuMs = (cpuOf(nodes) - cpuBefore) / renewed;
  const serverCpuMs = postgres && (cpuMs(postgres.pid) - serverCpuBefore) / renewed;
  const callsMeanwhile = await meanwhile;
  await delay(SETTLE_MS);
  const counts = postgres && (await readCounts(postgres));
  const platform = await ask<PlatformReport>(platformPort, '/bench/report');
  const after: MemorySample = {
    at: (Date.now() - schedule.from) / 1000,
    renewed: platform.issued,
    rss: nodes.map(({ pid }) => rssMib(pid)),
  };
  const result: RunResult = {
    config: cost,
    startMs: nodes.map(({ startMs }) => startMs),
    fillSeconds,
    platform,
    tookSeconds: ((platform.lastAt ?? Number.NaN) - schedule.from) / 1000,
    memory: [...memory, after],
    keptBefore,
    keptAfter: await Promise.all(nodes.map(keptHeapMib)),
    lags,
    nodeCpuMs,
    serverCpuMs,
    callsBefore,
    callsMeanwhile,
    writtenOnce: await writtenOnce(postgres, file),
    counts,
    plans: postgres === undefined ? [] : await readPlans(postgres.logFile),
    late,
  };
  await processes.stopAll();
  return result;
}

/** Looks at nodes and platform every few seconds until all are renewed, or can be no more. */
async function watch(
  nodes: readonly Node[],
  platformPort: number,
  { apps, from, spreadMs }: Schedule,
): Promise<{ readonly memory: MemorySample[]; readonly lags: number[] }> {
  const memory: MemorySample[] = [];
  const lags: number[] = [];
  for (let look = 0; ; look += 1) {
    const renewed = await ask<number>(platformPort, '/bench/issued');
    const at = Date.now() - from;
    memory.push({ at: at / 1000, renewed, rss: nodes.map(({ pid }) => rssMib(pid)) });
    if (look % METRICS_EVERY === METRICS_EVERY - 1) {
      for (const node of nodes) {
        const lag = (await readMetrics(node)).get('nodejs_eventloop_lag_p99_seconds');
        if (lag !== undefined) lags.push(lag * 1000);
      }
    }
    if (renewed === apps || at > spreadMs + LAST_MS) return { memory, lags };
    await delay(SAMPLE_MS);
  }
}

/** How many tokens were replaced once and no more, by the database's own word. */
async function writtenOnce(postgres: BenchPostgres | undefined, file: string): Promise<number> {
  const query = 'select count(*) as n from "opendb-open-data" where epoch = 2';
  if (postgres !== undefined) return Number((await postgres.query(query))[0]?.['n']);
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(database.prepare(query).get()?.['n']);
  } finally {
    database.close();
  }
}

function cpuOf(nodes: readonly Node[]): number {
  return nodes.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
}

async function ask<T>(port: number, path: string): Promise<T> {
  return (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as T;
}

function script(name: string): string {
  return join(import.meta.dirname, name);
}

/** Runs one of this folder's programs to its end and reads what it printed. */
async function child<T>(name: string, settings: object, flags: readonly string[] = []): Promise<T> {
  const out = await run(process.execPath, [...flags, script(name), JSON.stringify(settings)], undefined);
  return (out === '' ? undefined : JSON.parse(out)) as T;
}
