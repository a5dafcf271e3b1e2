import type { Metric, MetricName } from './metrics.ts';
import { type Figures, METRICS } from './metrics.ts';
import type { BenchOptions } from './options.ts';
import { median } from './stats.ts';
import { cell, finite, table } from './table.ts';
import type { Verdict } from './targets.ts';
import { ratio } from './targets.ts';

/** What a report is made of. */
export interface ReportInput {
  readonly options: BenchOptions;
  readonly figures: Figures;
  /** Names of the peers that were measured, in order. */
  readonly measured: readonly string[];
  readonly about: readonly {
    readonly name: string;
    readonly about: string;
    readonly absent: string | undefined;
  }[];
  readonly upstream: string;
  readonly generator: string;
  readonly pinned: boolean;
  readonly verdicts: readonly Verdict[];
  /** Measurements that failed. */
  readonly faults: readonly string[];
  readonly tookSeconds: number;
}

/** Writes the report as text that is also Markdown. */
export function reportText(input: ReportInput): string {
  const { options, measured, figures, faults } = input;
  const parts = [
    `Run: ${options.rounds} rounds of ${options.seconds} s, ${Math.round(input.tookSeconds)} s in all; upstream: ${input.upstream}; saturation: ${input.generator}; latency: open loop of our own at ${options.rate}/s`,
    input.pinned
      ? 'Every peer is held to one core; upstream and generator share another.'
      : 'Processes could not be held to cores here: ratios tell less.',
    input.about
      .map(({ name, about, absent }) => `- ${name}: ${absent === undefined ? about : `ABSENT, ${absent}`}`)
      .join('\n'),
    table(
      ['median of rounds', 'unit', ...measured],
      metricNames().map(name => [
        METRICS[name].title,
        METRICS[name].unit,
        ...measured.map(peer => cell(median(figures.of(name, peer)), METRICS[name].digits)),
      ]),
    ),
    ...ratioTables(input),
    verdictTable(input.verdicts),
  ];
  if (faults.length > 0) parts.push(`Failed measurements:\n${faults.map(fault => `- ${fault}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** A table of what was to be reached, and whether it was. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ['target', 'measured', 'met'],
    verdicts.map(({ target, measured, met }) => [
      target,
      measured,
      met === undefined ? 'not measured' : met ? 'yes' : 'NO',
    ]),
  );
}

/** The same figures for programs. */
export function reportData(input: ReportInput): object {
  const { figures, options: _options, ...rest } = input;
  const medians = Object.fromEntries(
    metricNames().map(name => [
      name,
      Object.fromEntries(input.measured.map(peer => [peer, finite(median(figures.of(name, peer)))])),
    ]),
  );
  return { ...rest, metrics: METRICS, medians, rounds: figures };
}

/** One table a gateway measured: its figures as multiples of every other peer's. */
function ratioTables({ figures, measured }: ReportInput): string[] {
  const gateways = measured.filter(name => name.startsWith('gateway'));
  return gateways.map(gateway => {
    const others = measured.filter(name => name !== gateway);
    const rows = metricNames()
      .filter(name => !name.startsWith('added'))
      .map(name => {
        const metric: Metric = METRICS[name];
        const title = `${metric.title}${metric.better === 'less' ? ' (less is better)' : ''}`;
        return [title, ...others.map(other => cell(ratio(figures, name, gateway, other), 2))];
      });
    return table([`${gateway} as a multiple of`, ...others], rows);
  });
}

function metricNames(): MetricName[] {
  return Object.keys(METRICS) as MetricName[];
}
