import type { SimulatorCounters } from '../../src/simulator/index.ts';
import type { FaultApp } from './apps.ts';
import type { IssueReason } from './check-issues.ts';
import type { TokenCheck } from './check-tokens.ts';
import type { WriteCheck } from './check-writes.ts';
import type { Journal } from './journal.ts';
import type { FaultOptions } from './options.ts';

/** What a run did and found. */
export interface FaultReport {
  readonly options: FaultOptions;
  readonly seconds: number;
  readonly journal: Journal;
  readonly issues: readonly {
    readonly app: FaultApp;
    /** Tokens that the platform issued for it. */
    readonly tokens: number;
    readonly reasons: Readonly<Record<IssueReason, number>>;
  }[];
  readonly outcomes: ReadonlyMap<string, number>;
  readonly counters: SimulatorCounters;
  readonly tokens: TokenCheck['seen'];
  readonly writes: WriteCheck['seen'];
  /** Where the logs are, if something was violated or they were to be kept. */
  readonly folder: string;
}

/** Counts what was done, by kind. */
export function injected({ entries }: Journal): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { what } of entries) counts.set(what, (counts.get(what) ?? 0) + 1);
  return counts;
}

/** The report as text. */
export function reportText(report: FaultReport): string {
  const { options, seconds, journal, issues, outcomes, counters, tokens, writes } = report;
  const asked = ({ app }: { app: FaultApp }): string => {
    const { stable, classic } = counters.accounts[app.appid] ?? counters.total;
    return app.endpoint === 'stable'
      ? `${stable.calls} calls, ${stable.forced} forced`
      : `${classic.calls} calls`;
  };
  const lines = [
    `seed ${options.seed}, ${options.database}${options.redis ? ' and redis' : ''}, ${options.nodes} nodes, ${options.callers} callers each, tokens of ${options.lifeSeconds} s, ${seconds.toFixed(0)} s in all`,
    '',
    'injected',
    ...table(injected(journal)),
    '',
    'tokens issued, and why',
    ...issues.map(
      issue => `  ${issue.app.name}: ${issue.tokens} (${asked(issue)}): ${inWords(issue.reasons)}`,
    ),
    '',
    'answers',
    ...table(outcomes),
    '',
    `tokens looked at: ${tokens.looks}; refused calls mended: ${counters.total.tokenErrors}; token errors that nobody could mend: ${tokens.unmendable}; a replaced token still given out for at most ${tokens.stalestMs} ms`,
    `session keys written: ${writes.acknowledged}, of unknown outcome: ${writes.unsure}, read: ${writes.reads}`,
    '',
    ...violationLines(report),
  ];
  return lines.join('\n');
}

function violationLines({ journal: { violations }, folder }: FaultReport): string[] {
  if (violations.length === 0) return ['no invariant was violated'];
  return [
    `VIOLATIONS: ${violations.length}`,
    ...violations.flatMap(({ at, invariant, evidence, before }) => [
      `- ${new Date(at).toISOString()} ${invariant}: ${evidence}`,
      ...before.map(entry => `    ${new Date(entry.at).toISOString()} ${entry.what}: ${entry.detail}`),
    ]),
    `the logs of all processes are in ${folder}`,
  ];
}

function table(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${name}: ${count}`);
}

function inWords(reasons: Readonly<Record<string, number>>): string {
  return Object.entries(reasons)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}
