import { join } from 'node:path';
import type { Contender } from './contenders.ts';
import type { BodiesResult, BodiesSettings } from './load/bodies-main.ts';
import type { OpenLoopResult, OpenLoopSettings } from './load/open-loop-main.ts';
import type { Saturator } from './load/saturate.ts';
import type { Figures, MetricName } from './metrics.ts';
import type { BenchOptions } from './options.ts';
import { DIRECT, type Leg } from './peers/peer.ts';
import { cpuMs, rssMib, run } from './processes.ts';
import {
  HEADERS,
  LARGE_BYTES,
  LARGE_GET,
  LARGE_MIB,
  LARGE_POST,
  SMALL_BODY,
  SMALL_GET,
  SMALL_POST,
} from './traffic.ts';

/** What measuring needs. */
export interface MeasureOptions {
  readonly options: BenchOptions;
  readonly figures: Figures;
  readonly saturator: Saturator;
  /** The core for load generators. */
  readonly core: number | undefined;
}

/** Takes some figures of one contender. Rejects when a call fails. */
export type Measure = (contender: Contender) => Promise<void>;

/** Connections of the generator with the fixed rate: enough that calls wait only when the peer stalls. */
const PACED_CONNECTIONS = 32;

const SAMPLE_MS = 100;

/** Processor time and most memory of a contender while something is done to it. */
async function watch<T>(
  contender: Contender,
  leg: Leg,
  work: () => Promise<T>,
): Promise<{
  readonly result: T;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly peakMib: number;
}> {
  const pid = contender.pids?.[leg];
  if (pid === undefined) {
    return { result: await work(), cpuMs: Number.NaN, wallMs: Number.NaN, peakMib: Number.NaN };
  }
  let peakMib = 0;
  const sampler = setInterval(() => {
    peakMib = Math.max(peakMib, rssMib(pid));
  }, SAMPLE_MS);
  const cpuBefore = cpuMs(pid);
  const startedAt = performance.now();
  try {
    const result = await work();
    const wallMs = performance.now() - startedAt;
    return { result, cpuMs: cpuMs(pid) - cpuBefore, wallMs, peakMib };
  } finally {
    clearInterval(sampler);
  }
}

/** Makes the measures of a round, in their order. */
export function createMeasures({ options, figures, saturator, core }: MeasureOptions): readonly Measure[] {
  const add = (metric: MetricName, contender: Contender, value: number): void => {
    if (!Number.isNaN(value)) figures.add(metric, contender.name, value);
  };

  const small =
    (leg: Leg, rate: MetricName, cpu: MetricName, path: string, body?: string): Measure =>
    async contender => {
      const target = { port: contender.ports[leg], tls: leg === 'tls' && contender.pids === undefined };
      const request = { ...target, path: contender.pathFor(path), body };
      const seen = await watch(contender, leg, () => saturator.saturate(request, options.seconds));
      add(rate, contender, seen.result.perSecond);
      add(cpu, contender, (seen.cpuMs * 1000) / seen.result.requests);
      if (rate !== 'getRate') return;
      add('getCore', contender, (seen.cpuMs / seen.wallMs) * 100);
      add('rssLoad', contender, seen.peakMib);
    };

  const paced: Measure = async contender => {
    const settings: OpenLoopSettings = {
      port: contender.ports.plain,
      tls: false,
      path: contender.pathFor(SMALL_GET),
      headers: HEADERS,
      rate: options.rate,
      seconds: options.seconds + 1,
      connections: PACED_CONNECTIONS,
    };
    const { result, cpuMs: cpu } = await watch(contender, 'plain', () =>
      generate<OpenLoopResult>('open-loop-main.ts', settings, core),
    );
    if (result.failed > 0) throw new Error(`${result.failed} of ${result.sent} calls failed`);
    add('p50', contender, result.p50);
    add('p99', contender, result.p99);
    add('late', contender, result.lateP99);
    add('pacedCpu', contender, (cpu * 1000) / result.sent);
    // The direct call comes first in every round, so its figures of this round are there.
    if (contender.name === DIRECT) return;
    add('addedP50', contender, result.p50 - (figures.of('p50', DIRECT).at(-1) ?? Number.NaN));
    add('addedP99', contender, result.p99 - (figures.of('p99', DIRECT).at(-1) ?? Number.NaN));
  };

  const bodies =
    (leg: Leg, direction: BodiesSettings['direction'], rate: MetricName, cpu: MetricName): Measure =>
    async contender => {
      const settings: BodiesSettings = {
        port: contender.ports[leg],
        tls: leg === 'tls' && contender.pids === undefined,
        direction,
        path: contender.pathFor(direction === 'request' ? LARGE_POST : LARGE_GET),
        headers: HEADERS,
        count: options.bodies,
      };
      const seen = await watch(contender, leg, () =>
        generate<BodiesResult>('bodies-main.ts', settings, core),
      );
      const { result } = seen;
      if (result.failed > 0) throw new Error(`${result.failed} of ${options.bodies} bodies failed`);
      add(rate, contender, (result.bytes / LARGE_BYTES / result.seconds) * LARGE_MIB);
      add(cpu, contender, seen.cpuMs / options.bodies);
      if (leg === 'plain') add('rssBodies', contender, seen.peakMib);
    };

  return [
    small('plain', 'getRate', 'getCpu', SMALL_GET),
    small('plain', 'postRate', 'postCpu', SMALL_POST, SMALL_BODY),
    paced,
    small('tls', 'tlsRate', 'tlsCpu', SMALL_GET),
    bodies('plain', 'request', 'upPlain', 'upPlainCpu'),
    bodies('plain', 'response', 'downPlain', 'downPlainCpu'),
    bodies('tls', 'request', 'upTls', 'upTlsCpu'),
    bodies('tls', 'response', 'downTls', 'downTlsCpu'),
  ];
}

async function generate<T>(script: string, settings: object, core: number | undefined): Promise<T> {
  const main = join(import.meta.dirname, 'load', script);
  return JSON.parse(await run(process.execPath, [main, JSON.stringify(settings)], core)) as T;
}
