import { verdictTable } from '../report.ts';
import { median } from '../stats.ts';
import { cell, finite, table } from '../table.ts';
import type { Verdict } from '../targets.ts';
import { RENEWAL_METRIC_NAMES, RENEWAL_METRICS, type RenewalFigures } from './figures.ts';
import type { RunResult } from './run.ts';
import type { RenewalName } from './subjects.ts';

/** What the report of renewal is made of. */
export interface RenewalReportInput {
  readonly rounds: number;
  readonly apps: number;
  readonly dueSeconds: number;
  readonly figures: RenewalFigures;
  readonly about: readonly {
    readonly name: RenewalName;
    readonly about: string;
    readonly absent: string | undefined;
  }[];
  readonly runs: ReadonlyMap<RenewalName, readonly RunResult[]>;
  readonly verdicts: readonly Verdict[];
  readonly faults: readonly string[];
  readonly tookSeconds: number;
}

/** How many rows a table of memory has at most. */
const MEMORY_ROWS = 12;

/** How many statements are shown. */
const STATEMENTS = 14;

const STATEMENT_LENGTH = 90;

/** Writes the report as text that is also Markdown. */
export function renewalReportText(input: RenewalReportInput): string {
  const { figures, runs, faults } = input;
  const measured = [...runs.keys()];
  const parts = [
    `Renewal: ${input.apps} apps whose tokens fall due within ${input.dueSeconds} s, ${input.rounds} ${input.rounds === 1 ? 'round' : 'rounds'}, ${Math.round(input.tookSeconds)} s in all.`,
    'Nodes, database, platform and callers share all cores. The platform takes 50 ms for an answer; one node is called 50 times a second.',
    input.about
      .map(({ name, about, absent }) => `- ${name}: ${absent === undefined ? about : `ABSENT, ${absent}`}`)
      .join('\n'),
    table(
      ['median of rounds', 'unit', ...measured],
      RENEWAL_METRIC_NAMES.map(metric => [
        RENEWAL_METRICS[metric].title,
        RENEWAL_METRICS[metric].unit,
        ...measured.map(name => cell(median(figures.of(metric, name)), RENEWAL_METRICS[metric].digits)),
      ]),
    ),
    ...measured.flatMap(name => runTables(name, runs.get(name)?.at(-1))),
    verdictTable(input.verdicts),
  ];
  if (faults.length > 0) parts.push(`Failed measurements:\n${faults.map(fault => `- ${fault}`).join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

/** Memory over time, and what the database did, of the last round. */
function runTables(name: RenewalName, run: RunResult | undefined): string[] {
  if (run === undefined) return [];
  const { memory, counts, platform } = run;
  const step = Math.max(1, Math.ceil(memory.length / MEMORY_ROWS));
  const shown = memory.filter((_, index) => index % step === 0 || index === memory.length - 1);
  const nodes = memory[0]?.rss.map((_, node) => `node ${node + 1}, MiB`) ?? [];
  const tables = [
    table(
      [`${name}: s since the first was due`, 'renewed', ...nodes],
      shown.map(({ at, renewed, rss }) => [
        cell(at, 0),
        String(renewed),
        ...rss.map(value => cell(value, 0)),
      ]),
    ),
  ];
  if (counts === undefined) return tables;
  tables.push(
    table(
      [`${name}: statement`, 'for each renewal', 'mean, ms', 'carried out by'],
      counts.statements
        .slice(0, STATEMENTS)
        .map(({ text, calls, meanMs }) => [
          `\`${text.slice(0, STATEMENT_LENGTH)}\``,
          cell(calls / platform.issued, 3),
          cell(meanMs, 3),
          stepsOf(run, text),
        ]),
    ),
    table(
      [`${name}: table read through`, 'times', 'rows each time'],
      counts.tables.map(each => [each.table, String(each.scans), cell(each.rows / each.scans, 0)]),
    ),
  );
  return tables;
}

/** How a statement was seen to be carried out; the server writes its values as parameters. */
function stepsOf({ plans }: RunResult, text: string): string {
  const same = plans.filter(plan => shape(plan.text) === shape(text) && plan.steps.length > 0);
  return [...new Set(same.flatMap(({ steps }) => steps))].join('; ') || '-';
}

function shape(text: string): string {
  return text.replaceAll(/\$\d+|'[^']*'|\b\d+\b/g, '?').replaceAll(/extract\(\w+ from/g, 'extract(? from');
}

/** The same figures for programs. */
export function renewalReportData({ figures, runs, ...rest }: RenewalReportInput): object {
  const measured = [...runs.keys()];
  const medians = Object.fromEntries(
    RENEWAL_METRIC_NAMES.map(metric => [
      metric,
      Object.fromEntries(measured.map(name => [name, finite(median(figures.of(metric, name)))])),
    ]),
  );
  return { ...rest, rounds: figures, metrics: RENEWAL_METRICS, medians, runs: Object.fromEntries(runs) };
}
