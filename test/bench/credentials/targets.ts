import { ratio, type Verdict } from '../targets.ts';
import { placeOf, type StoredFigures } from './figures.ts';
import type { SubjectName } from './subjects.ts';

/**
 * How much longer an operation may take with the most rows than with fewer. What is read from the database
 * goes through trees that are a page or two deeper there; what is in memory does not.
 */
const MOST_GROWTH: readonly {
  readonly subject: SubjectName;
  readonly limit: number;
  /** Which number of rows it is compared with: a lone row is asked for so often that it never leaves memory. */
  readonly from: 'fewest' | 'second';
}[] = [
  { subject: 'embedded-memory', limit: 1.25, from: 'fewest' },
  { subject: 'embedded-store', limit: 1.5, from: 'fewest' },
  { subject: 'http-memory', limit: 1.25, from: 'fewest' },
  { subject: 'http-store', limit: 1.25, from: 'second' },
  { subject: 'http-set', limit: 1.5, from: 'fewest' },
];

/**
 * How much more memory a bridge may take with the most rows than with fewer. With a single row it has nothing
 * to remember, so it is compared with the second number of rows: both hold more than it remembers.
 */
const MOST_MEMORY = 1.25;

/** Says whether time and memory stay the same however many rows there are. */
export function judgeGrowth(figures: StoredFigures, rows: readonly number[]): readonly Verdict[] {
  const [fewest, second] = rows;
  const most = rows.at(-1);
  if (fewest === undefined || most === undefined) return [];
  const growth = (metric: 'p50' | 'cpu' | 'rssAfter', subject: SubjectName, base: number): number =>
    ratio(figures, metric, placeOf(subject, most), placeOf(subject, base));
  const verdict = (target: string, value: number, limit: number, measured: string): Verdict =>
    Number.isFinite(value)
      ? { target, measured, met: value <= limit }
      : { target, measured: '-', met: undefined };
  const judged = MOST_GROWTH.flatMap(({ subject, limit, from }) => {
    const base = from === 'fewest' ? fewest : second;
    if (base === undefined || base === most) return [];
    const p50 = growth('p50', subject, base);
    const byCpu = growth('cpu', subject, base).toFixed(2);
    const target = `${subject}, p50 at ${most} rows: at most ${limit} of at ${base}`;
    return [verdict(target, p50, limit, `${p50.toFixed(2)} (${byCpu} by processor time)`)];
  });
  if (second === undefined || second === most) return judged;
  const memory = growth('rssAfter', 'http-store', second);
  const target = `memory of the bridge at ${most} rows: at most ${MOST_MEMORY} of at ${second}`;
  return [...judged, verdict(target, memory, MOST_MEMORY, memory.toFixed(2))];
}
