import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { type AppToken, askWith, refused, unanswered } from '../app-token.ts';
import { type Examination, type Finding, fail, ok, warn } from '../check.ts';
import type { TokenTrial } from '../trials.ts';

/** Whether the platform takes the token, tried on an API that every account has and that changes nothing. */
export async function checkToken(
  app: App,
  trial: TokenTrial,
  token: AppToken,
  exam: Examination,
): Promise<Finding> {
  const name = `${app.name}: token`;
  const { fingerprint } = token.value;
  const which = token.from === 'store' ? `the stored token ${fingerprint}` : `the token ${fingerprint}`;
  try {
    const answer = await askWith(token, app, trial(app), exam);
    if (answer.ok) return ok(name, `the platform takes ${which}`);
    const finding = refused(name, app, answer.refusal, exam);
    if (platformOf(app.platform).errorRule(answer.refusal.errcode).class !== 'token') return finding;
    // The gateway mends a dead stored one by itself; one that is dead when it is given nobody mends.
    return (token.from === 'store' ? warn : fail)(
      name,
      `the platform refuses ${which}: ${answer.refusal.errcode} ${answer.refusal.errmsg}`,
      'another program fetched a token with this secret. The gateway repairs this at the next call that is refused; to do it now: open-bridge credentials rotate. Find that program, or reset the secret',
    );
  } catch (error) {
    return unanswered(name, error);
  }
}
