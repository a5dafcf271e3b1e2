import { type Clock, deadline } from '../base/clock.ts';
import { asBridgeError, BridgeError, type ErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import type { BudgetRule, IssuePlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { Upstream } from '../platforms/upstream.ts';
import type { Store } from '../stores/store.ts';
import { type Budgets, createBudgets } from './budget.ts';
import type { Authority, CredentialRef, RefusalReport, ReportOutcome } from './credentials.ts';
import { createFailures, IssueRefused } from './failures.ts';
import { renewalTime, retryAfterSameValue } from './freshness.ts';
import { createIssuer, type IssuedAt, LeaseLost } from './issuer.ts';
import { credentialName, type KeyFormat } from './keys.ts';
import { type Lease, takeLease } from './lease.ts';
import { createVault, type Held, judge } from './vault.ts';

/** How old a value in memory may grow before the store is asked again: how late another process's renewal is noticed. */
const REVALIDATE_MS = 1000;
/** Longest wait for the store while a usable value is in memory. */
const STORE_PATIENCE_MS = 500;
/** Longest wait for a credential that is not there yet, all tries and other holders included. */
const PATIENCE_MS = 25_000;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 250;

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

/** What the authority is made of; everything impure is passed in. */
export interface AuthorityDeps {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** An unguessable string, new at every call: names the holder of a lease. */
  readonly newHolder: () => string;
  readonly log: Log;
  readonly keyFormat: KeyFormat;
  /** Told of every issue and report, for metrics. */
  readonly onEvent?: (event: AuthorityEvent) => void;
}

/** Something the authority did. */
export interface AuthorityEvent {
  readonly type: 'issued' | 'failed' | 'superseded' | 'kept';
  readonly ref: CredentialRef;
  readonly errcode?: number | undefined;
}

/** What would satisfy someone who wants a credential. */
type Demand =
  | { readonly type: 'usable' }
  | { readonly type: 'renew' }
  | {
      readonly type: 'replace';
      readonly fingerprint: string;
      readonly by: RefusalReport['observedBy'] | 'operator';
    };

/** What came of a demand: the credential now held, and why the old one was kept if it was. */
interface Obtained {
  readonly held: Held;
  readonly issued: boolean;
  readonly keptBecause?: string;
}

/**
 * Makes the credential authority. The one refresh path is `obtain`: store, failure, lease, store again,
 * issue, commit. In-process flights merge equal demands; the lease keeps processes apart; the epoch
 * keeps a slow holder from overwriting a newer value.
 */
export function createAuthority(
  deps: AuthorityDeps,
): Authority & { idle(): Promise<void>; readonly budgets: Budgets } {
  const { store, clock, random, log } = deps;
  const now = (): number => clock.now();
  const budgets = createBudgets({ store, now });
  const failures = createFailures({ store, log, now, random });
  const issue = createIssuer({ upstream: deps.upstream, clock, random });
  const vault = createVault({ store, keyFormat: deps.keyFormat, planOf });

  /** The newest known value of each credential, and when the store last confirmed it. */
  const memory = new Map<string, { held: Held; checkedAt: number; nudgedAt: number }>();
  const flights = new Map<string, Promise<unknown>>();

  /** Runs `work` once for all who ask under the same key at the same time. */
  function shared<T>(key: string, work: () => Promise<T>): Promise<T> {
    const running = flights.get(key) as Promise<T> | undefined;
    if (running !== undefined) return running;
    const flight = work().finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  }

  function remember(held: Held): Held {
    const name = credentialName(held.credential.ref);
    const known = memory.get(name);
    const newest = known !== undefined && supersedes(known.held, held) ? known.held : held;
    memory.set(name, {
      held: newest,
      checkedAt: now(),
      nudgedAt: known?.nudgedAt ?? Number.NEGATIVE_INFINITY,
    });
    return newest;
  }

  /**
   * Whether the value in memory is newer than what the store answered late. A lower epoch alone does not
   * say so: epochs begin anew when a row is removed.
   */
  function supersedes({ credential: known }: Held, { credential: read }: Held): boolean {
    return known.epoch > read.epoch && known.issuedAt >= read.issuedAt && now() < known.expiresAt;
  }

  async function read(ref: CredentialRef): Promise<Held | undefined> {
    const held = await vault.read(ref);
    return held && remember(held);
  }

  /** The current value if it is usable, from memory while the store confirmed it lately. */
  async function current(ref: CredentialRef): Promise<Held | undefined> {
    const name = credentialName(ref);
    const known = memory.get(name);
    if (known !== undefined && isRecent(known.checkedAt) && usable(known.held)) return known.held;
    const reading = shared(`read|${name}`, () => read(ref));
    if (known === undefined || !usable(known.held)) {
      const held = await reading;
      return held !== undefined && usable(held) ? held : undefined;
    }
    try {
      const held = await within(STORE_PATIENCE_MS, reading);
      return held !== undefined && usable(held) ? held : undefined;
    } catch (error) {
      // With the store away a value that has not expired still serves; looked at again with the next revalidation.
      known.checkedAt = now();
      log.warn(
        { app: ref.app.name, kind: ref.kind, err: error },
        'the store does not answer; serving the credential in memory',
      );
      return known.held;
    }
  }

  /** A promise, or STORE_UNAVAILABLE when it takes too long; what was started goes on. */
  async function within<T>(ms: number, pending: Promise<T>): Promise<T> {
    const limit = deadline(
      clock,
      ms,
      () => new BridgeError('STORE_UNAVAILABLE', `the store did not answer within ${ms} ms`),
    );
    try {
      return await withSignal(pending, limit.signal);
    } finally {
      limit.clear();
    }
  }

  /** A moment in the future was noted before the clock was set back: it is not recent. */
  const isRecent = (at: number): boolean => now() >= at && now() - at < REVALIDATE_MS;
  const usable = (held: Held): boolean => judge(held, now()) !== 'expired';

  function satisfies(held: Held, demand: Demand): boolean {
    if (demand.type === 'renew') return judge(held, now()) === 'fresh';
    return (
      usable(held) && (demand.type === 'usable' || held.credential.value.fingerprint !== demand.fingerprint)
    );
  }

  function obtain(ref: CredentialRef, demand: Demand): Promise<Obtained> {
    const goal = demand.type === 'replace' ? `replace:${demand.by}:${demand.fingerprint}` : demand.type;
    return shared(`${goal}|${credentialName(ref)}`, () => pursue(ref, demand));
  }

  /** The one refresh path. Losers of the lease wait here for its holder's result; nobody runs anyway. */
  async function pursue(ref: CredentialRef, demand: Demand): Promise<Obtained> {
    const patienceEndsAt = now() + PATIENCE_MS;
    let pause = FIRST_POLL_MS;
    for (;;) {
      const ready = await settled(ref, demand);
      if (ready !== undefined) return ready;
      const lease = await takeLease({
        leases: store.leases,
        name: `issue:${credentialName(ref)}`,
        holder: deps.newHolder(),
        clock,
        log,
      });
      if (lease !== undefined) {
        try {
          return (await settled(ref, demand)) ?? (await replace(ref, demand, lease));
        } catch (error) {
          if (!(error instanceof LeaseLost)) throw error;
        } finally {
          await lease.release();
        }
      }
      if (now() >= patienceEndsAt) {
        throw new BridgeError(
          'CREDENTIAL_UNAVAILABLE',
          `no ${ref.kind} for ${ref.app.name} (${ref.app.appid}) yet: another process is still fetching it`,
          {
            hint: 'try again; if it lasts, look at the log of the other processes that share this database',
            retryAfterMs: 1000,
          },
        );
      }
      await clock.sleep(pause * (0.5 + random()));
      pause = Math.min(pause * 1.5, LONGEST_POLL_MS);
    }
  }

  /** What the store already has for this demand; throws a failure that is too young to try again. */
  async function settled(ref: CredentialRef, demand: Demand): Promise<Obtained | undefined> {
    const held = await read(ref);
    if (held !== undefined && satisfies(held, demand)) return { held, issued: false };
    const operator = demand.type === 'replace' && demand.by === 'operator';
    if (!operator) await failures.throwIfBlocked(ref);
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
      return await issueOver(ref, over, refused, lease);
    } catch (error) {
      if (error instanceof LeaseLost) throw error;
      const failure = asBridgeError(error);
      deps.onEvent?.({ type: 'failed', ref, errcode: failure.upstream?.errcode });
      if (!isVerdict(error) || (refused?.by === 'operator' && failure.code === 'BUDGET_EXHAUSTED'))
        throw error;
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
    lease: Lease,
  ): Promise<Obtained> {
    const plan = planOf(ref);
    const operator = refused?.by === 'operator';
    let forced = operator && plan.forceBudget !== undefined;
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
    remember(held);
    if (same()) {
      deps.onEvent?.({ type: 'kept', ref });
      return { held, issued: false, keptBecause: 'the platform says that it is still the current one' };
    }
    deps.onEvent?.({ type: 'issued', ref });
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
    const needed = await authority.get(neededRef);
    try {
      return await send(needed.value);
    } catch (error) {
      if (!(error instanceof IssueRefused) || error.refusal.rule.class !== 'token') throw error;
      const { fingerprint } = needed.value;
      const repaired = await authority.report(neededRef, {
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
    const held = await read(ref);
    if (held !== undefined && usable(held)) return { held, issued: false };
    throw new LeaseLost('overtaken, and what stands is not usable');
  }

  /** Writes a value that uniCloud or the other key form left us under our own key, where renewal finds it. */
  async function adopt(ref: CredentialRef, held: Held): Promise<void> {
    const { value, issuedAt, expiresAt } = held.credential;
    const adopted = await vault.commit({
      ref,
      plan: planOf(ref),
      issued: { value, startedAt: issuedAt, lifeMs: expiresAt - issuedAt },
      renewAt: held.renewAt,
      over: held,
      overlaps: false,
    });
    if (adopted !== undefined) remember(adopted);
  }

  /** Renews behind the callers' backs, and leaves a renewal that fails alone for a while. */
  function nudge(ref: CredentialRef): void {
    const known = memory.get(credentialName(ref));
    if (known === undefined || isRecent(known.nudgedAt)) return;
    known.nudgedAt = now();
    authority
      .renew(ref)
      .catch(error =>
        log.error({ err: error, app: ref.app.name, kind: ref.kind }, 'renewal failed unexpectedly'),
      );
  }

  const authority: Authority = {
    async get(ref, options = {}) {
      planOf(ref);
      const held = await current(ref);
      if (held === undefined)
        return (await withSignal(obtain(ref, { type: 'usable' }), options.signal)).held.credential;
      if (judge(held, now()) === 'due') nudge(ref);
      return held.credential;
    },

    async report(ref, { fingerprint, errcode, observedBy }) {
      const held = await shared(`read|${credentialName(ref)}`, () => read(ref));
      if (held === undefined || held.credential.value.fingerprint !== fingerprint) {
        deps.onEvent?.({ type: 'superseded', ref, errcode });
        return { credential: await authority.get(ref), outcome: 'superseded', reason: undefined };
      }
      const kept = (reason: string): ReportOutcome => ({
        credential: held.credential,
        outcome: 'kept',
        reason,
      });
      if (platformOf(ref.app.platform).errorRule(errcode).class !== 'token') {
        return kept(
          `errcode ${errcode} does not say that the credential was refused; 40001, 40014 and 42001 do`,
        );
      }
      try {
        const { held: next, keptBecause } = await obtain(ref, {
          type: 'replace',
          fingerprint,
          by: observedBy,
        });
        if (keptBecause !== undefined) return { ...kept(keptBecause), credential: next.credential };
        return { credential: next.credential, outcome: 'renewed', reason: undefined };
      } catch (error) {
        const { code, message } = asBridgeError(error);
        if (code !== 'CREDENTIAL_UNAVAILABLE' || !usable(held)) throw error;
        return kept(message);
      }
    },

    async rotate(ref) {
      const held = await read(ref);
      const demand: Demand =
        held === undefined
          ? { type: 'usable' }
          : { type: 'replace', fingerprint: held.credential.value.fingerprint, by: 'operator' };
      return (await obtain(ref, demand)).held.credential;
    },

    async renew(ref) {
      try {
        const { issued } = await obtain(ref, { type: 'renew' });
        return issued ? 'renewed' : 'fresh';
      } catch (error) {
        log.debug({ app: ref.app.name, kind: ref.kind, err: error }, 'renewal put off');
        return 'failed';
      }
    },

    async keep(ref) {
      try {
        const held = await read(ref);
        if (held === undefined) {
          await authority.get(ref);
        } else if (!held.row.background && held.storedEpoch > 0) {
          await store.credentials.reschedule(held.row.id, held.row.epoch, {
            renewAt: held.renewAt,
            background: true,
          });
        } else if (held.storedEpoch === 0) {
          await adopt(ref, held);
        }
        return 'fresh';
      } catch (error) {
        log.debug({ app: ref.app.name, kind: ref.kind, err: error }, 'credential cannot be had yet');
        return 'failed';
      }
    },

    async status(ref) {
      const held = await read(ref);
      const failure = await failures.get(ref);
      return {
        ref,
        fingerprint: held?.credential.value.fingerprint,
        epoch: held?.credential.epoch ?? 0,
        issuedAt: held?.credential.issuedAt,
        expiresAt: held?.credential.expiresAt,
        renewAt: held?.renewAt,
        failure,
      };
    },
  };

  return {
    ...authority,
    budgets,
    async idle() {
      await Promise.allSettled(flights.values());
    },
  };
}

/** Codes of failures to issue that every process should know of; others are ours alone or kept elsewhere. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set([
  'BUDGET_EXHAUSTED',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_UNREACHABLE',
]);

/** Whether the platform, or its silence, decided this; a ticket's missing access token is kept under the token's own name. */
function isVerdict(error: unknown): boolean {
  return error instanceof IssueRefused || (error instanceof BridgeError && VERDICTS.has(error.code));
}

/** How a credential is issued; throws when its platform has no such kind. */
function planOf({ app, kind }: CredentialRef): IssuePlan {
  const plan = platformOf(app.platform).plan(kind, app.tokenMode);
  if (plan !== undefined) return plan;
  throw new BridgeError('CREDENTIAL_UNSUPPORTED', `${app.platform} has no ${kind}`, {
    hint: kind === 'access-token' ? undefined : 'tickets belong to official accounts (weixin-h5)',
  });
}

/** Lets a caller stop waiting; the work itself goes on for the others. */
async function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const gone = Promise.withResolvers<never>();
  const leave = (): void => gone.reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    // The race also takes the work's failure, which would otherwise be unhandled once nobody waits.
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
