import { median } from '../stats.ts';
import { cell, finite, table } from '../table.ts';
import { ratio } from '../targets.ts';
import { placeOf, READ_METRIC_NAMES, READ_METRICS, type ReadFigures, type ReadMetric } from './figures.ts';
import { isBridge, READ_TITLES, READS, type StoreName, YARDSTICK_NAMES } from './subjects.ts';

/** What the report of reading is made of. */
export interface ReadReportInput {
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
  readonly lanes: number;
  readonly users: number;
  readonly figures: ReadFigures;
  readonly about: readonly {
    readonly name: StoreName;
    readonly about: string;
    readonly absent: string | undefined;
  }[];
  readonly measured: readonly StoreName[];
  readonly pinned: boolean;
  readonly faults: readonly string[];
  readonly tookSeconds: number;
}

/** What is worth a ratio. */
const COMPARED: readonly ReadMetric[] = ['rate', 'busyP99', 'cpu', 'p50', 'p99'];

/** Writes the report as text that is also Markdown. */
export function readReportText(input: ReadReportInput): string {
  const { figures, measured, faults } = input;
  const bridges = measured.filter(isBridge);
  const yardsticks = measured.filter(name => !isBridge(name));
  const parts = [
    `Stores: ${input.users} users, ${input.rounds} rounds of ${input.seconds} s, ${input.lanes} lanes, fixed rate ${input.rate}/s, ${Math.round(input.tookSeconds)} s in all. Of a bridge, session keys are asked for half of 100 users and half of 12000; of a yardstick all of 12000.`,
    input.pinned
      ? 'What reads a store (a bridge, or a yardstick) is held to one core; database, Redis and who asks a bridge share another.'
      : 'Processes could not be held to cores here: ratios tell less.',
    input.about
      .map(({ name, about, absent }) => `- ${name}: ${absent === undefined ? about : `ABSENT, ${absent}`}`)
      .join('\n'),
    table(
      ['median of rounds', 'read', 'unit', ...measured],
      READ_METRIC_NAMES.flatMap(metric =>
        READS.map(read => [
          READ_METRICS[metric].title,
          READ_TITLES[read],
          READ_METRICS[metric].unit,
          ...measured.map(name =>
            cell(median(figures.of(metric, placeOf(name, read))), READ_METRICS[metric].digits),
          ),
        ]),
      ),
    ),
    ...yardsticks.map(base =>
      table(
        [`session keys, as a multiple of ${base}`, ...bridges],
        COMPARED.map(metric => [
          READ_METRICS[metric].title.trim(),
          ...bridges.map(name =>
            cell(ratio(figures, metric, placeOf(name, 'users'), placeOf(base, 'users')), 2),
          ),
        ]),
      ),
    ),
  ];
  if (faults.length > 0) parts.push(`Failed measurements:\n${faults.map(fault => `- ${fault}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** The same figures for programs. */
export function readReportData({ figures, ...rest }: ReadReportInput): object {
  const places = rest.measured.flatMap(name => READS.map(read => placeOf(name, read)));
  const medians = Object.fromEntries(
    READ_METRIC_NAMES.map(metric => [
      metric,
      Object.fromEntries(places.map(place => [place, finite(median(figures.of(metric, place)))])),
    ]),
  );
  return { ...rest, rounds: figures, metrics: READ_METRICS, medians, yardsticks: YARDSTICK_NAMES };
}
