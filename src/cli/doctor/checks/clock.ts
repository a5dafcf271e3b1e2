import { openStore, storedFailure, storedToken } from '../app-token.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';

/** So much is looked at for a time in the future, however many apps and rows there are. */
const MOST_APPS = 200;
const FIRST_ROWS = 500;

const WARN_MS = 30_000;
const FAIL_MS = 5 * 60_000;

const WHY =
  'Lives of tokens, certificates and signatures are counted by this clock: fast, and good tokens are thrown away; slow, and dead ones are handed out.\nSet it by network time: timedatectl set-ntp true, or chronyc makestep';

/** This machine's clock against the platform's, and against what the database says has happened. */
export const clock: Check = {
  name: 'clock',
  needs: 'settings',
  async run(exam) {
    const { world, options } = exam;
    const findings: Finding[] = [];
    const behind = (await latestStored(exam)) - world.clock.now();
    if (behind > WARN_MS)
      findings.push(
        (behind > FAIL_MS ? fail : warn)(
          'clock',
          `the database tells of something ${seconds(behind)} from now: this clock was set back, or another machine's is fast`,
          WHY,
        ),
      );
    if (options.offline)
      return [...findings, skipped('clock', 'the platform was not asked what time it is (--offline)')];
    for (const name of exam.upstreams()) {
      const { host, skewMs } = await exam.reach(name);
      findings.push(
        skewMs === undefined ? skipped('clock', `${host} did not say what time it is`) : judge(host, skewMs),
      );
    }
    return findings;
  },
};

/**
 * Latest time at which something is said to have happened, among the apps' own tokens and the first rows;
 * -Infinity where nothing tells.
 */
async function latestStored(exam: Examination): Promise<number> {
  const store = await openStore(exam);
  if (store === undefined) return Number.NEGATIVE_INFINITY;
  const times: (number | undefined)[] = [];
  try {
    for (const app of exam.apps().slice(0, MOST_APPS)) {
      times.push((await storedToken(app, exam))?.issuedAt, (await storedFailure(app, exam))?.failedAt);
    }
    for (const { issuedAt } of await store.credentials.scan(FIRST_ROWS)) times.push(issuedAt);
  } catch {
    // What is the matter with the database is said above.
  }
  return Math.max(Number.NEGATIVE_INFINITY, ...times.filter(time => time !== undefined));
}

function judge(host: string, skewMs: number): Finding {
  const off = Math.abs(skewMs);
  if (off < WARN_MS) return ok('clock', `agrees with ${host} (within ${seconds(Math.max(1000, off))})`);
  const found = `this clock is ${seconds(off)} ${skewMs > 0 ? 'behind' : 'ahead of'} that of ${host}`;
  return off > FAIL_MS ? fail('clock', found, WHY) : warn('clock', found, WHY);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
