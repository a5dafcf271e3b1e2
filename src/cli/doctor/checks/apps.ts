import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { tokenPlan } from '../app-token.ts';
import { type Check, type Examination, type Finding, skipped, warn } from '../check.ts';
import { ACCOUNT_TRIALS } from '../trials.ts';
import { checkLogin } from './app-login.ts';
import { checkQuota } from './app-quota.ts';
import { checkSecret } from './app-secret.ts';
import { checkToken } from './app-token.ts';
import { checkType } from './app-type.ts';

/** Accounts looked at together: a thousand of them are done in minutes, and nobody's limit is near. */
const AT_ONCE = 8;

/** Each account that is managed: its secret, its token, its type, its quota. What one finds out the next one needs. */
export const apps: Check = {
  name: 'apps',
  needs: 'platform',
  async run(exam) {
    if (exam.apps().length === 0) return [warn('apps', 'there is none to look at')];
    // Of the others nothing is asked for here: the platform hears only from whoever owns their tokens.
    const managed = exam.apps().filter(app => app.managed);
    const findings: Finding[] = [];
    for (let first = 0; first < managed.length; first += AT_ONCE) {
      const together = managed.slice(first, first + AT_ONCE);
      findings.push(...(await Promise.all(together.map(app => lookAt(app, exam)))).flat());
    }
    return findings;
  },
};

async function lookAt(app: App, exam: Examination): Promise<readonly Finding[]> {
  const { failed, host } = await exam.reach(platformOf(app.platform).upstream);
  if (failed !== undefined) return [skipped(app.name, `not tried: there is no way to ${host}, see above`)];
  const plan = tokenPlan(app);
  const trials = ACCOUNT_TRIALS[app.platform];
  if (plan === undefined || trials.token === undefined) return [await checkLogin(app, exam)];
  const { token, finding } = await checkSecret(app, plan, exam);
  if (token === undefined) return [finding, skipped(`${app.name}: token`, 'there is none to try')];
  const taken = await checkToken(app, trials.token, token, exam);
  const findings = [finding, taken];
  if (taken.status !== 'ok') return findings;
  if (trials.own !== undefined) findings.push(await checkType(app, trials.own, token, exam));
  if (trials.quota !== undefined) findings.push(await checkQuota(app, trials.quota, token, exam));
  return findings;
}
