import { z } from 'zod';
import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { type AppToken, askWith, unanswered } from '../app-token.ts';
import { type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';

/** Below this share of the day's calls, it is time to look who makes them. */
const LITTLE = 0.1;

/** Page getApiQuota. */
const quotaAnswer = z.object({
  quota: z.object({ daily_limit: z.number(), used: z.number(), remain: z.number() }),
});

/** How many tokens the account may still be given today. */
export async function checkQuota(
  app: App,
  path: string,
  token: AppToken,
  exam: Examination,
): Promise<Finding> {
  const name = `${app.name}: quota`;
  const platform = platformOf(app.platform);
  const [cgi_path] = Object.entries(platform.tokenPaths).find(([, mode]) => mode === app.tokenMode) ?? [];
  try {
    const request = { method: 'POST', path, json: { cgi_path } } as const;
    const answer = await askWith(token, app, request, exam);
    if (!answer.ok)
      return skipped(name, `the platform does not tell (${answer.refusal.errcode} ${answer.refusal.errmsg})`);
    const told = quotaAnswer.safeParse(answer.body);
    // An account that has no such quota is told a limit of 0.
    if (!told.success || told.data.quota.daily_limit === 0)
      return skipped(name, 'the platform does not tell');
    const { daily_limit: limit, used, remain } = told.data.quota;
    const found = `${remain} of ${limit} calls of ${cgi_path} are left today (${used} used)`;
    const advice = `find who else asks for tokens with this secret. At midnight China time the count begins anew; clear_quota does it sooner, 10 times a month`;
    if (remain <= 0) return fail(name, found, advice);
    return remain < limit * LITTLE ? warn(name, found, advice) : ok(name, found);
  } catch (error) {
    return unanswered(name, error);
  }
}
