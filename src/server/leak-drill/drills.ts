import type { CallerKey } from '../../access/callers.ts';
import { BridgeError } from '../../base/errors.ts';
import type { AppDirectory } from '../../credentials/apps.ts';
import type { Budgets } from '../../credentials/budget.ts';
import type { Lease } from '../../credentials/lease.ts';
import { takeLease } from '../../credentials/lease.ts';
import type { App } from '../../platforms/platform.ts';
import { createSharedDocument } from '../../stores/shared-document.ts';
import type { Store } from '../../stores/store.ts';
import { DRILLS_SETTING, type Drill, drillSubject, isDone, parseDrills, withDrill } from './drill.ts';
import { drillPlanOf, requireRefreshes } from './plan.ts';
import { Overtaken, type RunDeps, revokeKeys, runDrill } from './run.ts';

/** How late a node notices that another died in the middle of a drill, after its lease has ended. */
const WATCH_MS = 5000;
const POLL_MS = 50;
/** Longest wait for another node to write down the drill it is beginning. */
const PATIENCE_MS = 10_000;
/** So long a failed drill goes on where it failed when it is started again. */
const REPEAT_MS = 60 * 60_000;
/** A drill that nobody could finish for so long is over: the tokens of its time have ended by themselves. */
const LONGEST_MS = 2 * 60 * 60_000;
/** A drill that ends whoever runs it, by a mistake of ours, is not begun for ever. */
const MOST_RESUMED = 50;

/** What somebody asks for. */
export interface DrillOrder {
  readonly app: App;
  readonly actor: string | undefined;
  readonly remoteAddress: string;
  readonly keys: readonly CallerKey[];
  /** Milliseconds since the Unix epoch. */
  readonly since: number | undefined;
}

/** The leak drills of one process; those of the others it takes over when they die. */
export interface LeakDrills {
  /**
   * Begins a drill, or joins the one that is running; resolves once it is written down. Throws
   * BUDGET_EXHAUSTED or CREDENTIAL_UNSUPPORTED before anything is done.
   */
  begin(order: DrillOrder): Promise<Drill>;
  /** What `begin` would do first: throws as it does. */
  look(app: App): Promise<void>;
  /** The latest drill of an app. */
  latest(app: App): Promise<Drill | undefined>;
  /** Begins to look for drills that nobody carries on. */
  start(): void;
  /** Leaves what is running to the others, or to the next start. */
  stop(): Promise<void>;
}

/** What drills work with. */
export interface DrillDeps extends Omit<RunDeps, 'drills'> {
  readonly store: Pick<Store, 'settings' | 'leases'>;
  readonly apps: AppDirectory;
  readonly budgets: Budgets;
  readonly randomHex: (bytes: number) => string;
  readonly newHolder: () => string;
}

/** Makes the leak drills of a process. Any node of a database may begin one; one at a time carries it out. */
export function createLeakDrills(deps: DrillDeps): LeakDrills {
  const { store, apps, authority, budgets, clock, log, newHolder, randomHex } = deps;
  const drills = createSharedDocument({ store, name: DRILLS_SETTING, parse: parseDrills, clock, newHolder });
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  const latest = async (app: App): Promise<Drill | undefined> => (await drills.read())[drillSubject(app)];

  const lease = (subject: string, holder: string): Promise<Lease | undefined> =>
    takeLease({ leases: store.leases, name: `leak-drill:${subject}`, holder, clock, log });

  /** Carries a drill on under a lease that was taken for it, behind the backs of whoever asked. */
  function carryOn(app: App, drill: Drill, held: Lease): void {
    const subject = drillSubject(app);
    const run = runDrill({ ...deps, drills }, app, drill, stopping.signal)
      .catch(error => {
        if (stopping.signal.aborted || error instanceof Overtaken) return;
        log.warn(
          { app: app.name, err: error },
          'a leak drill was left; it is gone on with as soon as possible',
        );
      })
      .finally(() => {
        running.delete(subject);
        return held.release();
      });
    running.set(subject, run);
  }

  async function look(app: App, before?: Drill): Promise<void> {
    const plan = drillPlanOf(app);
    const steps = ['first-refresh', 'second-refresh'] as const;
    const times = steps.filter(step => before === undefined || !isDone(before, step)).length;
    await requireRefreshes(app, plan, times, budgets);
  }

  /** The drill as it begins, goes on after a failure, or is taken over. */
  async function entered(order: DrillOrder, runner: string, before: Drill | undefined): Promise<Drill> {
    const now = clock.now();
    const { app, actor, remoteAddress, keys } = order;
    if (before?.state === 'running') return { ...before, runner, resumed: before.resumed + 1 };
    const again =
      before?.state === 'failed' &&
      now - (before.endedAt ?? now) < REPEAT_MS &&
      now - before.startedAt < LONGEST_MS;
    await look(app, again ? before : undefined);
    if (again) {
      const { endedAt: _ended, reason: _reason, ...rest } = before;
      return { ...rest, state: 'running', runner, resumed: 0 };
    }
    const { issuedAt } = await authority.status({ app, kind: 'access-token' });
    return {
      ...{ id: randomHex(8), platform: app.platform, appid: app.appid, app: app.name, state: 'running' },
      ...{ actor, remoteAddress, startedAt: now, since: order.since ?? issuedAt ?? now, runner, resumed: 0 },
      steps: { look: { startedAt: now, endedAt: now, outcome: 'two refreshes are within budget' } },
      ...{ ends: {}, tokens: [], keys: keys.map(named), callers: [], tickets: [] },
    };
  }

  /** Adds keys to a drill that may be past its step of revoking. */
  async function join(order: DrillOrder, drill: Drill): Promise<Drill> {
    const { keys } = order;
    if (keys.length === 0) return drill;
    await revokeKeys(deps, order, keys);
    const subject = drillSubject(order.app);
    const after = await drills.update(all => {
      const present = all[subject];
      if (present === undefined) return all;
      const others = present.keys.filter(each => !keys.some(key => key.fingerprint === each.fingerprint));
      return { ...all, [subject]: { ...present, keys: [...others, ...keys.map(named)] } };
    });
    return after[subject] ?? drill;
  }

  async function begin(order: DrillOrder): Promise<Drill> {
    const { app } = order;
    const subject = drillSubject(app);
    drillPlanOf(app);
    const patienceEndsAt = clock.now() + PATIENCE_MS;
    for (;;) {
      const holder = newHolder();
      const held = await lease(subject, holder);
      if (held !== undefined) {
        let entry: Drill;
        let before: Drill | undefined;
        try {
          before = await latest(app);
          entry = await entered(order, holder, before);
          await drills.update(all => withDrill(all, subject, entry, clock.now()));
          if (before?.id === entry.id) entry = await join(order, entry);
        } catch (error) {
          await held.release();
          throw error;
        }
        carryOn(app, entry, held);
        return entry;
      }
      const present = await latest(app);
      if (present?.state === 'running') return join(order, present);
      if (clock.now() >= patienceEndsAt)
        throw new BridgeError(
          'STORE_UNAVAILABLE',
          `another node is about to begin a leak drill of ${app.name}`,
          {
            hint: 'try again: if it began one, you join it',
          },
        );
      await clock.sleep(POLL_MS);
    }
  }

  /** Takes over what is running by the stored word and by nobody. */
  async function takeOver(subject: string, drill: Drill): Promise<void> {
    const app = apps.find(drill.appid);
    if (app === undefined || drillSubject(app) !== subject || running.has(subject)) return;
    const holder = newHolder();
    const held = await lease(subject, holder);
    if (held === undefined) return;
    const now = clock.now();
    const hopeless = drill.resumed >= MOST_RESUMED || now - drill.startedAt > LONGEST_MS;
    let taken: Drill | undefined;
    try {
      const after = await drills.update(all => {
        const present = all[subject];
        if (present?.id !== drill.id || present.state !== 'running') throw new Overtaken(subject);
        const entry: Drill = hopeless
          ? {
              ...present,
              state: 'failed',
              endedAt: now,
              reason: 'it was interrupted too often or for too long; start it again',
            }
          : { ...present, runner: holder, resumed: present.resumed + 1 };
        return { ...all, [subject]: entry };
      });
      taken = after[subject];
    } catch (error) {
      await held.release();
      if (error instanceof Overtaken) return;
      throw error;
    }
    if (taken?.state !== 'running') {
      await held.release();
      return;
    }
    log.info({ app: app.name, drill: drill.id }, 'a leak drill that was interrupted is gone on with');
    carryOn(app, taken, held);
  }

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for (const [subject, drill] of Object.entries(await drills.read()))
          if (drill.state === 'running') await takeOver(subject, drill);
        await clock.sleep(WATCH_MS, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error }, 'interrupted leak drills could not be looked for; trying again');
        await clock.sleep(WATCH_MS, stopping.signal).catch(() => {});
      }
    }
  }

  return {
    begin,
    look: app => look(app),
    latest,
    start() {
      loop ??= watch();
    },
    async stop() {
      stopping.abort();
      await loop;
      await Promise.all(running.values());
    },
  };
}

function named({ caller, fingerprint }: CallerKey): { caller: string; fingerprint: string } {
  return { caller, fingerprint };
}
