import type { App, PlatformId } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { UpstreamAnswer } from '../../../platforms/upstream.ts';
import { type AppToken, askWith, unanswered } from '../app-token.ts';
import { type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';

/**
 * An API that only accounts of this type have: read-only, without parameters, and given to unverified
 * accounts too (pages getSceneList and getCurrentSelfmenuInfo).
 */
const OWN_API: Readonly<Partial<Record<PlatformId, string>>> = {
  'weixin-mp': '/wxaapi/log/get_scene',
  'weixin-h5': '/cgi-bin/get_current_selfmenu_info',
};

/** Whether the account is of the type that the configuration says. */
export async function checkType(app: App, token: AppToken, exam: Examination): Promise<Finding> {
  const name = `${app.name}: platform`;
  const { title } = platformOf(app.platform);
  try {
    const own = await probe(app.platform, app, token, exam);
    if (own === 'unknown') return skipped(name, `${title}: no answer that tells`);
    if (own === 'taken') return ok(name, `is a ${title}, as configured`);
    for (const other of Object.keys(OWN_API) as PlatformId[]) {
      if (other === app.platform || (await probe(other, app, token, exam)) !== 'taken') continue;
      return fail(
        name,
        `${app.appid} is a ${platformOf(other).title}, but configured as ${app.platform}`,
        `set "platform": "${other}" for ${app.name}`,
      );
    }
    return warn(
      name,
      `48001 on ${OWN_API[app.platform]}, which a ${title} usually may call`,
      `check that ${app.appid} is a ${title}; if it is, it lacks this permission and may lack others`,
    );
  } catch (error) {
    return unanswered(name, error);
  }
}

async function probe(
  platform: PlatformId,
  app: App,
  token: AppToken,
  exam: Examination,
): Promise<'taken' | 'refused' | 'unknown'> {
  const path = OWN_API[platform];
  if (path === undefined) return 'unknown';
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
