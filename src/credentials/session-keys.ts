import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { App, SessionPlan, SignedInput, UpstreamRequest } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { UpstreamAnswer } from '../platforms/upstream.ts';
import type { CallPlatform, CredentialRef, ValueObject, ValueReading } from './credentials.ts';
import type { UserRow, UserRows } from './user-rows.ts';

/**
 * How long the session key before the current one is kept. What a page encrypted just before its user
 * logged in again arrives within minutes.
 */
const PREVIOUS_KEPT_MS = 10 * 60_000;

/** Session keys of mini-program users. Their life is unknown: the platform tells nobody. */
export interface SessionKeys {
  get(ref: CredentialRef): Promise<ValueReading>;
  set(ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void>;
  /** Puts a new key in the place of the current one, which keeps its end. */
  replace(app: App, openid: string, sessionKey: Secret): Promise<void>;
  /** The keys to try, the current one first. Throws LOGIN_REQUIRED when there is none. */
  keys(app: App, openid: string): Promise<readonly Secret[]>;
  /**
   * Sends a call signed with the current session key and, when the platform takes that for wrong, once
   * more with the one before it, unless `which` is `current`.
   */
  signedCall(
    app: App,
    openid: string,
    plan: SessionPlan,
    build: (input: SignedInput) => UpstreamRequest,
    which?: 'current' | 'any',
  ): Promise<UpstreamAnswer>;
}

/** What session keys are kept with. */
export interface SessionKeyDeps {
  readonly rows: UserRows;
  readonly callPlatform: CallPlatform;
  readonly clock: Clock;
}

export function createSessionKeys({ rows, callPlatform, clock }: SessionKeyDeps): SessionKeys {
  const refOf = (app: App, openid: string): CredentialRef => ({ app, kind: 'session-key', openid });

  const after = (value: ValueObject, expiresAt: number, before: UserRow | undefined): UserRow => {
    const now = clock.now();
    const unchanged = before !== undefined && keyIn(before.value) === keyIn(value);
    const outlived = before !== undefined && !unchanged && now < before.expiresAt;
    return {
      value,
      expiresAt,
      renewAt: undefined,
      issuedAt: now,
      previous: outlived
        ? { value: before.value, expiresAt: Math.min(before.expiresAt, now + PREVIOUS_KEPT_MS) }
        : before?.previous,
    };
  };

  const keys: SessionKeys['keys'] = async (app, openid) => {
    const row = await rows.read(refOf(app, openid));
    const now = clock.now();
    const found = [
      row !== undefined && now < row.expiresAt ? keyIn(row.value) : undefined,
      row?.previous !== undefined && now < row.previous.expiresAt ? keyIn(row.previous.value) : undefined,
    ].filter(key => key !== undefined);
    if (found.length > 0) return found.map(key => new Secret(key));
    throw new BridgeError(
      'LOGIN_REQUIRED',
      `no session_key of this user of ${app.name} (${app.appid}) is kept`,
      {
        hint: 'have the user call wx.login and exchange the code, or push the session_key in with setSessionKey',
      },
    );
  };

  return {
    keys,
    async get(ref) {
      const row = await rows.read(ref);
      return row !== undefined && clock.now() < row.expiresAt
        ? { state: 'usable', value: row.value, expiresAt: row.expiresAt }
        : { state: 'absent' };
    },
    set: (ref, value, expiresAt) => rows.write(ref, before => after(value, expiresAt, before)),
    replace: (app, openid, sessionKey) =>
      rows.write(refOf(app, openid), before =>
        after(
          { ...before?.value, session_key: sessionKey.reveal() },
          before?.expiresAt ?? Number.POSITIVE_INFINITY,
          before,
        ),
      ),
    async signedCall(app, openid, plan, build, which = 'any') {
      const [current, before] = await keys(app, openid);
      if (current === undefined) throw new TypeError('session keys without a first one');
      const signedWith = (sessionKey: Secret): Promise<UpstreamAnswer> =>
        callPlatform(app, accessToken => build({ openid, accessToken, sessionKey }));
      const answer = await signedWith(current);
      const refused = !answer.ok && plan.sessionRefusedCodes.has(answer.refusal.errcode);
      if (!refused || before === undefined || which === 'current') return answer;
      const second = await signedWith(before);
      return second.ok ? second : answer;
    },
  };
}

/** How sessions of an app's users are had; undefined when they are only pushed in. */
export function sessionPlanFor(app: App): SessionPlan | undefined {
  return app.managed ? platformOf(app.platform).sessions : undefined;
}

/** A capability of an app's sessions; throws CREDENTIAL_UNSUPPORTED when its platform does not offer it. */
export function requireSession<K extends keyof SessionPlan>(
  app: App,
  capability: K,
): SessionPlan & Required<Pick<SessionPlan, K>> {
  const plan = platformOf(app.platform).sessions;
  if (plan?.[capability] !== undefined) return plan as SessionPlan & Required<Pick<SessionPlan, K>>;
  throw new BridgeError(
    'CREDENTIAL_UNSUPPORTED',
    `${app.platform} does not offer this for its sessions (${capability})`,
    {
      hint: 'it belongs to WeChat mini programs (weixin-mp)',
    },
  );
}

function keyIn(value: ValueObject): string | undefined {
  const key = value['session_key'];
  return typeof key === 'string' && key !== '' ? key : undefined;
}
