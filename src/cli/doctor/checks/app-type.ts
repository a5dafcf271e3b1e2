import type { App, PlatformId } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { UpstreamAnswer } from '../../../platforms/upstream.ts';
import { type AppToken, askWith, unanswered } from '../app-token.ts';
import { type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';
import { ACCOUNT_TRIALS } from '../trials.ts';

/** Whether the account is of the type that the configuration says, tried on `path`, which no other type has. */
export async function checkType(
  app: App,
  path: string,
  token: AppToken,
  exam: Examination,
): Promise<Finding> {
  const name = `${app.name}: platform`;
  const { title } = platformOf(app.platform);
  try {
    const own = await probe(path, app, token, exam);
    if (own === 'unknown') return skipped(name, `${title}: no answer that tells`);
    if (own === 'taken') return ok(name, `is a ${title}, as configured`);
    for (const other of Object.keys(ACCOUNT_TRIALS) as PlatformId[]) {
      const theirs = other === app.platform ? undefined : ACCOUNT_TRIALS[other].own;
      if (theirs === undefined || (await probe(theirs, app, token, exam)) !== 'taken') continue;
      return fail(
        name,
        `${app.appid} is a ${platformOf(other).title}, but configured as ${app.platform}`,
        `set "platform": "${other}" for ${app.name}`,
      );
    }
    return warn(
      name,
      `48001 on ${path}, which a ${title} usually may call`,
      `check that ${app.appid} is a ${title}; if it is, it lacks this permission and may lack others`,
    );
  } catch (error) {
    return unanswered(name, error);
  }
}

async function probe(
  path: string,
  app: App,
  token: AppToken,
  exam: Examination,
): Promise<'taken' | 'refused' | 'unknown'> {
  const answer: UpstreamAnswer = await askWith(token, app, { method: 'GET', path }, exam);
  if (answer.ok) return 'taken';
  switch (answer.refusal.rule.class) {
    case 'permission':
      return 'refused';
    // Such as "no menu yet": the account has the API.
    case 'other':
      return 'taken';
    default:
      return 'unknown';
  }
}
