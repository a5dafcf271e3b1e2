import { type Check, type Finding, fail, ok, skipped, warn } from '../check.ts';

const CLOCK_ADVICE =
  'set this clock by network time: timedatectl set-ntp true, or chronyc makestep. s2s.timeDiffTolerance sets how much is allowed';

/** Whether signed requests of callers whose clocks are right can be taken: they are good for a short time only. */
export const s2s: Check = {
  name: 's2s',
  needs: 'settings',
  async run(exam) {
    const { s2s: settings } = exam.settings();
    if (settings === undefined) return [];
    if (settings.type === 'connectCode') return [ok('s2s', 'callers prove themselves by a connect code')];
    const { toleranceMs, hashMethod } = settings;
    const how = `callers sign with ${hashMethod}, and their clocks may differ by ${toleranceMs / 1000} s`;
    if (exam.options.offline)
      return [skipped('s2s', `${how}; the platform was not asked what time it is (--offline)`)];
    const reaches = await Promise.all(exam.upstreams().map(exam.reach));
    const [furthest] = reaches
      .flatMap(({ host, skewMs }) => (skewMs === undefined ? [] : [{ host, skewMs }]))
      .sort((one, other) => Math.abs(other.skewMs) - Math.abs(one.skewMs));
    return [
      furthest === undefined
        ? skipped('s2s', `${how}; no platform said what time it is`)
        : judge(how, toleranceMs, furthest),
    ];
  },
};

function judge(
  how: string,
  toleranceMs: number,
  { host, skewMs }: { readonly host: string; readonly skewMs: number },
): Finding {
  const off = Math.abs(skewMs);
  const told = `${how}; this clock is ${Math.round(off / 1000)} s ${skewMs > 0 ? 'behind' : 'ahead of'} that of ${host}`;
  if (off > toleranceMs)
    return fail('s2s', `${told}, so requests signed by a right clock are refused`, CLOCK_ADVICE);
  // The caller's clock takes its share of the tolerance too.
  if (off > toleranceMs / 2) return warn('s2s', told, CLOCK_ADVICE);
  return ok('s2s', `${how}; this one agrees with ${host}`);
}
