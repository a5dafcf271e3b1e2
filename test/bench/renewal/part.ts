import { dirname, join } from 'node:path';
import { createAttempt, type PartReport, type PartSetup } from '../part.ts';
import { addRun, createRenewalFigures } from './figures.ts';
import { judgeRenewal } from './judge.ts';
import { renewalReportData, renewalReportText } from './report.ts';
import { type RunResult, runRenewal } from './run.ts';
import { RENEWAL_SUBJECTS, type RenewalName } from './subjects.ts';

/** Measures the renewal of many apps that fall due at once. */
export async function measureRenewal(setup: PartSetup): Promise<PartReport> {
  const { options, directory, processes, main, say } = setup;
  const startedAt = performance.now();
  const subjects = RENEWAL_SUBJECTS.filter(({ name }) => options.only?.has(name) ?? true);
  if (subjects.length === 0) throw new TypeError('--only names nothing of the renewal part');
  const about = subjects.map(({ name, about: text, absent }) => ({ name, about: text, absent: absent() }));
  const present = subjects.filter(({ name }) => about.find(each => each.name === name)?.absent === undefined);
  const figures = createRenewalFigures();
  const runs = new Map<RenewalName, RunResult[]>(present.map(({ name }) => [name, []]));
  const faults: string[] = [];
  const attempt = createAttempt(faults, say);
  const { apps, dueSeconds, renewalRounds } = options;
  for (let round = 1; round <= renewalRounds; round += 1) {
    for (const subject of present) {
      say(`renewal, round ${round} of ${renewalRounds}`);
      await attempt(subject.name, async () => {
        const own = join(directory, `${subject.name}-${round}`);
        const dist = dirname(dirname(main));
        const run = await runRenewal({ setup, subject, dist, directory: own, apps, dueSeconds });
        if (run.late)
          faults.push(`${subject.name}: tokens fell due before the nodes had been called for a while`);
        addRun(figures, subject.name, run);
        runs.get(subject.name)?.push(run);
      });
      await processes.stopAll();
    }
  }
  const input = {
    rounds: renewalRounds,
    apps,
    dueSeconds,
    figures,
    about,
    runs,
    verdicts: judgeRenewal(figures, apps, runs),
    faults,
    tookSeconds: (performance.now() - startedAt) / 1000,
  };
  return { text: renewalReportText(input), data: renewalReportData(input) };
}
