import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { DueCursor, DueRow, Store } from '../stores/store.ts';
import type { AppDirectory } from './apps.ts';
import type { Authority, CredentialRef } from './credentials.ts';
import { credentialName } from './keys.ts';

/** How often due work is looked for: one indexed query. */
const TICK_MS = 1000;
const PAGE = 200;
/** Renewals under way at once; each is a call to the platform of up to a few seconds. */
const CONCURRENCY = 16;
/** How long to leave a credential alone that could not be had for the first time. */
const RETRY_MISSING_MS = 5000;

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
  readonly log: Log;
}

/**
 * Renewal by due time. Any number of nodes may run it: each looks at the same due rows, and the lease
 * of a credential decides which of them does the work.
 */
export function createRenewal({ authority, apps, store, clock, log }: RenewalDeps): Renewal {
  /** Credentials not known to be under renewal yet, with the time of their next try. */
  const unplanned = new Map<string, { ref: CredentialRef; tryAt: number }>();
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  function replan(): void {
    unplanned.clear();
    for (const app of apps.all()) {
      for (const kind of app.renews) {
        const ref = { app, kind };
        unplanned.set(credentialName(ref), { ref, tryAt: 0 });
      }
    }
  }

  async function plan(): Promise<void> {
    const at = clock.now();
    const ready = [...unplanned].filter(([, { tryAt }]) => tryAt <= at);
    await eachOf(ready, async ([name, entry]) => {
      const outcome = await authority.keep(entry.ref);
      if (outcome !== 'failed') unplanned.delete(name);
      else entry.tryAt = clock.now() + RETRY_MISSING_MS;
    });
  }

  async function renewDue(): Promise<void> {
    let cursor: DueCursor | undefined;
    do {
      const page = await store.credentials.due(clock.now(), PAGE, cursor);
      await eachOf(page, renewRow);
      cursor = page.length < PAGE ? undefined : page.at(-1);
    } while (cursor !== undefined && !stopping.signal.aborted);
  }

  async function renewRow(row: DueRow): Promise<void> {
    const app = apps.find(row.appid);
    // A row of an app that is not ours may belong to another node's configuration: leave it be.
    if (app === undefined || app.platform !== row.platform || !app.renews.includes(row.kind)) return;
    await authority.renew({ app, kind: row.kind });
  }

  async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = items.values();
    const worker = async (): Promise<void> => {
      for (const item of queue) {
        if (stopping.signal.aborted) return;
        await work(item);
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
  }

  async function tick(): Promise<void> {
    await plan();
    await renewDue();
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await tick();
      } catch (error) {
        log.warn({ err: error }, 'renewal round failed; trying again');
      }
      await clock.sleep(TICK_MS, stopping.signal).catch(() => {});
    }
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
