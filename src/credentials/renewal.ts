import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { App } from '../platforms/platform.ts';
import type { DueCursor, DueRow, Store } from '../stores/store.ts';
import type { AppDirectory } from './apps.ts';
import type { Authority, CredentialRef } from './credentials.ts';
import { credentialName } from './keys.ts';
import { createSlots } from './slots.ts';

/** How often due work is looked for: one indexed query. */
const TICK_MS = 1000;
/**
 * Due rows looked at together. Several nodes take the same page in different orders: the larger it is, the
 * less often one comes to what another is just doing, which costs it four statements.
 */
const PAGE = 1000;
/** Renewals under way at once; each is a call to the platform of up to a few seconds. */
const CONCURRENCY = 64;
/** Credentials looked at for the first time in one round, so that thousands of them hold up no renewal. */
const FIRST_TRIES = 500;
/** How long to leave a credential alone that could not be had for the first time. */
const RETRY_MISSING_MS = 5000;
/** How long rows of apps that are not configured here are passed over before they are looked at again. */
const PASS_OVER_MS = 60_000;

/** Keeps the configured credentials fresh in the background. */
export interface Renewal {
  start(): void;
  /** Looks at the configured apps again, as after a reload. */
  replan(): void;
  /** One round: issues what is missing, renews what is due. Resolves when all of it is done. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

/** What renewal works with. */
export interface RenewalDeps {
  readonly authority: Authority;
  readonly apps: AppDirectory;
  readonly store: Store;
  readonly clock: Clock;
  /** A number in [0, 1): nodes that share a store take its due rows in different orders. */
  readonly random: () => number;
  readonly log: Log;
}

/**
 * Renewal by due time. Any number of nodes may run it: each looks at the same due rows, and the lease
 * of a credential decides which of them does the work; the others pass on at once.
 */
export function createRenewal({ authority, apps, store, clock, random, log }: RenewalDeps): Renewal {
  /** Credentials not known to be under renewal yet, with the time of their next try. */
  const unplanned = new Map<string, { ref: CredentialRef; tryAt: number }>();
  const slots = createSlots(CONCURRENCY);
  /** What is under way here, by row or credential. */
  const underWay = new Set<string>();
  /** Where the rows begin that are not all of other nodes' apps, and how long that is believed. */
  let passOver: { readonly cursor: DueCursor; readonly until: number } | undefined;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  function replan(): void {
    unplanned.clear();
    passOver = undefined;
    const refs = apps.all().flatMap(app => app.renews.map(kind => ({ app, kind })));
    // Nodes that start together would otherwise want the same ones at the same time.
    for (const ref of shuffled(refs)) unplanned.set(credentialName(ref), { ref, tryAt: 0 });
  }

  /** Begins a task unless it is under way. */
  async function begin(name: string, task: () => Promise<void>): Promise<void> {
    if (underWay.has(name) || stopping.signal.aborted) return;
    underWay.add(name);
    await slots.begin(async () => {
      try {
        await task();
      } catch (error) {
        log.error({ err: error, name }, 'renewal failed unexpectedly');
      } finally {
        underWay.delete(name);
      }
    });
  }

  /** Looks at what is configured and not yet known to be kept; true when there is more. */
  async function plan(): Promise<boolean> {
    const at = clock.now();
    let tried = 0;
    for (const [name, entry] of unplanned) {
      if (entry.tryAt > at) continue;
      if (tried === FIRST_TRIES) return true;
      tried += 1;
      await begin(name, async () => {
        const outcome = await authority.keep(entry.ref);
        if (outcome === 'failed') entry.tryAt = clock.now() + RETRY_MISSING_MS;
        else if (unplanned.get(name) === entry) unplanned.delete(name);
      });
    }
    return false;
  }

  /** Begins the renewal of all that is due. `seen` holds what was begun in this round already. */
  async function renewDue(seen: Set<string>): Promise<void> {
    const at = clock.now();
    if (passOver !== undefined && passOver.until <= at) passOver = undefined;
    let cursor = passOver?.cursor;
    let onlyForeign = true;
    for (;;) {
      const page = await store.credentials.due(at, PAGE, cursor);
      const ours = page.filter(row => appOf(row) !== undefined);
      for (const row of shuffled(ours)) {
        if (seen.has(row.id)) continue;
        seen.add(row.id);
        await begin(row.id, () => renewRow(row));
      }
      cursor = page.at(-1);
      if (ours.length > 0) onlyForeign = false;
      if (page.length < PAGE || cursor === undefined || stopping.signal.aborted) return;
      if (onlyForeign) passOver = { cursor, until: passOver?.until ?? at + PASS_OVER_MS };
    }
  }

  /** The app of a due row; undefined for one that another node's configuration may have. */
  function appOf(row: DueRow): App | undefined {
    const app = apps.find(row.appid);
    return app !== undefined && app.platform === row.platform && app.renews.includes(row.kind)
      ? app
      : undefined;
  }

  async function renewRow(row: DueRow): Promise<void> {
    const app = appOf(row);
    if (app !== undefined) await authority.renew({ app, kind: row.kind });
  }

  function shuffled<T>(items: readonly T[]): readonly T[] {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [order[last], order[other]] = [order[other] as T, order[last] as T];
    }
    return order;
  }

  async function tick(): Promise<void> {
    const seen = new Set<string>();
    for (let more = true; more && !stopping.signal.aborted; ) {
      more = await plan();
      await slots.idle();
    }
    await renewDue(seen);
    await slots.idle();
  }

  /** Unlike `tick` it does not wait for what it began: a platform that hangs must not hold up other apps. */
  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await plan();
        await renewDue(new Set());
      } catch (error) {
        log.warn({ err: error }, 'renewal round failed; trying again');
      }
      await clock.sleep(TICK_MS, stopping.signal).catch(() => {});
    }
    await slots.idle();
  }

  replan();
  return {
    start() {
      running ??= loop();
    },
    replan,
    tick,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
