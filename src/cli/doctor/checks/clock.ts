import { type Check, type Finding, fail, ok, skipped, warn } from '../check.ts';

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
    const stored = await exam.database().then(
      opened => opened?.inspection.latest,
      () => undefined,
    );
    const behind = (stored ?? Number.NEGATIVE_INFINITY) - world.clock.now();
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
    for (const name of Object.keys(exam.settings().upstream)) {
      const { host, skewMs } = await exam.reach(name);
      findings.push(
        skewMs === undefined ? skipped('clock', `${host} did not say what time it is`) : judge(host, skewMs),
      );
    }
    return findings;
  },
};

function judge(host: string, skewMs: number): Finding {
  const off = Math.abs(skewMs);
  if (off < WARN_MS) return ok('clock', `agrees with ${host} (within ${seconds(Math.max(1000, off))})`);
  const found = `this clock is ${seconds(off)} ${skewMs > 0 ? 'behind' : 'ahead of'} that of ${host}`;
  return off > FAIL_MS ? fail('clock', found, WHY) : warn('clock', found, WHY);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
