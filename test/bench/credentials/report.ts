import { verdictTable } from '../report.ts';
import { median } from '../stats.ts';
import { cell, finite, table } from '../table.ts';
import { ratio, type Verdict } from '../targets.ts';
import {
  placeOf,
  STORED_METRIC_NAMES,
  STORED_METRICS,
  type StoredFigures,
  type StoredMetric,
} from './figures.ts';
import type { Filled } from './stored-set.ts';
import type { SubjectName } from './subjects.ts';

/** What the report of stored credentials is made of. */
export interface StoredReportInput {
  readonly rounds: number;
  readonly seconds: number;
  /** Operations under way at once. */
  readonly lanes: number;
  readonly figures: StoredFigures;
  readonly rows: readonly number[];
  readonly measured: readonly SubjectName[];
  readonly about: readonly {
    readonly name: SubjectName;
    readonly about: string;
    readonly absent: string | undefined;
  }[];
  readonly filled: readonly Filled[];
  readonly pinned: boolean;
  readonly verdicts: readonly Verdict[];
  readonly faults: readonly string[];
  readonly tookSeconds: number;
}

/** What is worth a ratio: memory and the process that asks are not. */
const COMPARED: readonly StoredMetric[] = ['p50', 'p99', 'rate', 'cpu'];

const BASE: SubjectName = 'redis-get';

/** Writes the report as text that is also Markdown. */
export function storedReportText(input: StoredReportInput): string {
  const { rows, measured, figures, faults } = input;
  const perRows = (
    metrics: readonly StoredMetric[],
    subjects: readonly SubjectName[],
    shown: readonly number[],
    value: (metric: StoredMetric, subject: SubjectName, rows: number) => string,
  ): string[][] =>
    metrics.flatMap(metric =>
      shown.map(count => [
        STORED_METRICS[metric].title,
        String(count),
        ...subjects.map(subject => value(metric, subject, count)),
      ]),
    );
  const parts = [
    `Stored credentials: ${input.rounds} rounds of ${input.seconds} s, ${input.lanes} operations at once, ${Math.round(input.tookSeconds)} s in all.`,
    input.pinned
      ? 'Whatever answers is held to one core; what asks it from outside has another.'
      : 'Processes could not be held to cores here: ratios tell less.',
    input.about
      .map(({ name, about, absent }) => `- ${name}: ${absent === undefined ? about : `ABSENT, ${absent}`}`)
      .join('\n'),
    table(
      ['stored', 'rows', 'database, MiB', 'filled in, s', 'Redis, MiB', 'filled in, s'],
      input.filled.map(each => [
        'session keys',
        String(each.rows),
        cell(each.databaseMib, 1),
        cell(each.bridgeSeconds, 0),
        cell(each.redisMib ?? Number.NaN, 0),
        cell(each.redisSeconds ?? Number.NaN, 0),
      ]),
    ),
    table(
      ['median of rounds', 'rows', 'unit', ...measured],
      perRows(STORED_METRIC_NAMES, measured, rows, (metric, subject, count) =>
        cell(median(figures.of(metric, placeOf(subject, count))), STORED_METRICS[metric].digits),
      ).map(([title = '', count = '', ...cells], line) => {
        const metric = STORED_METRIC_NAMES[Math.floor(line / rows.length)];
        return [title, count, metric === undefined ? '' : STORED_METRICS[metric].unit, ...cells];
      }),
    ),
  ];
  const others = measured.filter(name => name !== BASE);
  if (others.length < measured.length && others.length > 0) {
    const toRedis = perRows(COMPARED, others, rows, (metric, subject, count) =>
      cell(ratio(figures, metric, placeOf(subject, count), placeOf(BASE, count)), 2),
    );
    parts.push(table([`as a multiple of ${BASE}`, 'rows', ...others], toRedis));
  }
  const [fewest, ...more] = rows;
  if (fewest !== undefined && more.length > 0) {
    const growth = perRows(COMPARED, measured, more, (metric, subject, count) =>
      cell(ratio(figures, metric, placeOf(subject, count), placeOf(subject, fewest)), 2),
    );
    parts.push(
      table([`as a multiple of ${fewest} ${fewest === 1 ? 'row' : 'rows'}`, 'rows', ...measured], growth),
    );
  }
  if (input.verdicts.length > 0) parts.push(verdictTable(input.verdicts));
  if (faults.length > 0) parts.push(`Failed measurements:\n${faults.map(fault => `- ${fault}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** The same figures for programs. */
export function storedReportData({ figures, ...rest }: StoredReportInput): object {
  const places = rest.measured.flatMap(subject => rest.rows.map(count => placeOf(subject, count)));
  const medians = Object.fromEntries(
    STORED_METRIC_NAMES.map(name => [
      name,
      Object.fromEntries(places.map(place => [place, finite(median(figures.of(name, place)))])),
    ]),
  );
  return { ...rest, rounds: figures, metrics: STORED_METRICS, medians };
}
