import type { Clock } from '../base/clock.ts';
import { asBridgeError, BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Secret } from '../base/secret.ts';
import type { IssuePlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { Store } from '../stores/store.ts';
import { type Budgets, createBudgets } from './budget.ts';
import type { Authority, CredentialRef, ReportOutcome, Rotation, ValueObject } from './credentials.ts';
import { createForeignRefreshes } from './early-ends.ts';
import type { Exchange } from './exchange.ts';
import { createFailures } from './failures.ts';
import { type Flights, withSignal } from './flights.ts';
import { renewalTime } from './freshness.ts';
import { createIssuer } from './issuer.ts';
import { credentialName, type KeyFormat } from './keys.ts';
import { createMemory } from './memory.ts';
import { isPushed, planOf, pushedIn, valueField } from './plans.ts';
import { type Pursue, TakenElsewhere } from './pursuit.ts';
import { type AuthorityEvent, createRefresh, type Demand } from './refresh.ts';
import { createTurns } from './turns.ts';
import { createVault, type Held, isUsable, judge } from './vault.ts';

export type { AuthorityEvent } from './refresh.ts';

/** What the authority is made of; everything impure is passed in. */
export interface AuthorityDeps {
  readonly store: Store;
  readonly exchange: Exchange;
  readonly pursue: Pursue;
  readonly flights: Flights;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly keyFormat: KeyFormat;
  /** Told of every issue and report, for metrics. */
  readonly onEvent?: ((event: AuthorityEvent) => void) | undefined;
}

/** App-level credentials as stored values: what the uni-open-bridge functions add to an authority. */
export interface AppValues {
  /** The current value if there is a usable one; never asks the platform. */
  peek(ref: CredentialRef): Promise<Held | undefined>;
  /** As `Authority.get`, with the whole stored value. */
  hold(ref: CredentialRef): Promise<Held>;
  /** Writes a value from outside over what is there. */
  put(ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void>;
  remove(ref: CredentialRef): Promise<boolean>;
  /** Asks the platform now, whatever is held; not forced. */
  anew(ref: CredentialRef): Promise<void>;
}

/**
 * Has one value, named by its fingerprint, end at the platform: forced where the platform can, from the
 * operator's share. Asking again for the same value, anywhere, replaces nothing more. A value that was merely
 * renewed since lives on in its overlap, so what came after it is replaced too, and `already`
 * says that no overlap keeps it alive. Throws BridgeError BUDGET_EXHAUSTED, with `retryAfterMs` where only the
 * spacing forbids it.
 */
export type Retire = (ref: CredentialRef, fingerprint: string) => Promise<Rotation>;

/** How often a write from outside is tried over other writers of the same credential. */
const WRITE_TRIES = 20;

/**
 * Makes the credential authority: the memory before the store, and the one refresh path behind it
 * (`refresh.ts`).
 */
export function createAuthority(deps: AuthorityDeps): Authority & {
  idle(): Promise<void>;
  readonly budgets: Budgets;
  readonly values: AppValues;
  readonly retire: Retire;
} {
  const { store, flights, clock, random, log } = deps;
  const now = (): number => clock.now();
  const budgets = createBudgets({ store, now });
  const failures = createFailures({ store, log, now, random });
  const foreign = createForeignRefreshes({ settings: store.settings, log, now });
  const vault = createVault({ store, keyFormat: deps.keyFormat, planOf });
  const memory = createMemory({ vault, flights, clock, log, changes: store.changes });
  const obtain = createRefresh({
    store,
    vault,
    memory,
    failures,
    foreign,
    budgets,
    flights,
    issue: createIssuer(deps.exchange),
    planOf,
    authority: () => authority,
    pursue: deps.pursue,
    clock,
    random,
    log,
    onEvent: deps.onEvent,
  });
  const inTurn = createTurns();
  const usable = (held: Held): boolean => isUsable(held, now());

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
    if (adopted !== undefined) memory.remember(adopted);
  }

  /** Renews behind the callers' backs, and leaves a renewal that fails alone for a while. */
  function nudge(ref: CredentialRef): void {
    if (!memory.mayNudge(ref)) return;
    authority
      .renew(ref)
      .catch(error =>
        log.error({ err: error, app: ref.app.name, kind: ref.kind }, 'renewal failed unexpectedly'),
      );
  }

  async function hold(ref: CredentialRef, signal?: AbortSignal): Promise<Held> {
    planOf(ref);
    const held = await memory.current(ref);
    if (held === undefined) return (await withSignal(obtain(ref, { type: 'usable' }), signal)).held;
    if (judge(held, now()) === 'due') nudge(ref);
    return held;
  }

  const authority: Authority = {
    get: async (ref, options = {}) => (await hold(ref, options.signal)).credential,

    held(ref) {
      const held = memory.confirmed(ref);
      return held !== undefined && judge(held, now()) === 'fresh' ? held.credential : undefined;
    },

    async report(ref, { fingerprint, errcode, observedBy }) {
      const held = await memory.readTogether(ref);
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
      if (isPushed(ref)) return kept(pushedIn(ref).hint ?? '');
      try {
        const { held: next, keptBecause } = await obtain(ref, {
          type: 'replace',
          fingerprint,
          by: observedBy,
        });
        if (keptBecause !== undefined) return { ...kept(keptBecause), credential: next.credential };
        return { credential: next.credential, outcome: 'renewed', reason: undefined };
      } catch (error) {
        const failure = asBridgeError(error);
        if (failure.code !== 'CREDENTIAL_UNAVAILABLE' || !usable(held)) throw error;
        return { ...kept(failure.message), failure };
      }
    },

    async rotate(ref) {
      if (isPushed(ref)) throw pushedIn(ref);
      const held = await memory.read(ref);
      const fingerprint = held?.credential.value.fingerprint;
      const demand: Demand =
        fingerprint === undefined
          ? { type: 'usable', by: 'operator' }
          : { type: 'replace', fingerprint, by: 'operator' };
      const { issued, held: next } = await obtain(ref, demand);
      const { credential } = next;
      const isSame = credential.value.fingerprint === fingerprint;
      return { credential, outcome: issued ? 'replaced' : isSame ? 'kept' : 'already' };
    },

    async renew(ref) {
      if (isPushed(ref)) return 'fresh';
      try {
        const { issued } = await obtain(ref, { type: 'renew' });
        return issued ? 'renewed' : 'fresh';
      } catch (error) {
        if (error instanceof TakenElsewhere) return 'fresh';
        log.debug({ app: ref.app.name, kind: ref.kind, err: error }, 'renewal put off');
        return 'failed';
      }
    },

    async keep(ref) {
      if (isPushed(ref)) return 'fresh';
      try {
        const held = await memory.read(ref);
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
      const held = await memory.read(ref);
      const failure = await failures.get(ref);
      const earlyEnds = await foreign.of(ref);
      return {
        ref,
        fingerprint: held?.credential.value.fingerprint,
        epoch: held?.credential.epoch ?? 0,
        issuedAt: held?.credential.issuedAt,
        expiresAt: held?.credential.expiresAt,
        renewAt: held?.renewAt,
        failure,
        earlyEnds,
      };
    },
  };

  /** Writes over whatever stands, however often another process is first. */
  async function write(
    ref: CredentialRef,
    plan: IssuePlan,
    value: ValueObject,
    text: string,
    expiresAt: number,
  ): Promise<void> {
    const startedAt = now();
    const renewAt = renewalTime({ issuedAt: startedAt, expiresAt }, plan, random());
    for (let tried = 0; tried < WRITE_TRIES; tried += 1) {
      const knownEpoch = memory.epoch(ref);
      const over = await vault.read(ref);
      // Removed since: epochs begin anew, and what is known of before would pass for newer than what follows.
      if ((over?.credential.epoch ?? 0) < knownEpoch) memory.forget(ref);
      const held = await vault.commit({
        ref,
        plan,
        issued: { value: new Secret(text), startedAt, lifeMs: expiresAt - startedAt },
        stored: value,
        renewAt,
        over,
        overlaps: true,
      });
      if (held !== undefined) {
        memory.remember(held);
        return;
      }
    }
    throw new BridgeError(
      'STORE_UNAVAILABLE',
      `${ref.kind} of ${ref.app.name} is being written by too many at once`,
      {
        hint: 'try again; if it lasts, see who else writes it',
      },
    );
  }

  const values: AppValues = {
    async peek(ref) {
      planOf(ref);
      return memory.current(ref);
    },
    hold: ref => hold(ref),
    async put(ref, value, expiresAt) {
      const plan = planOf(ref);
      const text = plan.fromStored(value);
      if (text === undefined)
        throw new BridgeError('REQUEST_MALFORMED', `the value holds no ${valueField(ref.kind)}`);
      await inTurn(credentialName(ref), () => write(ref, plan, value, text, expiresAt));
    },
    async remove(ref) {
      planOf(ref);
      const removed = await vault.remove(ref);
      memory.forget(ref);
      return removed;
    },
    async anew(ref) {
      planOf(ref);
      await obtain(ref, { type: 'anew', since: now() });
    },
  };

  const retire: Retire = async (ref, fingerprint) => {
    if (isPushed(ref)) throw pushedIn(ref);
    let ending = fingerprint;
    for (;;) {
      const { held, issued } = await obtain(ref, { type: 'replace', fingerprint: ending, by: 'operator' });
      const { credential, row } = held;
      if (issued) return { credential, outcome: 'replaced' };
      if (credential.value.fingerprint === ending) return { credential, outcome: 'kept' };
      if (row.previous?.fingerprint !== ending) return { credential, outcome: 'already' };
      ending = credential.value.fingerprint;
    }
  };

  return { ...authority, budgets, values, retire, idle: flights.idle };
}
