import { ERRORS } from '../../../base/errors.ts';
import { KEY_HEADER, SEQID_HEADER } from '../../../gateway/headers.ts';
import type { FollowSettings } from '../../../gateway/settings.ts';
import { networkErrorCode } from '../../../platforms/network-error.ts';
import { PLATFORMS } from '../../../platforms/platforms.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped } from '../check.ts';
import type { Reply } from '../wire.ts';

/** No gateway has a service there, so whoever may call is told so, and nobody asks a platform. */
const PATH = '/_/doctor';

/** Of a bridge that follows another: whether that one answers, and takes the key. */
export const follow: Check = {
  name: 'follow',
  needs: 'settings',
  async run(exam) {
    const settings = exam.settings().follow;
    if (settings === undefined) return [];
    if (exam.options.offline) return [skipped('follow', 'not asked, as --offline rules it out')];
    return [await look(settings, exam)];
  },
};

async function look({ gateway, key, ca }: FollowSettings, { world }: Examination): Promise<Finding> {
  const [servername] = [...PLATFORMS.values()].flatMap(({ hosts }) => hosts);
  let reply: Reply;
  try {
    reply = await world.wire.ask({
      ...{ url: `${gateway}${PATH}`, timeoutMs: world.timeoutMs },
      headers: { [KEY_HEADER]: key.reveal() },
      ...(ca !== undefined && { ca, servername }),
    });
  } catch (error) {
    return fail('follow', `${gateway} cannot be reached (${networkErrorCode(error)})`, REACH_ADVICE);
  }
  const told = String(reply.json?.['errmsg'] ?? '');
  if (reply.headers[SEQID_HEADER] === undefined)
    return fail(
      'follow',
      `${gateway} answers HTTP ${reply.status} and is no gateway of open-bridge`,
      REACH_ADVICE,
    );
  if (reply.status === ERRORS.NOT_FOUND.status)
    return ok('follow', `${gateway} answers and takes follow.key`);
  return fail('follow', `${gateway} does not take follow.key: HTTP ${reply.status} ${told}`, KEY_ADVICE);
}

const REACH_ADVICE =
  'see whether it runs, and that follow.gateway and follow.ca are right: follow.ca is the gateway-ca.crt of that bridge, and not needed where a proxy with a public certificate stands before it';

const KEY_ADVICE =
  'put a key into follow.key that is listed under "callers" of that bridge, with the scope call and an end that is yet to come';
