import { describe, expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../../test/support/canary.ts';
import { appOf, createWorld, MP, type World } from '../../../test/support/world.ts';
import type { AuditEvent } from '../../access/audit.ts';
import { createCallerDirectory, hashCallerKey } from '../../access/callers.ts';
import { openKeyRevocations } from '../../access/key-revocations.ts';
import { BridgeError } from '../../base/errors.ts';
import { createAppDirectory } from '../../credentials/apps.ts';
import type { SettingTable } from '../../stores/store.ts';
import { createRevocations } from '../virtual-tokens.ts';
import type { Drill } from './drill.ts';
import { createLeakDrills, type LeakDrills } from './drills.ts';

const app = appOf(MP);
const KEY = 'canary-key-of-orders-0123456789';

/** A node that carries drills out, whose store can be made to fail. */
async function nodeOf(world: World, through: (settings: SettingTable) => SettingTable = same => same) {
  const { clock } = world;
  const { store, authority } = await world.node();
  const log = keptLog();
  const events: AuditEvent[] = [];
  let made = 0;
  const newHolder = (): string => {
    made += 1;
    return `holder-${made}-${events.length}-${Math.trunc(performance.now() * 1000)}`;
  };
  const keys = await openKeyRevocations({ store, clock, newHolder, log });
  const callers = createCallerDirectory(
    [{ name: 'orders', keys: [hashCallerKey(KEY)], addresses: [], tokens: 'virtual' }],
    clock.now,
    keys.revokedAt,
  );
  const drills = createLeakDrills({
    ...{ authority, retire: authority.retire, values: authority.values, budgets: authority.budgets },
    store: { leases: store.leases, settings: through(store.settings) },
    apps: createAppDirectory([app]),
    ...{ callers, keys, virtual: createRevocations(store, clock.now), clock, log, newHolder },
    audit: { record: async event => void events.push(event) },
    probe: async () => undefined,
    randomHex: bytes => 'ab'.repeat(bytes),
  });
  onTestFinished(() => drills.stop());
  return { drills, callers, events, log };
}

const order = (callers: ReturnType<typeof createCallerDirectory>) => ({
  ...{ app, actor: 'admin', remoteAddress: '127.0.0.1', since: undefined, keys: callers.keys() },
});

async function over(world: World, drills: LeakDrills): Promise<Drill> {
  for (let step = 0; step < 2000; step += 1) {
    await world.clock.advance(250);
    const drill = await drills.latest(app);
    if (drill !== undefined && drill.state !== 'running') return drill;
  }
  throw new Error('the drill does not end');
}

const away = (): BridgeError => new BridgeError('STORE_UNAVAILABLE', 'away for a test');

/** A drill that nothing disturbs writes itself down so often. */
const WRITES = Array.from({ length: 20 }, (_, write) => write);

describe.each([
  ['before', false],
  ['after', true],
] as const)('a store that fails %s it has written', (_when, writes) => {
  test.each(WRITES)('at write %i costs no refresh and leaves nothing undone', async failing => {
    const world = await createWorld();
    let write = 0;
    const node = await nodeOf(world, settings => ({
      ...settings,
      async put(name, value) {
        write += 1;
        if (write === failing + 1) {
          if (writes) await settings.put(name, value);
          throw away();
        }
        return settings.put(name, value);
      },
    }));
    node.drills.start();
    // The very first write is the word that there is a drill: whoever asks is told, and asks again.
    for (;;) {
      const begun = node.drills.begin(order(node.callers)).catch((error: unknown) => error);
      if (!((await world.clock.settled(begun)) instanceof BridgeError)) break;
    }
    const drill = await over(world, node.drills);
    expect(drill).toMatchObject({ state: 'done', callers: ['orders'], keys: [{ caller: 'orders' }] });
    expect(drill.tokens).toHaveLength(3);
    expect(new Set(drill.tokens.map(({ fingerprint }) => fingerprint)).size).toBe(3);
    expect(world.platform.counters(MP).stable).toMatchObject({ forced: 2, issued: 3 });
    expect(() => node.callers.byKey(KEY)).toThrow('was revoked');
    const told = new Set(node.events.map(({ action, detail }) => `${action} ${detail}`));
    expect(told.size).toBe(1 + 6);
    expect(write).toBeGreaterThan(failing);
  });
});

test('what a mistake of ours ends again and again is given up aloud, and can be begun anew', async () => {
  const world = await createWorld();
  const broken = await nodeOf(world);
  broken.callers.all = () => {
    throw new TypeError('a mistake');
  };
  broken.drills.start();
  await world.clock.settled(broken.drills.begin(order(broken.callers)));
  const drill = await over(world, broken.drills);
  expect(drill).toMatchObject({ state: 'failed', reason: expect.stringContaining('interrupted too often') });
  expect(world.platform.counters(MP).stable.forced).toBe(0);
});

test('a drill that nobody could carry on for hours is over', async () => {
  const world = await createWorld();
  const first = await nodeOf(world);
  await world.clock.settled(first.drills.begin(order(first.callers)));
  await world.clock.advance(1000);
  await first.drills.stop();
  expect(await first.drills.latest(app)).toMatchObject({ state: 'running' });
  world.clock.jump(3 * 60 * 60_000);
  const second = await nodeOf(world);
  second.drills.start();
  expect(await over(world, second.drills)).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('for too long'),
  });
  expect(world.platform.counters(MP).stable.forced).toBe(1);
});
