import type { Clock } from '../base/clock.ts';
import { asBridgeError, BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IssuePlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { Upstream } from '../platforms/upstream.ts';
import type { Store } from '../stores/store.ts';
import { type Budgets, createBudgets } from './budget.ts';
import type { Authority, CredentialRef, ReportOutcome } from './credentials.ts';
import { createFailures } from './failures.ts';
import { createFlights, withSignal } from './flights.ts';
import { createIssuer } from './issuer.ts';
import type { KeyFormat } from './keys.ts';
import { createMemory } from './memory.ts';
import { type AuthorityEvent, createRefresh, type Demand } from './refresh.ts';
import { createVault, type Held, isUsable, judge } from './vault.ts';

export type { AuthorityEvent } from './refresh.ts';

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

/**
 * Makes the credential authority: the memory before the store, and the one refresh path behind it
 * (`refresh.ts`).
 */
export function createAuthority(
  deps: AuthorityDeps,
): Authority & { idle(): Promise<void>; readonly budgets: Budgets } {
  const { store, clock, random, log } = deps;
  const now = (): number => clock.now();
  const flights = createFlights();
  const budgets = createBudgets({ store, now });
  const failures = createFailures({ store, log, now, random });
  const vault = createVault({ store, keyFormat: deps.keyFormat, planOf });
  const memory = createMemory({ vault, flights, clock, log });
  const obtain = createRefresh({
    store,
    vault,
    memory,
    failures,
    budgets,
    flights,
    issue: createIssuer({ upstream: deps.upstream, clock, random }),
    planOf,
    authority: () => authority,
    clock,
    random,
    newHolder: deps.newHolder,
    log,
    onEvent: deps.onEvent,
  });
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

  const authority: Authority = {
    async get(ref, options = {}) {
      planOf(ref);
      const held = await memory.current(ref);
      if (held === undefined)
        return (await withSignal(obtain(ref, { type: 'usable' }), options.signal)).held.credential;
      if (judge(held, now()) === 'due') nudge(ref);
      return held.credential;
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
      const held = await memory.read(ref);
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

  return { ...authority, budgets, idle: flights.idle };
}

/** How a credential is issued; throws when its platform has no such kind. */
function planOf({ app, kind }: CredentialRef): IssuePlan {
  const plan = platformOf(app.platform).plan(kind, app.tokenMode);
  if (plan !== undefined) return plan;
  throw new BridgeError('CREDENTIAL_UNSUPPORTED', `${app.platform} has no ${kind}`, {
    hint: kind === 'access-token' ? undefined : 'tickets belong to official accounts (weixin-h5)',
  });
}
