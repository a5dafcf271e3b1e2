import type { Clock } from '../base/clock.ts';
import { asBridgeError, BridgeError, type ErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import type { BudgetRule, IssuePlan } from '../platforms/platform.ts';
import type { Store } from '../stores/store.ts';
import type { Budgets } from './budget.ts';
import type { Authority, CredentialRef, RefusalReport } from './credentials.ts';
import type { ForeignRefreshes } from './early-ends.ts';
import { LeaseLost } from './exchange.ts';
import { type Failures, IssueRefused } from './failures.ts';
import type { Flights } from './flights.ts';
import { renewalTime, retryAfterSameValue } from './freshness.ts';
import type { IssuedAt, Issuer } from './issuer.ts';
import { credentialName } from './keys.ts';
import type { Lease } from './lease.ts';
import type { CredentialMemory } from './memory.ts';
import { isPushed, pushedIn } from './plans.ts';
import type { Pursue } from './pursuit.ts';
import { type Held, isUsable, judge, type Vault } from './vault.ts';

/** Repairs we saw the need of ourselves. The spacing stops a loop if every new token is refused too. */
const REPAIR: BudgetRule = { name: 'repair', limit: 1000, reserve: 0, window: 'day', spacingMs: 1000 };
/** Repairs on a caller's word: a caller that lies or loops costs little. */
const REPAIR_REPORTED: BudgetRule = {
  name: 'repair-reported',
  limit: 200,
  reserve: 0,
  window: 'day',
  spacingMs: 10_000,
};

/** Something the authority did. */
export interface AuthorityEvent {
  readonly type: 'issued' | 'failed' | 'superseded' | 'kept' | 'ended-early';
  readonly ref: CredentialRef;
  readonly errcode?: number | undefined;
}

/** What would satisfy someone who wants a credential. */
export type Demand =
  | { readonly type: 'usable'; readonly by?: 'operator' }
  | { readonly type: 'renew' }
  /** One asked for after `since`, whatever is held. */
  | { readonly type: 'anew'; readonly since: number }
  | {
      readonly type: 'replace';
      readonly fingerprint: string;
      readonly by: RefusalReport['observedBy'] | 'operator';
    };

/** Whether an operator wants it, who may have mended what the last failure was about. */
function isOperators(demand: Demand): boolean {
  return (demand.type === 'usable' || demand.type === 'replace') && demand.by === 'operator';
}

/** What came of a demand: the credential now held, and why the old one was kept if it was. */
export interface Obtained {
  readonly held: Held;
  readonly issued: boolean;
  readonly keptBecause?: string;
}

/** What refreshing works with. */
export interface RefreshDeps {
  readonly store: Store;
  readonly vault: Vault;
  readonly memory: CredentialMemory;
  readonly failures: Failures;
  readonly foreign: ForeignRefreshes;
  readonly budgets: Budgets;
  readonly flights: Flights;
  readonly issue: Issuer;
  readonly planOf: (ref: CredentialRef) => IssuePlan;
  /** Where a credential that another one needs comes from. */
  readonly authority: () => Pick<Authority, 'get' | 'report'>;
  readonly pursue: Pursue;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onEvent: ((event: AuthorityEvent) => void) | undefined;
}

/** Gets what a demand asks for, with at most one issue over all processes. */
export type Obtain = (ref: CredentialRef, demand: Demand) => Promise<Obtained>;

/**
 * The one refresh path: store, failure, lease, store again, issue, commit. In-process flights merge equal
 * demands; the lease keeps processes apart; the epoch keeps a slow holder from overwriting a newer value.
 */
export function createRefresh(deps: RefreshDeps): Obtain {
  const { store, vault, memory, failures, budgets, issue, planOf, clock, random, log } = deps;
  const now = (): number => clock.now();
  const usable = (held: Held): boolean => isUsable(held, now());

  function satisfies(held: Held, demand: Demand): boolean {
    if (demand.type === 'renew') return judge(held, now()) === 'fresh';
    if (demand.type === 'anew') return held.credential.issuedAt > demand.since && usable(held);
    return (
      usable(held) && (demand.type === 'usable' || held.credential.value.fingerprint !== demand.fingerprint)
    );
  }

  function obtain(ref: CredentialRef, demand: Demand): Promise<Obtained> {
    const goal =
      demand.type === 'replace'
        ? `replace:${demand.by}:${demand.fingerprint}`
        : `${demand.type}${isOperators(demand) ? ':operator' : ''}`;
    return deps.flights.shared(`${goal}|${credentialName(ref)}`, () => pursue(ref, demand));
  }

  /** The one refresh path. */
  function pursue(ref: CredentialRef, demand: Demand): Promise<Obtained> {
    return deps.pursue({
      name: credentialName(ref),
      what: `${ref.kind} for ${ref.app.name} (${ref.app.appid})`,
      // Nobody waits for a renewal.
      impatient: demand.type === 'renew',
      settled: () => settled(ref, demand),
      work: lease => replace(ref, demand, lease),
    });
  }

  /** What the store already has for this demand; throws a failure that is too young to try again. */
  async function settled(ref: CredentialRef, demand: Demand): Promise<Obtained | undefined> {
    const held = await memory.read(ref);
    if (held !== undefined && satisfies(held, demand)) return { held, issued: false };
    if (isPushed(ref)) throw pushedIn(ref);
    if (!isOperators(demand)) await failures.throwIfBlocked(ref);
    return undefined;
  }

  /** Issues and commits under the lease. */
  async function replace(ref: CredentialRef, demand: Demand, lease: Lease): Promise<Obtained> {
    const over = await vault.read(ref);
    const refused =
      demand.type === 'replace' && over?.credential.value.fingerprint === demand.fingerprint
        ? demand
        : undefined;
    if (refused !== undefined && refused.by !== 'operator' && over !== undefined) {
      const rule = refused.by === 'gateway' ? REPAIR : REPAIR_REPORTED;
      if (!(await budgets.take(ref.app, rule, 'anyone'))) {
        return {
          held: over,
          issued: false,
          keptBecause: `it was repaired moments ago or too often today (${rule.name})`,
        };
      }
    }
    try {
      return await issueOver(ref, over, refused, isOperators(demand), lease);
    } catch (error) {
      if (error instanceof LeaseLost) throw error;
      const failure = asBridgeError(error);
      if (wasTried(error)) deps.onEvent?.({ type: 'failed', ref, errcode: failure.upstream?.errcode });
      if (!isVerdict(error) || (isOperators(demand) && failure.code === 'BUDGET_EXHAUSTED')) throw error;
      const { error: told, retryAt } = await failures.record(ref, failure);
      if (over?.row.background) {
        await store.credentials.reschedule(over.row.id, over.row.epoch, {
          renewAt: retryAt,
          background: true,
        });
      }
      throw told;
    }
  }

  async function issueOver(
    ref: CredentialRef,
    over: Held | undefined,
    refused: Extract<Demand, { type: 'replace' }> | undefined,
    operator: boolean,
    lease: Lease,
  ): Promise<Obtained> {
    const plan = planOf(ref);
    let forced = refused?.by === 'operator' && plan.forceBudget !== undefined;
    let issued = await issueWithin(ref, plan, forced, operator, lease);
    const same = (): boolean => issued.value.fingerprint === over?.credential.value.fingerprint;

    // The platform insists that a token is current which it has just refused before our eyes: only force helps.
    if (
      refused?.by === 'gateway' &&
      same() &&
      plan.forceBudget !== undefined &&
      (await budgets.take(ref.app, plan.forceBudget, 'anyone'))
    ) {
      forced = true;
      issued = await issueWithin(ref, plan, true, false, lease, true);
    }

    const life = { issuedAt: issued.startedAt, expiresAt: issued.startedAt + issued.lifeMs };
    const planned = renewalTime(life, plan, random());
    const renewAt = same() ? retryAfterSameValue(life, planned, now()) : planned;
    const held = await vault.commit({
      ref,
      plan,
      issued,
      renewAt,
      over,
      overlaps: refused === undefined && !forced,
    });
    if (held === undefined) return overtaken(ref);

    await failures.clear(ref);
    memory.remember(held);
    if (same()) {
      deps.onEvent?.({ type: 'kept', ref });
      return { held, issued: false, keptBecause: 'the platform says that it is still the current one' };
    }
    deps.onEvent?.({ type: 'issued', ref });
    if (over !== undefined && refused !== undefined && !forced) await noteEarlyEnd(ref, over, refused, plan);
    log.info(
      {
        app: ref.app.name,
        appid: ref.app.appid,
        kind: ref.kind,
        fingerprint: issued.value.fingerprint,
        epoch: held.credential.epoch,
        lifeMs: issued.lifeMs,
        forced,
      },
      'credential issued',
    );
    return { held, issued: true };
  }

  /**
   * Notes a credential that the platform had refused and replaces without being forced to, long before its
   * end: somebody else has replaced it. A caller's word proves nothing where any request brings a new one.
   */
  async function noteEarlyEnd(
    ref: CredentialRef,
    over: Held,
    refused: Extract<Demand, { type: 'replace' }>,
    plan: IssuePlan,
  ): Promise<void> {
    const { issuedAt, expiresAt } = over.credential;
    const leftMs = expiresAt - now();
    if (refused.by === 'operator' || !Number.isFinite(expiresAt)) return;
    if (refused.by === 'caller' && !plan.sameUntilRenewal) return;
    if (leftMs <= Math.min(plan.renewAheadMs, (expiresAt - issuedAt) / 2)) return;
    deps.onEvent?.({ type: 'ended-early', ref });
    try {
      await deps.foreign.note(ref, { at: now(), livedMs: Math.max(0, now() - issuedAt), leftMs });
    } catch (error) {
      log.warn({ app: ref.app.name, kind: ref.kind, err: error }, 'an early end could not be noted');
    }
  }

  /** One call to the platform within budget; a ticket's access token is fetched, and repaired once, on the way. */
  async function issueWithin(
    ref: CredentialRef,
    plan: IssuePlan,
    force: boolean,
    operator: boolean,
    lease: Lease,
    budgeted = false,
  ): Promise<IssuedAt> {
    const rule = force ? plan.forceBudget : plan.issueBudget;
    if (rule !== undefined && !budgeted)
      await budgets.require(ref.app, rule, operator ? 'operator' : 'anyone');
    const send = (needed: Secret | undefined): Promise<IssuedAt> =>
      issue({ ref, plan, force, needed, mayProceed: () => lease.confirm() });
    if (plan.needs === undefined) return send(undefined);

    const neededRef = { app: ref.app, kind: plan.needs };
    const needed = await deps.authority().get(neededRef);
    try {
      return await send(needed.value);
    } catch (error) {
      if (!(error instanceof IssueRefused) || error.refusal.rule.class !== 'token') throw error;
      const { fingerprint } = needed.value;
      const repaired = await deps.authority().report(neededRef, {
        fingerprint,
        errcode: error.refusal.errcode,
        observedBy: 'gateway',
      });
      if (repaired.credential.value.fingerprint === fingerprint) throw error;
      return send(repaired.credential.value);
    }
  }

  /** Our commit came second: someone else's value stands and ours is dropped. */
  async function overtaken(ref: CredentialRef): Promise<Obtained> {
    log.warn(
      { app: ref.app.name, kind: ref.kind },
      'another process committed a newer credential first; ours is discarded',
    );
    const held = await memory.read(ref);
    if (held !== undefined && usable(held)) return { held, issued: false };
    throw new LeaseLost('overtaken, and what stands is not usable');
  }

  return obtain;
}

/** Codes of failures to issue that every process should know of; others are ours alone or kept elsewhere. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set([
  'BUDGET_EXHAUSTED',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_UNREACHABLE',
]);

/** Whether the platform was asked for it: a ticket that lacks its access token never gets so far. */
function wasTried(error: unknown): boolean {
  return error instanceof IssueRefused || asBridgeError(error).code !== 'CREDENTIAL_UNAVAILABLE';
}

/** Whether the platform, or its silence, decided this; a ticket's missing access token is kept under the token's own name. */
function isVerdict(error: unknown): boolean {
  return error instanceof IssueRefused || (error instanceof BridgeError && VERDICTS.has(error.code));
}
