import { Figures, type Metric } from '../metrics.ts';
import type { Measured } from './drive.ts';
import type { SubjectName } from './subjects.ts';

const wait = (title: string): Metric => ({ title, unit: 'µs', digits: 1, better: 'less' });
const memory = (title: string): Metric => ({ title, unit: 'MiB', digits: 0, better: 'less' });

/** All figures of stored credentials, in the order of the report. */
export const STORED_METRICS = {
  p50: wait('one at a time, p50'),
  p99: wait('one at a time, p99'),
  rate: { title: 'several at once', unit: 'ops/s', digits: 0, better: 'more' },
  cpu: wait('processor time per operation'),
  callerCpu: wait('  of the process that asks'),
  rssBefore: memory('memory before'),
  rssAfter: memory('memory after'),
} as const satisfies Record<keyof Measured, Metric>;

export type StoredMetric = keyof typeof STORED_METRICS;

export const STORED_METRIC_NAMES = Object.keys(STORED_METRICS) as StoredMetric[];

/** Figures of all rounds, by subject and number of rows. */
export type StoredFigures = Figures<StoredMetric>;

/** Names a subject at a number of rows among the figures. */
export function placeOf(subject: SubjectName, rows: number): string {
  return `${subject}@${rows}`;
}

export function createStoredFigures(): StoredFigures {
  return new Figures<StoredMetric>();
}

/** Keeps what one measurement gave. */
export function addMeasured(figures: StoredFigures, place: string, measured: Measured): void {
  for (const metric of STORED_METRIC_NAMES) {
    const value = measured[metric];
    if (value !== null) figures.add(metric, place, value);
  }
}
