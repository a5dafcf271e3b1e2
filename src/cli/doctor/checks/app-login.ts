import type { App, UpstreamRequest } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { ask, refused, secretRefused, unanswered } from '../app-token.ts';
import { type Examination, type Finding, ok, skipped } from '../check.ts';

/** No platform ever gave such a code, so nobody is logged in and nobody's code is used up. */
const CODE = 'invalid-code-of-open-bridge-doctor';

/** QQ Connect wants one with every code. */
const REDIRECT_URI = 'http://127.0.0.1/';

/**
 * Whether the secret opens the logins of users, tried with a code that is none. That platforms look at appid
 * and secret before the code is unconfirmed, so no more is said than what was refused.
 */
export async function checkLogin(app: App, exam: Examination): Promise<Finding> {
  const name = `${app.name}: secret`;
  try {
    const request = loginOf(app);
    if (request === undefined) return skipped(name, 'not tried: there is no login to try it with');
    const answer = await ask(app, request, exam);
    if (answer.ok) return ok(name, `is right: the platform takes it for ${app.appid}`);
    const { errcode, errmsg, rule } = answer.refusal;
    switch (rule.class) {
      case 'one-shot':
        return ok(
          name,
          `a login with a made-up code is refused for the code alone, not for appid or secret (${errcode})`,
        );
      case 'other':
        return skipped(
          name,
          `a login with a made-up code is refused with ${errcode} ${errmsg}, which does not tell whether the secret is right`,
        );
      case 'token':
        return secretRefused(name, app, answer.refusal, exam);
      default:
        return refused(name, app, answer.refusal, exam);
    }
  } catch (error) {
    return unanswered(name, error);
  }
}

function loginOf(app: App): UpstreamRequest | undefined {
  const { sessions, userTokens } = platformOf(app.platform);
  return (
    sessions?.exchange(app, CODE) ?? userTokens?.exchange(app, { code: CODE, redirectUri: REDIRECT_URI })
  );
}
