import { createHash } from 'node:crypto';
import { asBridgeError, BridgeError } from '../base/errors.ts';
import type { App, UpstreamRequest, UserGrant, UserTokenPlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { EphemeralTable } from '../stores/store.ts';
import type { Login, UserSessions } from './credentials.ts';
import { IssueRefused } from './failures.ts';
import type { Flights } from './flights.ts';
import type { Pursue } from './pursuit.ts';
import { requireSession, type SessionKeys } from './session-keys.ts';
import type { UserExchange } from './user-exchange.ts';
import { requireUserTokens, type UserTokens } from './user-tokens.ts';

/** How long the outcome of an exchanged code is remembered: no longer than codes live. */
const OUTCOME_KEPT_MS = 5 * 60_000;

/** What became of a code, as it is remembered for whoever asks with it again. */
type Outcome =
  | { readonly login: Login }
  | { readonly refused: { readonly errcode: number; readonly errmsg: string } };

/** What sessions work with. */
export interface UserSessionDeps {
  readonly ephemeral: EphemeralTable;
  readonly sessionKeys: SessionKeys;
  readonly userTokens: UserTokens;
  readonly exchange: UserExchange;
  readonly pursue: Pursue;
  readonly flights: Flights;
}

export function createUserSessions(deps: UserSessionDeps): UserSessions {
  const { ephemeral, sessionKeys, userTokens, exchange, pursue, flights } = deps;

  /** Sends one request of a login; throws IssueRefused unless it went well. */
  async function granted(app: App, request: UpstreamRequest, mayProceed?: () => Promise<boolean>) {
    const { answer, startedAt } = await exchange(loginKind(app), { app, request, mayProceed, oneShot: true });
    if (!answer.ok) throw new IssueRefused(answer.refusal, { app, kind: loginKind(app) });
    return { body: answer.body, startedAt };
  }

  /** Exchanges the code of a mini program and keeps the session key. */
  async function openSession(app: App, code: string, mayProceed: () => Promise<boolean>): Promise<Login> {
    const plan = requireSession(app, 'exchange');
    const { body } = await granted(app, plan.exchange(app, code), mayProceed);
    const { openid, unionid, sessionKey } = plan.read(body);
    const value = { session_key: sessionKey.reveal() };
    await sessionKeys.set({ app, kind: 'session-key', openid }, value, Number.POSITIVE_INFINITY);
    return { openid, unionid, scope: undefined, snapshot: false };
  }

  /** Completes a grant whose answer did not say everything about its user. */
  async function identified(app: App, plan: UserTokenPlan, grant: UserGrant): Promise<UserGrant> {
    const complete = grant.openid !== '' && grant.unionid !== undefined;
    if (complete || plan.identify === undefined) return grant;
    try {
      const { body } = await granted(app, plan.identify(grant.accessToken));
      const { openid, unionid } = body;
      return {
        ...grant,
        openid: textOf(openid) ?? grant.openid,
        unionid: textOf(unionid) ?? grant.unionid,
      };
    } catch (error) {
      // An app that is bound to nothing is refused its users' unionids, and its users still log in.
      if (grant.openid !== '' && error instanceof IssueRefused) return grant;
      throw error;
    }
  }

  /** Exchanges an OAuth code and keeps the tokens. */
  async function openGrant(
    app: App,
    input: { readonly code: string; readonly redirectUri?: string | undefined },
    mayProceed: () => Promise<boolean>,
  ): Promise<Login> {
    const plan = requireUserTokens(app);
    const { body, startedAt } = await granted(app, plan.exchange(app, input), mayProceed);
    const grant = await identified(app, plan, plan.read(body));
    if (grant.openid === '') {
      throw new BridgeError('UPSTREAM_UNREACHABLE', 'the platform did not say whose the code is', {
        hint: 'check "upstream" in the configuration: something other than the platform may have answered',
      });
    }
    await userTokens.keep(app, grant, startedAt);
    const { openid, unionid, scope, snapshot } = grant;
    return { openid, unionid, scope, snapshot };
  }

  async function remembered(name: string): Promise<Outcome | undefined> {
    const text = await ephemeral.get(name);
    return text === undefined ? undefined : (JSON.parse(text) as Outcome);
  }

  /** Exchanges a code and remembers what became of it, whatever it was that the platform said. */
  async function exchangeOnce(name: string, login: () => Promise<Login>): Promise<Outcome> {
    let outcome: Outcome;
    try {
      outcome = { login: await login() };
    } catch (error) {
      const { upstream } = asBridgeError(error);
      if (
        !(error instanceof IssueRefused) ||
        upstream === undefined ||
        error.refusal.rule.class !== 'one-shot'
      )
        throw error;
      outcome = { refused: upstream };
    }
    await ephemeral.putIfAbsent(name, JSON.stringify(outcome), OUTCOME_KEPT_MS);
    return outcome;
  }

  return {
    keys: sessionKeys.keys,
    async login(app, input) {
      if (!app.managed) requireUserTokens(app);
      const session = platformOf(app.platform).sessions !== undefined;
      const digest = createHash('sha256').update(input.code).digest('base64url');
      const name = `login:${app.platform}:${app.appid}:${digest}`;
      const outcome = await flights.shared(name, () =>
        pursue({
          name,
          what: `login for ${app.name} (${app.appid})`,
          settled: () => remembered(name),
          work: lease =>
            exchangeOnce(name, () =>
              session
                ? openSession(app, input.code, () => lease.confirm())
                : openGrant(app, input, () => lease.confirm()),
            ),
        }),
      );
      if ('login' in outcome) return { ...NOBODY, ...outcome.login };
      const rule = platformOf(app.platform).errorRule(outcome.refused.errcode);
      throw new IssueRefused({ ...outcome.refused, rule }, { app, kind: loginKind(app) });
    },
    async check(app, openid) {
      const plan = requireSession(app, 'check');
      const answer = await sessionKeys.signedCall(app, openid, plan, plan.check, 'current');
      if (answer.ok) return { valid: true, errcode: 0, errmsg: 'ok' };
      const { errcode, errmsg } = answer.refusal;
      if (plan.sessionRefusedCodes.has(errcode)) return { valid: false, errcode, errmsg };
      throw new IssueRefused(answer.refusal, { app, kind: 'session-key' });
    },
    async reset(app, openid) {
      const plan = requireSession(app, 'reset');
      const { readReset } = requireSession(app, 'readReset');
      await flights.shared(`reset:${app.platform}:${app.appid}:${openid}`, async () => {
        const answer = await sessionKeys.signedCall(app, openid, plan, plan.reset);
        if (!answer.ok) throw new IssueRefused(answer.refusal, { app, kind: 'session-key' });
        await sessionKeys.replace(app, openid, readReset(answer.body));
      });
    },
  };
}

/** What a login that was remembered as JSON may lack. */
const NOBODY = { unionid: undefined, scope: undefined };

function loginKind(app: App): 'session-key' | 'user-access-token' {
  return platformOf(app.platform).sessions === undefined ? 'user-access-token' : 'session-key';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
