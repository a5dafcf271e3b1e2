import { deadline } from '../../base/clock.ts';
import { asBridgeError, BridgeError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import type { Secret } from '../../base/secret.ts';
import { addressIn, createFailures } from '../../credentials/failures.ts';
import { planOf } from '../../credentials/plans.ts';
import { createVault } from '../../credentials/vault.ts';
import type { App, IssuePlan, UpstreamRequest } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import type { UpstreamAnswer } from '../../platforms/upstream.ts';
import type { Verdict } from '../../platforms/verdict.ts';
import type { FailureRow, Store } from '../../stores/store.ts';
import type { Examination, Finding } from './check.ts';
import { fail, warn } from './check.ts';

/** The platforms' word for a wrong secret, where they have one. */
const SECRET_WRONG = 40125;

/** An access_token to try things with, and where it was had. */
export interface AppToken {
  readonly value: Secret;
  readonly from: 'platform' | 'store';
  /** When it was asked for, where the store tells. */
  readonly issuedAt?: number | undefined;
}

/** How the platform issues the app's tokens; undefined when it issues none, or not to us. */
export function tokenPlan(app: App): IssuePlan | undefined {
  return app.managed ? platformOf(app.platform).plan('access-token', app.tokenMode) : undefined;
}

/** Asks the platform; rejects with BridgeError when no verdict came back. */
export async function ask(
  app: App,
  request: UpstreamRequest,
  { upstream, world }: Examination,
): Promise<UpstreamAnswer> {
  const { clock, timeoutMs } = world;
  const limit = deadline(
    clock,
    timeoutMs,
    () => new BridgeError('UPSTREAM_TIMEOUT', `the platform did not answer within ${timeoutMs / 1000} s`),
  );
  try {
    return await upstream.send(app, platformOf(app.platform), request, limit.signal);
  } finally {
    limit.clear();
  }
}

/** As `ask`, with a token put where the platform wants it. */
export function askWith(
  token: AppToken,
  app: App,
  { method, path, json }: Omit<UpstreamRequest, 'query'>,
  exam: Examination,
): Promise<UpstreamAnswer> {
  const query = { [platformOf(app.platform).tokenParameter]: token.value.reveal() };
  return ask(app, { method, path, query, ...(json && { json }) }, exam);
}

/** The token in the store, while its life lasts; undefined also when the store cannot be read. */
export async function storedToken(app: App, exam: Examination): Promise<AppToken | undefined> {
  const store = await openStore(exam);
  if (store === undefined) return undefined;
  const vault = createVault({ store, keyFormat: exam.settings().storage.keyFormat, planOf });
  const held = await vault.read({ app, kind: 'access-token' }).catch(() => undefined);
  if (held === undefined || held.credential.expiresAt <= exam.world.clock.now()) return undefined;
  exam.hide(held.credential.value.reveal());
  const { value, issuedAt } = held.credential;
  return { value, from: 'store', issuedAt };
}

/** Why the bridge last failed to get a token, while that stands. */
export async function storedFailure(app: App, exam: Examination): Promise<FailureRow | undefined> {
  const store = await openStore(exam);
  if (store === undefined) return undefined;
  const { clock, random } = exam.world;
  const failures = createFailures({ store, log: silentLog, now: () => clock.now(), random });
  return failures.get({ app, kind: 'access-token' }).catch(() => undefined);
}

/** The database, whatever is the matter with it being said elsewhere. */
export function openStore(exam: Examination): Promise<Store | undefined> {
  return exam.database().then(
    opened => opened?.store,
    () => undefined,
  );
}

/** What a refusal of a secret or a token means, and what to do. */
export function refused(name: string, app: App, { errcode, errmsg }: Verdict, exam: Examination): Finding {
  const rule = platformOf(app.platform).errorRule(errcode);
  const ip = addressIn(errmsg);
  exam.egress ??= ip;
  const found = `the platform answers ${errcode} ${errmsg}`;
  const advice = rule.hint
    ?.replaceAll('{appid}', app.appid)
    .replaceAll('{ip}', ip ?? 'the address this machine goes out with');
  // Nothing is broken that a short wait does not mend.
  const passing = rule.class === 'busy' || (rule.class === 'quota' && rule.untilMidnight !== true);
  return (passing ? warn : fail)(
    name,
    found,
    advice ?? 'look the code up in the platform’s list of return codes',
  );
}

/** As `refused`, for a call that carries the secret: the token codes then speak of it, as older pages have it. */
export function secretRefused(name: string, app: App, refusal: Verdict, exam: Examination): Finding {
  const finding = refused(name, app, refusal, exam);
  const { errorRule, consoleUrl } = platformOf(app.platform);
  if (errorRule(refusal.errcode).class !== 'token') return finding;
  const advice = errorRule(SECRET_WRONG).hint?.replaceAll('{appid}', app.appid);
  return {
    ...finding,
    advice: advice ?? `the secret configured for ${app.appid} is wrong; look it up at ${consoleUrl}`,
  };
}

/** What it means that no verdict came back. */
export function unanswered(name: string, error: unknown): Finding {
  const { message, hint } = asBridgeError(error);
  return fail(name, message, hint ?? 'see what is said of the upstream above');
}
