import { type Audit, type AuditEvent, outcomeOf } from '../../access/audit.ts';
import { type CallerDirectory, mayActAs } from '../../access/callers.ts';
import type { KeyRevocations } from '../../access/key-revocations.ts';
import type { Clock } from '../../base/clock.ts';
import { asBridgeError, BridgeError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Secret } from '../../base/secret.ts';
import { DRILL_STEPS } from '../../contract/leak-drill.ts';
import type { AppValues, Retire } from '../../credentials/authority.ts';
import type { Authority, Credential, CredentialRef } from '../../credentials/credentials.ts';
import { isPushed } from '../../credentials/plans.ts';
import type { App, CredentialKind } from '../../platforms/platform.ts';
import type { SharedDocument } from '../../stores/shared-document.ts';
import type { Revocations } from '../virtual-tokens.ts';
import { type Drill, type Drills, drillSubject, isDone, type StepName } from './drill.ts';
import { drillPlanOf } from './plan.ts';
import type { TokenProbe } from './probe.ts';

/** Waits are cut into pieces, so that a clock that jumps, as after a machine slept, is noticed. */
const PIECE_MS = 250;
/** How often one refresh is asked of the platform; each asking counts against a small budget. */
const MOST_TRIES = 3;
/** Longest wait for the platform's spacing to be over; other users of the budget may prolong it. */
const SPACING_PATIENCE_MS = 3 * 60_000;

/** How often the platform is asked whether it refuses a token by now, and how far apart. */
const MOST_PROBES = 3;
const PROBE_APART_MS = 5000;

const TICKETS: readonly CredentialKind[] = ['ticket', 'card-ticket'];

/** What a drill is carried out with. */
export interface RunDeps {
  readonly drills: SharedDocument<Drills>;
  readonly authority: Pick<Authority, 'get' | 'status'>;
  readonly retire: Retire;
  readonly values: Pick<AppValues, 'peek' | 'anew'>;
  readonly probe: TokenProbe;
  readonly callers: CallerDirectory;
  readonly keys: KeyRevocations;
  readonly virtual: Revocations;
  readonly audit: Pick<Audit, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Another process goes on with the drill: this one leaves it alone. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/**
 * Carries a drill out from wherever it stands, writing down each step before and after. Every step can be
 * done again without harm, so whoever takes over from a process that died begins with the step it was in.
 * Throws, leaving the drill as running, when it cannot be gone on with here: the store is away, the process
 * is to end, or another has taken over.
 */
export async function runDrill(deps: RunDeps, app: App, begun: Drill, stopping: AbortSignal): Promise<void> {
  const { drills, authority, clock, log } = deps;
  const { runner } = begun;
  const subject = drillSubject(app);
  const ref: CredentialRef = { app, kind: 'access-token' };
  const { apartMs, forced } = drillPlanOf(app);
  /** Tokens that were ended from here, by their fingerprint. Whoever takes over has not got them, and does not ask. */
  const ended = new Map<string, Secret>();
  let drill = begun;

  async function change(part: Partial<Drill> | ((drill: Drill) => Partial<Drill>)): Promise<Drill> {
    const after = await drills.update(all => {
      const now = all[subject];
      if (now === undefined || now.runner !== runner || now.state !== 'running') throw new Overtaken(runner);
      return { ...all, [subject]: { ...now, ...(typeof part === 'function' ? part(now) : part) } };
    });
    drill = after[subject] as Drill;
    return drill;
  }

  async function wait(until: number): Promise<void> {
    for (let left = until - clock.now(); left > 0; left = until - clock.now())
      await clock.sleep(Math.min(left, PIECE_MS), stopping);
  }

  /** Takes down a token that was seen in use. */
  async function saw({ value, issuedAt }: Credential): Promise<void> {
    const { fingerprint } = value;
    if (drill.tokens.some(token => token.fingerprint === fingerprint)) return;
    const at = clock.now();
    await change(({ tokens }) => ({ tokens: [...tokens, { fingerprint, issuedAt, at }] }));
  }

  async function revoke(): Promise<string> {
    const named = new Set(drill.keys.map(({ fingerprint }) => fingerprint));
    const keys = deps.callers.keys().filter(({ fingerprint }) => named.has(fingerprint));
    await revokeKeys(deps, drill, keys);
    const able = deps.callers.all().filter(caller => mayActAs(caller, app));
    for (const { name } of able) await deps.virtual.revoke(name);
    await change({ callers: able.map(({ name }) => name) });
    return `${counted(keys.length, 'caller key')} and the virtual tokens of ${counted(able.length, 'caller')} taken back`;
  }

  /** Has the token in use end, with a new one in its place. */
  async function refresh(step: 'first-refresh' | 'second-refresh'): Promise<string> {
    const patienceEndsAt = clock.now() + SPACING_PATIENCE_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        let ending = drill.ends[step];
        if (ending === undefined) {
          const present = await authority.get(ref);
          await saw(present);
          ending = present.value.fingerprint;
          // A classic token between the two refreshes lives on for its overlap, as it should.
          if (forced || step === 'first-refresh') ended.set(ending, present.value);
          await change(({ ends }) => ({ ends: { ...ends, [step]: ending } }));
        }
        const { credential, outcome } = await deps.retire(ref, ending);
        if (outcome !== 'kept') {
          await saw(credential);
          return `${ending} was replaced by ${credential.value.fingerprint}`;
        }
        if (tries >= MOST_TRIES) throw kept(app, tries);
      } catch (error) {
        const { code, retryAfterMs } = leaving(error);
        const spaced = code === 'BUDGET_EXHAUSTED' && retryAfterMs !== undefined;
        if (spaced && clock.now() + retryAfterMs < patienceEndsAt) {
          tries -= 1;
          await wait(clock.now() + retryAfterMs + PIECE_MS);
          continue;
        }
        if (code === 'BUDGET_EXHAUSTED' || tries >= MOST_TRIES) throw error;
        log.warn({ app: app.name, step, err: error }, 'a step of a leak drill failed; trying again');
      }
      await wait(clock.now() + apartMs);
    }
  }

  /**
   * Tickets are fetched anew in their place rather than removed: the platform has no way of ending one, so
   * being without would harm nobody but those who sign pages.
   */
  async function tickets(): Promise<string> {
    const told: { kind: string; outcome: string }[] = [];
    for (const kind of TICKETS) {
      const ticket = { app, kind };
      if (isPushed(ticket) || (await deps.values.peek(ticket)) === undefined) continue;
      try {
        await deps.values.anew(ticket);
        told.push({ kind, outcome: 'replaced' });
      } catch (error) {
        const { message } = leaving(error);
        told.push({ kind, outcome: `kept, as no other could be had: ${message}` });
      }
    }
    await change({ tickets: told });
    return told.length === 0 ? 'none was held' : told.map(each => `${each.kind} ${each.outcome}`).join('; ');
  }

  async function check(): Promise<string> {
    const { fingerprint } = await authority.status(ref);
    const { ends } = drill;
    if (
      fingerprint === undefined ||
      fingerprint === ends['first-refresh'] ||
      fingerprint === ends['second-refresh']
    )
      throw new BridgeError('CREDENTIAL_UNAVAILABLE', 'the token in use is not a new one', {
        hint: 'somebody put an old one back: see who sets tokens of this app in "audit list --action set"',
      });
    for (const [old, value] of ended) {
      const probe = await probed(value);
      if (probe !== undefined)
        await change(({ tokens }) => ({
          tokens: tokens.map(token => (token.fingerprint === old ? { ...token, probe } : token)),
        }));
    }
    const verdicts = drill.tokens.flatMap(token =>
      token.probe === undefined ? [] : [`${token.fingerprint} is ${token.probe} by the platform`],
    );
    return [`${fingerprint} is in use, none of those before`, ...verdicts].join('; ');
  }

  /** A platform of many machines may take a token for a moment longer. */
  async function probed(value: Secret): Promise<Awaited<ReturnType<TokenProbe>>> {
    for (let tries = 1; ; tries += 1) {
      const verdict = await deps.probe(app, value);
      if (verdict !== 'taken' || tries >= MOST_PROBES) return verdict;
      await wait(clock.now() + PROBE_APART_MS);
    }
  }

  const acts: { readonly [Step in StepName]: () => Promise<string> } = {
    look: async () => '',
    revoke,
    'first-refresh': () => refresh('first-refresh'),
    tickets,
    async wait() {
      const refreshed = drill.steps['first-refresh']?.endedAt ?? clock.now();
      await wait(refreshed + apartMs);
      return `${apartMs / 1000} s after the first refresh${forced ? ', as the platform wants' : ''}`;
    },
    'second-refresh': () => refresh('second-refresh'),
    check,
  };

  for (const name of DRILL_STEPS) {
    if (isDone(drill, name)) continue;
    const startedAt = clock.now();
    await change(({ steps }) => ({ steps: { ...steps, [name]: { startedAt } } }));
    try {
      const outcome = await acts[name]();
      await deps.audit.record(stepEvent(drill, app, name, 'done', drill.tokens.at(-1)?.fingerprint));
      const endedAt = clock.now();
      await change(({ steps }) => ({ steps: { ...steps, [name]: { startedAt, endedAt, outcome } } }));
      log.info({ app: app.name, drill: drill.id, step: name, outcome }, 'leak drill');
    } catch (thrown) {
      const failure = leaving(thrown);
      const reason = told(failure);
      await deps.audit.record(stepEvent(drill, app, name, outcomeOf(failure), undefined));
      await change(({ steps }) => ({
        ...{ state: 'failed', endedAt: clock.now(), reason },
        steps: { ...steps, [name]: { startedAt, outcome: reason } },
      }));
      log.error({ app: app.name, drill: drill.id, step: name, reason }, 'a leak drill failed');
      return;
    }
  }
  await change({ state: 'done', endedAt: clock.now() });
}

/** Takes keys back and says so in the audit log. */
export async function revokeKeys(
  { keys: revocations, audit }: Pick<RunDeps, 'keys' | 'audit'>,
  by: Pick<Drill, 'actor' | 'remoteAddress'>,
  keys: readonly { readonly caller: string; readonly keyHash: string; readonly fingerprint: string }[],
): Promise<void> {
  if (keys.length === 0) return;
  await revocations.revoke(keys);
  const { actor, remoteAddress } = by;
  for (const { caller, fingerprint } of keys) {
    const detail = `key of ${caller}`;
    await audit.record({
      ...{ action: 'revoke', outcome: 'done', actor, remoteAddress },
      ...{ kind: 'caller-key', credential: fingerprint, detail },
    });
  }
}

/** An error as the reason of a failed step; thrown again when the drill is only to be left. */
function leaving(error: unknown): BridgeError {
  // What is no BridgeError is the word to stop, another's taking over, or a mistake that resuming bounds.
  if (!(error instanceof BridgeError) || error.code === 'STORE_UNAVAILABLE') throw error;
  return asBridgeError(error);
}

function told({ message, hint, upstream }: BridgeError): string {
  const verdict =
    upstream === undefined || message.includes(upstream.errmsg)
      ? ''
      : `: the platform said ${upstream.errcode} ${upstream.errmsg}`;
  return `${message}${verdict}${hint === undefined ? '' : `; ${hint}`}`;
}

function kept(app: App, tries: number): BridgeError {
  return new BridgeError(
    'CREDENTIAL_UNAVAILABLE',
    `the platform gave the same token ${tries} times though it was asked for another`,
    {
      hint: `somebody else may force refreshes of ${app.appid} too, within 30 s of ours; wait a minute and start the drill again`,
    },
  );
}

function stepEvent(
  { id, actor, remoteAddress }: Drill,
  app: App,
  step: StepName,
  outcome: string,
  credential: string | undefined,
): AuditEvent {
  return {
    ...{ outcome, actor, remoteAddress, kind: 'access-token', app, credential },
    action: 'leak-drill',
    detail: `${step} of drill ${id}`,
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
