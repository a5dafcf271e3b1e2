import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { ErrorClass } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { UpstreamRefusal } from '../platforms/upstream.ts';
import type { FailureRow, Store } from '../stores/store.ts';
import { nextChinaMidnight } from './budget.ts';
import type { CredentialRef } from './credentials.ts';
import { credentialName } from './keys.ts';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
/** First pause after the platform was busy or away; doubles with every failure in a row. */
const FIRST_PAUSE_MS = SECOND;
const LONGEST_PAUSE_MS = 30 * SECOND;
/** A used-up quota is looked at again this often, because an operator may have cleared it. */
const QUOTA_RECHECK_MS = HOUR;

/** The platform refused to issue; carries its verdict with our rule. `ref` names what was wanted. */
export class IssueRefused extends BridgeError {
  readonly refusal: UpstreamRefusal;

  constructor(refusal: UpstreamRefusal, ref?: CredentialRef) {
    const what = ref === undefined ? '' : `no ${ref.kind} for a user of ${ref.app.name} (${ref.app.appid}): `;
    super('CREDENTIAL_UNAVAILABLE', `${what}the platform answered ${refusal.errcode} ${refusal.errmsg}`, {
      upstream: { errcode: refusal.errcode, errmsg: refusal.errmsg },
      ...(ref !== undefined && { hint: hintFor(ref, refusal) }),
    });
    this.refusal = refusal;
  }
}

/** Failures to issue, kept in the store so that one refusal answers every process until it is worth asking again. */
export interface Failures {
  /** Throws what last failed, while it is too early to ask again. */
  throwIfBlocked(ref: CredentialRef): Promise<void>;
  /** Keeps a failure, raises an alarm if it is new, and resolves to the error to throw and the time of the next try. */
  record(
    ref: CredentialRef,
    error: BridgeError,
  ): Promise<{ readonly error: BridgeError; readonly retryAt: number }>;
  clear(ref: CredentialRef): Promise<void>;
  get(ref: CredentialRef): Promise<FailureRow | undefined>;
}

/** What failures are kept with. */
export interface FailureDeps {
  readonly store: Store;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}

export function createFailures({ store, log, now, random }: FailureDeps): Failures {
  const get: Failures['get'] = async ref => {
    const row = await store.failures.get(credentialName(ref));
    return row?.identity === identityOf(ref) ? row : undefined;
  };
  return {
    get,
    async throwIfBlocked(ref) {
      const failure = await get(ref);
      if (failure !== undefined && failure.retryAt > now()) throw unavailable(ref, failure, now());
    },
    async record(ref, error) {
      const last = await get(ref);
      const row = describe(ref, error, (last?.failures ?? 0) + 1, now(), random());
      await store.failures.put(row);
      raise(log, ref, row, last);
      return { error: unavailable(ref, row, now(), error), retryAt: row.retryAt };
    },
    async clear(ref) {
      const last = await store.failures.get(credentialName(ref));
      if (last === undefined) return;
      await store.failures.clear(credentialName(ref));
      const { app, kind } = ref;
      const fields = {
        app: app.name,
        appid: app.appid,
        kind,
        errcode: last.errcode,
        failures: last.failures,
      };
      if (stops(last.errorClass)) log.warn(fields, 'alarm over: the platform issues this credential again');
      else log.info(fields, 'the platform issues this credential again');
    },
  };
}

/** A failure holds for the secret and endpoint it was met with; another secret deserves another try at once. */
function identityOf({ app }: CredentialRef): string {
  return fingerprintOf(`${app.tokenMode}:${app.secret?.reveal() ?? ''}`);
}

function describe(
  ref: CredentialRef,
  error: BridgeError,
  failures: number,
  now: number,
  random: number,
): FailureRow {
  const refusal = error instanceof IssueRefused ? error.refusal : undefined;
  const errorClass = classOf(error, refusal);
  return {
    id: credentialName(ref),
    identity: identityOf(ref),
    code: error.code,
    errcode: refusal?.errcode,
    errmsg: refusal?.errmsg ?? error.message,
    errorClass,
    hint: hintFor(ref, refusal) ?? error.hint,
    failures,
    failedAt: now,
    retryAt: Math.ceil(now + pauseAfter(errorClass, refusal, failures, now, random, error.retryAfterMs)),
  };
}

/** While issuing, a "token" code speaks of the secret: older pages give 40001 for a wrong one. */
function classOf(error: BridgeError, refusal: UpstreamRefusal | undefined): ErrorClass {
  if (error.code === 'BUDGET_EXHAUSTED') return 'quota';
  if (refusal === undefined) return 'busy';
  return refusal.rule.class === 'token' ? 'configuration' : refusal.rule.class;
}

function pauseAfter(
  errorClass: ErrorClass,
  refusal: UpstreamRefusal | undefined,
  failures: number,
  now: number,
  random: number,
  retryAfterMs: number | undefined,
): number {
  if (errorClass === 'quota' && (refusal === undefined || refusal.rule.untilMidnight)) {
    return (
      Math.min(nextChinaMidnight(now) - now, retryAfterMs ?? QUOTA_RECHECK_MS, QUOTA_RECHECK_MS) +
      SECOND * random
    );
  }
  if (refusal?.rule.retryAfterMs !== undefined) return refusal.rule.retryAfterMs + SECOND * random;
  const doubled = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return doubled * (0.5 + random / 2);
}

/** The address the platform saw us come from, as it says in 40164 and its kin. */
export function addressIn(errmsg: string): string | undefined {
  return /\b(?:invalid ip|requestIP)\s*(?::(?!:))?\s*((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+)/.exec(
    errmsg,
  )?.[1];
}

export function hintFor(ref: CredentialRef, refusal: UpstreamRefusal | undefined): string | undefined {
  return refusal?.rule.hint
    ?.replaceAll('{appid}', ref.app.appid)
    .replaceAll('{ip}', addressIn(refusal.errmsg) ?? 'the address this machine goes out with');
}

function unavailable(ref: CredentialRef, failure: FailureRow, now: number, cause?: BridgeError): BridgeError {
  const what = `no ${ref.kind} for ${ref.app.name} (${ref.app.appid})`;
  const why =
    failure.errcode === undefined
      ? failure.errmsg
      : `the platform answered ${failure.errcode} ${failure.errmsg}`;
  return new BridgeError('CREDENTIAL_UNAVAILABLE', `${what}: ${why}`, {
    ...(failure.hint !== undefined && { hint: failure.hint }),
    ...(failure.errcode !== undefined && { upstream: { errcode: failure.errcode, errmsg: failure.errmsg } }),
    retryAfterMs: Math.max(0, failure.retryAt - now),
    ...(cause !== undefined && { cause }),
  });
}

/** Whether nothing changes until someone acts. */
export function stops(errorClass: string): boolean {
  return errorClass === 'address' || errorClass === 'configuration';
}

/** Stop classes are alarms the first time and after every change; the rest are warnings. */
function raise(log: Log, ref: CredentialRef, row: FailureRow, last: FailureRow | undefined): void {
  const fields = {
    app: ref.app.name,
    appid: ref.app.appid,
    kind: ref.kind,
    errcode: row.errcode,
    errmsg: row.errmsg,
    class: row.errorClass,
    hint: row.hint,
    console: platformOf(ref.app.platform).consoleUrl,
    failures: row.failures,
    retryAt: new Date(row.retryAt).toISOString(),
  };
  if (stops(row.errorClass) && last?.errcode !== row.errcode)
    log.error(fields, 'alarm: the platform refuses to issue a credential until someone acts');
  else log.warn(fields, 'a credential could not be issued');
}
