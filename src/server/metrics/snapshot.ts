import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import type { AppDirectory } from '../../credentials/apps.ts';
import { budgetWindow } from '../../credentials/budget.ts';
import type { Authority, CredentialStatus } from '../../credentials/credentials.ts';
import { budgetSubject } from '../../credentials/keys.ts';
import type { App, BudgetRule, CredentialKind, Platform } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import type { DueCursor, Store } from '../../stores/store.ts';

/** Least age at which the store is read again, however often somebody scrapes. */
const FRESH_MS = 5000;
/** A reading stays for this many times what it took, so that reading never takes more than a twentieth of the time. */
const REST_FACTOR = 20;
/** Longest a scrape waits for the store; then it tells what was known before. Prometheus itself gives up after 10 s. */
const PATIENCE_MS = 2000;
/** Apps read between two turns of the event loop that calls have to themselves. */
const APPS_AT_ONCE = 4;
const DUE_PAGE = 200;
/** Most pages of overdue rows looked through. */
const DUE_PAGES = 5;

const KINDS: readonly CredentialKind[] = ['access-token', 'ticket', 'card-ticket'];

/** How much of a platform's limit is used up. */
export interface BudgetState {
  readonly app: App;
  readonly rule: BudgetRule;
  readonly used: number;
}

/** What the store told at one time. */
export interface Reading {
  readonly takenAt: number;
  readonly pingMs: number;
  readonly credentials: readonly CredentialStatus[];
  readonly budgets: readonly BudgetState[];
  /** Credentials that do not open with the configured seal keys. */
  readonly unreadable: number;
  /** Background renewals that should have begun, of all apps. */
  readonly overdue: number;
  /** How long the first of them has been waiting. */
  readonly lagMs: number;
}

/** The newest reading there is, and whether the store answered just now. */
export interface Snapshot {
  readonly storeUp: boolean;
  readonly reading: Reading | undefined;
}

/** What readings are taken with. */
export interface SnapshotDeps {
  readonly apps: AppDirectory;
  /** How many apps are read one by one. */
  readonly maxApps: () => number;
  readonly authority: Authority;
  readonly store: Store;
  readonly clock: Clock;
  /** Milliseconds of a clock that only goes forward. */
  readonly stopwatch: () => number;
}

/**
 * Reads the state that metrics show from the store: at most every few seconds, once for all who scrape
 * at the same time, in small portions. Never rejects: while the store is away the last reading stands.
 */
export function createSnapshots(deps: SnapshotDeps): () => Promise<Snapshot> {
  const { clock, stopwatch } = deps;
  let reading: Reading | undefined;
  let restMs = FRESH_MS;
  let running: Promise<boolean> | undefined;

  async function read(): Promise<boolean> {
    const begun = stopwatch();
    try {
      reading = await takeReading(deps);
      restMs = Math.max(FRESH_MS, REST_FACTOR * (stopwatch() - begun));
      return true;
    } catch {
      return false;
    } finally {
      running = undefined;
    }
  }

  return async () => {
    const age = clock.now() - (reading?.takenAt ?? Number.NEGATIVE_INFINITY);
    if (age >= 0 && age < restMs) return { storeUp: true, reading };
    running ??= read();
    const waited = new AbortController();
    const givenUp = clock.sleep(PATIENCE_MS, waited.signal).then(
      () => false,
      () => false,
    );
    const storeUp = await Promise.race([running, givenUp]);
    waited.abort();
    return { storeUp, reading };
  };
}

async function takeReading(deps: SnapshotDeps): Promise<Reading> {
  const { apps, store, clock, stopwatch } = deps;
  const takenAt = clock.now();
  const begun = stopwatch();
  await store.ping();
  const pingMs = stopwatch() - begun;

  const credentials: CredentialStatus[] = [];
  const budgets: BudgetState[] = [];
  let unreadable = 0;
  const readApp = async (app: App): Promise<void> => {
    const platform = platformOf(app.platform);
    const rules = new Set(Object.values(platform.pathBudgets));
    for (const kind of KINDS) {
      const plan = platform.plan(kind, app.tokenMode);
      if (plan === undefined) continue;
      const status = await statusOf(deps.authority, app, kind);
      if (status === 'none') return;
      if (status === undefined) unreadable += 1;
      else if (status.fingerprint === undefined && status.failure === undefined && kind !== 'access-token')
        continue;
      else credentials.push(status);
      for (const rule of [plan.issueBudget, plan.forceBudget]) if (rule !== undefined) rules.add(rule);
    }
    for (const rule of rules) {
      const { used } = await store.budgets.usage(budgetSubject(app, rule), budgetWindow(rule, takenAt));
      budgets.push({ app, rule, used });
    }
  };
  const shown = apps.all().slice(0, deps.maxApps());
  for (let at = 0; at < shown.length; at += APPS_AT_ONCE) {
    await Promise.all(shown.slice(at, at + APPS_AT_ONCE).map(readApp));
    await setImmediate();
  }
  return { takenAt, pingMs, credentials, budgets, unreadable, ...(await readOverdue(deps, takenAt)) };
}

/**
 * A credential's metadata; undefined when its row cannot be opened, which says nothing of the store, and
 * `none` when this bridge follows another and so has neither credentials nor budgets.
 */
async function statusOf(
  authority: Authority,
  app: App,
  kind: CredentialKind,
): Promise<CredentialStatus | 'none' | undefined> {
  try {
    return await authority.status({ app, kind });
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'FOLLOWER_READ_ONLY') return 'none';
    if (error instanceof BridgeError && error.code === 'SEAL_BROKEN') return undefined;
    throw error;
  }
}

/** Rows of apps that are not ours are for other nodes to renew. */
async function readOverdue(
  { apps, store }: SnapshotDeps,
  now: number,
): Promise<Pick<Reading, 'overdue' | 'lagMs'>> {
  let overdue = 0;
  let earliest = now;
  let cursor: DueCursor | undefined;
  for (let page = 0; page < DUE_PAGES; page += 1) {
    const rows = await store.credentials.due(now, DUE_PAGE, cursor);
    for (const row of rows) {
      const app = apps.find(row.appid);
      if (app?.platform !== row.platform || !app.renews.includes(row.kind)) continue;
      overdue += 1;
      earliest = Math.min(earliest, row.renewAt);
    }
    cursor = rows.at(-1);
    if (rows.length < DUE_PAGE) break;
  }
  return { overdue, lagMs: now - earliest };
}

/** Every budget rule of the platforms, once by name. */
export function budgetRules(platforms: Iterable<Platform>): ReadonlyMap<string, BudgetRule> {
  const rules = [...platforms].flatMap(platform => [
    ...Object.values(platform.pathBudgets),
    ...KINDS.flatMap(kind =>
      (['stable', 'classic'] as const).flatMap(mode => {
        const plan = platform.plan(kind, mode);
        return [plan?.issueBudget, plan?.forceBudget];
      }),
    ),
  ]);
  return new Map(rules.flatMap(rule => (rule === undefined ? [] : [[rule.name, rule] as const])));
}
