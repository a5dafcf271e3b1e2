import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { AppToken } from '../app-token.ts';
import { type Check, type Examination, type Finding, skipped, warn } from '../check.ts';
import { checkQuota } from './app-quota.ts';
import { checkSecret } from './app-secret.ts';
import { checkToken } from './app-token.ts';
import { checkType } from './app-type.ts';

/** Accounts looked at together: a thousand of them are done in minutes, and nobody's limit is near. */
const AT_ONCE = 8;

/** Each account: its secret, its token, its type, its quota. What one finds out the next one needs. */
export const apps: Check = {
  name: 'apps',
  needs: 'platform',
  async run(exam) {
    const wanted = exam.apps();
    if (wanted.length === 0) return [warn('apps', 'there is none to look at')];
    const findings: Finding[] = [];
    for (let first = 0; first < wanted.length; first += AT_ONCE) {
      const together = wanted.slice(first, first + AT_ONCE);
      findings.push(...(await Promise.all(together.map(app => lookAt(app, exam)))).flat());
    }
    return findings;
  },
};

async function lookAt(app: App, exam: Examination): Promise<readonly Finding[]> {
  const { failed, host } = await exam.reach(platformOf(app.platform).upstream);
  if (failed !== undefined) return [skipped(app.name, `not tried: there is no way to ${host}, see above`)];
  const { token, finding } = await checkSecret(app, exam);
  if (token === undefined) return [finding, skipped(`${app.name}: token`, 'there is none to try')];
  const findings = [finding, await checkToken(app, token, exam)];
  if (findings.at(-1)?.status !== 'ok') return findings;
  const further: ((app: App, token: AppToken, exam: Examination) => Promise<Finding>)[] = [
    checkType,
    checkQuota,
  ];
  for (const check of further) findings.push(await check(app, token, exam));
  return findings;
}
