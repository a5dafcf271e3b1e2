import { Figures, type Metric } from '../metrics.ts';
import { median } from '../stats.ts';
import type { RunResult } from './run.ts';
import type { RenewalName } from './subjects.ts';

const wait = (title: string): Metric => ({ title, unit: 'ms', digits: 1, better: 'less' });
const seconds = (title: string): Metric => ({ title, unit: 's', digits: 1, better: 'less' });
const memory = (title: string): Metric => ({ title, unit: 'MiB', digits: 0, better: 'less' });
const count = (title: string): Metric => ({ title, unit: '', digits: 0, better: 'less' });

/** All figures of renewal, in the order of the report. */
export const RENEWAL_METRICS = {
  configMs: { title: 'configuration read and checked', unit: 'ms', digits: 0, better: 'less' },
  configMib: memory('  memory it takes while in use'),
  startMs: { title: 'start of a node', unit: 'ms', digits: 0, better: 'less' },
  rate: { title: 'renewals', unit: '/s', digits: 0, better: 'more' },
  took: seconds('all renewed after'),
  lateP50: seconds('  after it was due, p50'),
  lateP99: seconds('  after it was due, p99'),
  lateMost: seconds('  after it was due, the latest'),
  repeated: count('asked for what was given already'),
  retried: count('asked again without having had an answer'),
  pastEnd: count('renewed after its end'),
  atOnce: count('most under way at once'),
  nodeCpu: { title: 'processor time a renewal, nodes', unit: 'ms', digits: 2, better: 'less' },
  serverCpu: { title: '  database server', unit: 'ms', digits: 2, better: 'less' },
  statements: { title: 'statements a renewal', unit: '', digits: 1, better: 'less' },
  statementRate: { title: '  a second', unit: '/s', digits: 0, better: 'more' },
  lag: wait('lag of the event loop, median of p99s'),
  lagMost: wait('  highest p99 of a few seconds'),
  callsBeforeP50: wait('call through a gateway before, p50'),
  callsBeforeP99: wait('  p99'),
  callsP50: wait('call through a gateway meanwhile, p50'),
  callsP99: wait('  p99'),
  keptBefore: memory('heap of a node without garbage, before'),
  keptAfter: memory('  after'),
  rssBefore: memory('memory of a node before'),
  rssMost: memory('  most'),
  rssAfter: memory('  ten seconds after'),
} as const satisfies Record<string, Metric>;

export type RenewalMetric = keyof typeof RENEWAL_METRICS;

export const RENEWAL_METRIC_NAMES = Object.keys(RENEWAL_METRICS) as RenewalMetric[];

/** Figures of all rounds, by who renews. */
export type RenewalFigures = Figures<RenewalMetric>;

export function createRenewalFigures(): RenewalFigures {
  return new Figures<RenewalMetric>();
}

/** Keeps what one run gave. Of several nodes the one with the most memory counts. */
export function addRun(figures: RenewalFigures, place: RenewalName, run: RunResult): void {
  const { platform, memory: samples, counts, callsBefore, callsMeanwhile } = run;
  const statements = counts?.statements.reduce((sum, { calls }) => sum + calls, 0);
  const most = (sample: RunResult['memory'][number] | undefined): number | undefined =>
    sample && Math.max(...sample.rss);
  const inSeconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
  const values: Record<RenewalMetric, number | null | undefined> = {
    configMs: run.config.loadMs + run.config.directoryMs,
    configMib: run.config.heapMib,
    startMs: median(run.startMs),
    rate: platform.issued / run.tookSeconds,
    took: run.tookSeconds,
    lateP50: inSeconds(platform.lateP50),
    lateP99: inSeconds(platform.lateP99),
    lateMost: inSeconds(platform.lateMost),
    repeated: platform.repeated,
    retried: platform.retried,
    pastEnd: platform.pastEnd,
    atOnce: platform.mostAtOnce,
    nodeCpu: run.nodeCpuMs,
    serverCpu: run.serverCpuMs,
    statements: statements && statements / platform.issued,
    statementRate: statements && statements / run.tookSeconds,
    lag: median(run.lags),
    lagMost: run.lags.length === 0 ? undefined : Math.max(...run.lags),
    callsBeforeP50: callsBefore.p50,
    callsBeforeP99: callsBefore.p99,
    callsP50: callsMeanwhile.p50,
    callsP99: callsMeanwhile.p99,
    keptBefore: Math.max(...run.keptBefore),
    keptAfter: Math.max(...run.keptAfter),
    rssBefore: most(samples[0]),
    rssMost: Math.max(...samples.flatMap(({ rss }) => rss)),
    rssAfter: most(samples.at(-1)),
  };
  for (const metric of RENEWAL_METRIC_NAMES) {
    const value = values[metric];
    if (value !== null && value !== undefined) figures.add(metric, place, value);
  }
}
