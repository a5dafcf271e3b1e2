import { randomUUID } from 'node:crypto';
import { asBridgeError } from '../../../base/errors.ts';
import { silentLog } from '../../../base/log.ts';
import { addressIn } from '../../../credentials/failures.ts';
import { createCredentials } from '../../../credentials/open.ts';
import type { App, IssuePlan } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { FailureRow } from '../../../stores/store.ts';
import {
  type AppToken,
  ask,
  openStore,
  secretRefused,
  storedFailure,
  storedToken,
  unanswered,
} from '../app-token.ts';
import { type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';
import { checkLogin } from './app-login.ts';

/** Refusals that stand this long are answers of a person, whom every further try bothers (89501 to 89507). */
const PERSON_ASKED_MS = 5 * 60_000;

/** What is known of a secret afterwards, and a token to go on with. */
interface Outcome {
  readonly finding: Finding;
  readonly token: AppToken | undefined;
}

/**
 * Whether the secret of an app that is issued tokens is right, without burning anything: the endpoint of
 * stable tokens repeats the current one, so it is asked; that of classic ones retires it, so there the
 * stored token must do, and where nothing else is offered a login.
 */
export async function checkSecret(app: App, plan: IssuePlan, exam: Examination): Promise<Outcome> {
  const name = `${app.name}: secret`;
  const failure = await storedFailure(app, exam);
  if (failure !== undefined) exam.egress ??= addressIn(failure.errmsg);
  if (!exam.options.mint && failure !== undefined && bothersSomeone(app, failure, exam.world.clock.now())) {
    const { errcode, errmsg, hint, retryAt } = failure;
    const until = new Date(retryAt).toISOString();
    return {
      finding: fail(
        name,
        `the platform answered ${errcode} ${errmsg}; not asked again before ${until}`,
        `${hint ?? ''}\nto ask now all the same, which sends the administrator another message: --mint`.trim(),
      ),
      token: await storedToken(app, exam),
    };
  }
  if (plan.sameUntilRenewal) return asked(name, app, plan, exam);
  if (exam.options.mint) return minted(name, app, exam);
  return offersStable(app)
    ? trusted(name, app, exam)
    : { finding: await checkLogin(app, exam), token: await storedToken(app, exam) };
}

function bothersSomeone(app: App, { errcode, errorClass, retryAt }: FailureRow, now: number): boolean {
  if (errcode === undefined || errorClass !== 'address' || retryAt <= now) return false;
  return (platformOf(app.platform).errorRule(errcode).retryAfterMs ?? 0) >= PERSON_ASKED_MS;
}

function offersStable(app: App): boolean {
  return Object.values(platformOf(app.platform).tokenPaths).includes('stable');
}

async function asked(name: string, app: App, plan: IssuePlan, exam: Examination): Promise<Outcome> {
  const stored = await storedToken(app, exam);
  try {
    const answer = await ask(app, plan.request(app, { force: false, needed: undefined }), exam);
    if (!answer.ok) return { finding: secretRefused(name, app, answer.refusal, exam), token: stored };
    const { value } = plan.read(answer.body);
    exam.hide(value.reveal());
    const token: AppToken = { value, from: 'platform' };
    if (stored !== undefined && stored.value.fingerprint !== value.fingerprint)
      return {
        finding: warn(
          name,
          'is right, but the database holds another token than the platform gives now',
          'someone else forced a refresh with this secret. The bridge repairs itself at the next refused call; find who else has the secret, or reset it',
        ),
        token,
      };
    return { finding: ok(name, `is right: the platform gives a token for ${app.appid}`), token };
  } catch (error) {
    return { finding: unanswered(name, error), token: stored };
  }
}

async function trusted(name: string, app: App, exam: Examination): Promise<Outcome> {
  const token = await storedToken(app, exam);
  return {
    finding: skipped(
      name,
      token === undefined
        ? 'not tried: a classic token retires the one in use, and none is stored to look at instead'
        : 'not tried: a classic token retires the one in use, so the stored one is looked at instead',
      'to have the bridge’s token replaced through its own database: --mint. Or set "tokenEndpoint": "stable"',
    ),
    token,
  };
}

/** Goes the bridge's own way, lease and budget and all, so that the new token is the one everybody gets. */
async function minted(name: string, app: App, exam: Examination): Promise<Outcome> {
  const store = await openStore(exam);
  if (store === undefined)
    return {
      finding: skipped(
        name,
        'not tried: there is no database to put the new token into',
        'start the bridge once',
      ),
      token: undefined,
    };
  const { clock, random, instance } = exam.world;
  const { authority } = createCredentials({
    ...{ store, upstream: exam.upstream, clock, random, log: silentLog },
    newHolder: () => `${instance.slice(0, 27)}/${randomUUID()}`,
    keyFormat: exam.settings().storage.keyFormat,
  });
  try {
    const {
      credential: { value },
    } = await authority.rotate({ app, kind: 'access-token' });
    exam.hide(value.reveal());
    const finding = ok(name, `is right: a new token was issued for ${app.appid} and stored`);
    return { finding, token: { value, from: 'platform' } };
  } catch (error) {
    const told = asBridgeError(error);
    const finding =
      told.upstream === undefined ? unanswered(name, error) : secretRefused(name, app, told.upstream, exam);
    return { finding, token: await storedToken(app, exam) };
  } finally {
    await authority.idle();
  }
}
