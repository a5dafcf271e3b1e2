import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { startSimulator } from '../../src/simulator/index.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { APPS, accountsOf, configuredApps } from './apps.ts';
import { createStaleness, FAILURE_PAUSE_MS, STALENESS_MS } from './bounds.ts';
import { checkIssues, createResumptions } from './check-issues.ts';
import { createTokenCheck } from './check-tokens.ts';
import { createWriteCheck } from './check-writes.ts';
import { createDice } from './dice.ts';
import type { Injections, World } from './injection.ts';
import { createJournal, type Journal } from './journal.ts';
import { ECHO_PATH, type Load, startLoad } from './load.ts';
import { nodeInjections } from './node-injections.ts';
import { createNodes, type Nodes } from './nodes.ts';
import { openDatabase } from './open-database.ts';
import type { FaultOptions } from './options.ts';
import { platformInjections } from './platform-injections.ts';
import { openRedis } from './redis.ts';
import type { FaultReport } from './report.ts';
import { type Step, scriptOf } from './script.ts';
import { createTokenLedger } from './token-ledger.ts';

/** How often the platform is looked at, so that no token comes and goes unseen. */
const LOOK_MS = 10;
/** How often the database is looked at; what is committed stands for seconds. */
const DATABASE_LOOK_MS = 100;
/** Users whose session keys are written, for each app: few, so that many write and read the same one. */
const USERS_PER_APP = 4;
/** Keys that are read back at the end. */
const MOST_READ_BACK = 2000;
/** How often a read at the end is tried, and the pause in between. */
const READ_TRIES = 4;
const READ_PAUSE_MS = 1000;

const clock = systemClock;

/**
 * Starts a platform, a database and nodes, lets callers ask, breaks things by the script and checks what
 * callers see, all in a folder of its own, which stays when an invariant did not hold.
 */
export async function runFaults(
  options: FaultOptions,
  folder: string,
  say: (line: string) => void,
): Promise<FaultReport> {
  const journal = createJournal(clock, say);
  const closing: (() => Promise<unknown> | unknown)[] = [];
  const startedAt = clock.now();
  try {
    const database = await openDatabase(options.database, prepared(folder));
    closing.unshift(() => database.close());
    const simulator = await startSimulator({ accounts: accountsOf(APPS, options.lifeSeconds) });
    closing.unshift(() => simulator.close());
    simulator.faults.add({ kind: 'echo', path: ECHO_PATH });
    const redis = options.redis ? await openRedis(folder) : undefined;
    if (redis !== undefined) closing.unshift(() => redis.close());
    const storage = { database: database.url, ...(redis !== undefined && { redis: redis.url }) };
    const config = writeConfig(folder, storage, simulator.origin);
    const nodes = createNodes({ count: options.nodes, config, folder, clock, journal });
    closing.unshift(() => nodes.close());

    const ledger = createTokenLedger({ simulator, apps: APPS, clock });
    const staleness = createStaleness(journal, clock, options.redis);
    const tokens = createTokenCheck({ ledger, journal, clock, staleness });
    const writes = createWriteCheck({ apps: APPS, usersPerApp: USERS_PER_APP, journal, clock, staleness });
    const resumptions = createResumptions();
    const looking = new AbortController();
    closing.unshift(() => looking.abort());
    every(LOOK_MS, looking.signal, async () => ledger.look());
    every(DATABASE_LOOK_MS, looking.signal, async () => {
      // While it is away there is nothing to see.
      const rows = await database.tokens().catch(() => []);
      for (const row of rows) ledger.noteCommitted(row);
    });

    await nodes.fill();
    const load = startLoad({ ...options, nodes, tokens, writes, clock });
    closing.unshift(() => load.close());

    journal.note('calm', 'nothing is broken');
    await clock.sleep(options.calmMs);
    const kinds: Injections = {
      ...nodeInjections,
      ...platformInjections,
      ...database.injections,
      ...redis?.injections,
    };
    const { seed, stormMs: durationMs, everyMs } = options;
    const steps = scriptOf({ seed, durationMs, everyMs, kinds: Object.keys(kinds) });
    const world: World = {
      ...{ simulator, nodes, ledger, journal, load, apps: APPS, clock },
      leases: () => database.leases(),
      onResume: node => resumptions.note(node),
    };
    journal.note('storm', `${steps.length} injections`);
    await play(steps, kinds, world, options.stormMs);

    journal.note('calm', 'nothing is broken any more');
    await recover(nodes, load, journal);
    await clock.sleep(options.calmMs);
    await load.stop();
    // What is at rest is what the database holds; copies may be behind for longer than a run may wait.
    await redis?.flush();
    await readBack(nodes, load, writes);

    ledger.look();
    const issues = APPS.map(app => ({
      app,
      tokens: ledger.of(app).length,
      reasons: checkIssues(app, ledger.of(app), { journal, resumedIn: resumptions.resumedIn }),
    }));
    return {
      ...{ options, seconds: (clock.now() - startedAt) / 1000, journal, issues, outcomes: load.outcomes },
      ...{ counters: simulator.counters(), tokens: tokens.seen, writes: writes.seen, folder },
    };
  } finally {
    for (const close of closing) await close();
    if (journal.violations.length === 0 && !options.keep) rmSync(folder, { recursive: true, force: true });
  }
}

function prepared(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Writes the configuration of all nodes; returns its path. */
export function writeConfig(folder: string, storage: object, upstream: string): string {
  const path = join(folder, 'open-bridge.json');
  const config = {
    apps: configuredApps(APPS),
    openapi: { allow: ['/wxa/*', '/cgi-bin/*'] },
    storage: { ...storage, sealKey: newSealKey() },
    upstream: { weixin: upstream, qq: upstream, qqConnect: upstream },
    listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:0', gatewayTls: '127.0.0.1:0' },
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** Does something again and again until the signal; a failure is a mistake of the run itself. */
function every(ms: number, signal: AbortSignal, work: () => Promise<void>): void {
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      await work();
      await clock.sleep(ms, signal).catch(() => {});
    }
  };
  void loop();
}

/** Plays the script; steps overlap as they come. Resolves when the last one has mended what it broke. */
async function play(
  steps: readonly Step[],
  kinds: Injections,
  world: World,
  durationMs: number,
): Promise<void> {
  const startedAt = clock.now();
  const playing: Promise<void>[] = [];
  const busy = new Set<string>();
  for (const { atMs, kind, seed } of steps) {
    await clock.sleep(Math.max(0, startedAt + atMs - clock.now()));
    // A server can only be broken in one way at a time.
    const group = ['database', 'redis'].find(server => kind.startsWith(server));
    if (group !== undefined && busy.has(group)) {
      world.journal.note('passed over', `${kind}: it is broken already`);
      continue;
    }
    if (group !== undefined) busy.add(group);
    const done = kinds[kind]?.(world, createDice(seed)).finally(() => group && busy.delete(group));
    if (done !== undefined) playing.push(done);
    // It is awaited below; a failure until then must not end the process.
    done?.catch(() => {});
  }
  await clock.sleep(Math.max(0, startedAt + durationMs - clock.now()));
  await Promise.all(playing);
}

/** Waits until every node serves every app; a pause after a failure to issue may have to end first. */
async function recover(nodes: Nodes, load: Load, journal: Journal): Promise<void> {
  await nodes.fill();
  const from = clock.now();
  for (let failed: string | undefined; ; await clock.sleep(500)) {
    const asked = await Promise.all(
      nodes.running().map(async node => {
        const fault = await load.probe(node);
        return fault && `node ${node.id}: ${fault}`;
      }),
    );
    failed = asked.find(fault => fault !== undefined);
    const ms = clock.now() - from;
    if (failed === undefined) return journal.note('recovered', `all nodes serve all apps after ${ms} ms`);
    if (ms > FAILURE_PAUSE_MS) return journal.violated('recovery', `after ${ms} ms: ${failed}`);
  }
}

/** Reads every written key through some node once nothing moves any more. */
async function readBack(
  nodes: Nodes,
  load: Load,
  writes: ReturnType<typeof createWriteCheck>,
): Promise<void> {
  const running = nodes.running();
  await clock.sleep(STALENESS_MS);
  for (const [number, key] of writes.written().slice(-MOST_READ_BACK).entries()) {
    const node = running[number % running.length];
    if (node !== undefined) writes.checkLast(key, node, await readPatiently(() => load.readKey(node, key)));
  }
}

/** Reads again after a refusal: on a busy machine a store may be late even when nothing breaks it. */
async function readPatiently<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if (tries === READ_TRIES) throw error;
      await clock.sleep(READ_PAUSE_MS);
    }
  }
}
