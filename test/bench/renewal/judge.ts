import { median } from '../stats.ts';
import type { Verdict } from '../targets.ts';
import type { RenewalFigures } from './figures.ts';
import type { RunResult } from './run.ts';
import type { RenewalName } from './subjects.ts';

/** How much more a node may keep in its heap after renewing everything than before, in MiB: its bounded memories fill. */
const MOST_KEPT_MIB = 50;

/**
 * Tables with fewer rows than this, and with less than a tenth of what there are apps, are left out: planners
 * read small ones through, as an index would not pay.
 */
const FEW_ROWS = 1000;
const SMALL_SHARE = 0.1;

/** Says whether renewal kept its promises. */
export function judgeRenewal(
  figures: RenewalFigures,
  apps: number,
  runs: ReadonlyMap<RenewalName, readonly RunResult[]>,
): readonly Verdict[] {
  return [...runs].flatMap(([name, each]) => {
    if (each.length === 0) return [];
    const once = each.every(
      ({ platform, writtenOnce }) =>
        platform.issued === apps && platform.repeated === 0 && writtenOnce === apps,
    );
    const wrong = each.reduce((sum, { platform }) => sum + platform.refused + platform.early, 0);
    const pastEnd = Math.max(...each.map(({ platform }) => platform.pastEnd));
    const failed = each.reduce(
      (sum, { callsBefore, callsMeanwhile, platform }) =>
        sum + callsBefore.failed + callsMeanwhile.failed + platform.callsRefused,
      0,
    );
    const kept = median(figures.of('keptAfter', name)) - median(figures.of('keptBefore', name));
    const least = Math.max(FEW_ROWS, apps * SMALL_SHARE);
    const scans = scansOf(each, least);
    const sums = each.map(
      ({ platform, writtenOnce }) =>
        `${platform.issued} and ${platform.repeated} more asked, ${writtenOnce} written of ${apps}`,
    );
    return [
      { target: `${name}: each asked for and written once`, measured: sums.join('; '), met: once },
      { target: `${name}: none before its time or by mistake`, measured: String(wrong), met: wrong === 0 },
      { target: `${name}: none after its end`, measured: String(pastEnd), met: pastEnd === 0 },
      { target: `${name}: no call failed meanwhile`, measured: String(failed), met: failed === 0 },
      {
        target: `${name}: heap at most ${MOST_KEPT_MIB} MiB over what it was before`,
        measured: `${kept.toFixed(0)} MiB over`,
        met: kept <= MOST_KEPT_MIB,
      },
      ...(each.some(({ counts }) => counts !== undefined)
        ? [
            {
              target: `${name}: no statement reads ${least} rows or more of a table through`,
              measured: scans.length === 0 ? 'none' : scans.join('; '),
              met: scans.length === 0,
            },
          ]
        : []),
    ];
  });
}

/** Tables of so many rows that were read through, by the server's own counts, which see every statement. */
export function scansOf(runs: readonly RunResult[], least: number): readonly string[] {
  const counted = runs.flatMap(({ counts }) =>
    (counts?.tables ?? [])
      .filter(({ scans, rows }) => rows / scans >= least)
      .map(({ table, scans, rows }) => `${table} ${scans} times, ${Math.round(rows / scans)} rows each`),
  );
  return [...new Set(counted)];
}
