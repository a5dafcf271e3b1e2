import { Figures, type Metric } from '../metrics.ts';
import type { ReadResult } from './reads-main.ts';
import { isBridge, READS, type Read, type StoreName } from './subjects.ts';

const wait = (title: string): Metric => ({ title, unit: 'µs', digits: 0, better: 'less' });
const share = (title: string): Metric => ({ title, unit: '%', digits: 0, better: 'more' });

/** All figures of reading, in the order of the report. */
export const READ_METRICS = {
  rate: { title: 'reads, all lanes busy', unit: '/s', digits: 0, better: 'more' },
  busyP50: wait('  p50'),
  busyP99: wait('  p99'),
  cpu: wait('  processor time a read'),
  p50: wait('at the fixed rate, p50'),
  p99: wait('  p99'),
  fromMemory: share('answered from memory'),
  fromRedis: share('  from Redis'),
  fromDatabase: share('  from the database'),
  withoutRedis: share('    as Redis was left out'),
  rss: { title: 'memory after', unit: 'MiB', digits: 0, better: 'less' },
} as const satisfies Record<string, Metric>;

export type ReadMetric = keyof typeof READ_METRICS;

export const READ_METRIC_NAMES = Object.keys(READ_METRICS) as ReadMetric[];

/** Figures of all rounds, by place. */
export type ReadFigures = Figures<ReadMetric>;

export function createReadFigures(): ReadFigures {
  return new Figures<ReadMetric>();
}

/** Names what is read from where among the figures. Yardsticks read session keys alone. */
export function placeOf(name: StoreName, read: Read): string {
  return `${name}, ${read}`;
}

/** What is read from something. */
export function readsOf(name: StoreName): readonly Read[] {
  return isBridge(name) ? READS : ['users'];
}

/** Where the answers of a bridge came from: how many of its readings went further than its memory. */
export interface Origins {
  readonly redis: number | undefined;
  readonly database: number | undefined;
  /** Of those from the database, what Redis was not asked for, or did not answer in time. */
  readonly skipped: number | undefined;
}

/** Keeps what one measurement gave. */
export function addReads(
  figures: ReadFigures,
  place: string,
  result: ReadResult,
  beside: { readonly origins?: Origins; readonly rssMib: number | undefined },
): void {
  const { operations } = result;
  const nowhere: Origins = { redis: undefined, database: undefined, skipped: undefined };
  const { redis, database, skipped } = beside.origins ?? nowhere;
  const percent = (count: number | undefined): number | undefined =>
    count === undefined ? undefined : (100 * count) / operations;
  const values: Record<ReadMetric, number | undefined> = {
    rate: result.perSecond,
    busyP50: result.busyP50,
    busyP99: result.busyP99,
    cpu: result.cpu,
    p50: result.p50,
    p99: result.p99,
    fromMemory:
      database === undefined ? undefined : percent(Math.max(0, operations - database - (redis ?? 0))),
    fromRedis: percent(redis),
    fromDatabase: percent(database),
    withoutRedis: percent(skipped),
    rss: beside.rssMib,
  };
  for (const metric of READ_METRIC_NAMES) {
    const value = values[metric];
    if (value !== undefined) figures.add(metric, place, value);
  }
}
