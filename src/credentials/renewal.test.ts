import { describe, expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom } from '../../test/support/temporary.ts';
import { appOf, createWorld, MP, type Node, OA, type World } from '../../test/support/world.ts';
import { BridgeError } from '../base/errors.ts';
import type { App } from '../platforms/platform.ts';
import { foreignRow } from '../stores/foreign-row.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import type { Store } from '../stores/store.ts';
import { type AppDirectory, createAppDirectory } from './apps.ts';
import type { Authority, CredentialRef } from './credentials.ts';
import { createRenewal, type Renewal } from './renewal.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** A renewal over a node, with a round that can be waited for. */
function renewalOf({ clock }: World, node: Node, apps: AppDirectory, seed = 1) {
  const renewal = createRenewal({
    authority: node.authority,
    apps,
    store: node.store,
    clock,
    random: seededRandom(seed),
    log: node.log,
  });
  return { renewal, round: () => clock.settled(renewal.tick()) };
}

const accountsOf = (count: number) =>
  Array.from({ length: count }, (_, number) => {
    const appid = `wx-many-${String(number).padStart(4, '0')}`;
    return { appid, secret: `secret-of-${appid}`, type: 'mp' } as const;
  });

const appsOf = (accounts: readonly { readonly appid: string }[], change: Partial<App> = {}): App[] =>
  accounts.map(({ appid }) => appOf(appid, { name: appid, platform: 'weixin-mp', ...change }));

const unused = (): never => {
  throw new Error('not expected here');
};

/** An authority that has all there is, and is asked for nothing else. */
const idleAuthority: Authority = {
  get: unused,
  held: unused,
  report: unused,
  rotate: unused,
  renew: unused,
  status: unused,
  keep: () => Promise.resolve('fresh'),
};

test('a round issues what is missing, and the next one finds nothing to do', async () => {
  const world = await createWorld();
  const node = await world.node();
  const apps = createAppDirectory([appOf(MP), appOf(OA, { renews: ['access-token', 'ticket'] })]);
  const { round } = renewalOf(world, node, apps);
  await round();
  const expectCalls = (): void => {
    expect(world.platform.counters(MP).stable.calls).toBe(1);
    expect(world.platform.counters(OA).stable.calls).toBe(1);
    expect(world.platform.counters(OA).ticket.calls).toBe(1);
  };
  expectCalls();
  for (let turn = 0; turn < 5; turn += 1) {
    await world.clock.advance(SECOND);
    await round();
  }
  expectCalls();
});

test('what is due is renewed once, and nothing before it is due', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const apps = createAppDirectory([appOf(MP), appOf(OA)]);
  const { round } = renewalOf(world, node, apps);
  await round();
  await clock.advance(HOUR);
  await node.authority.rotate({ app: appOf(OA), kind: 'access-token' });
  clock.jump(6900 * SECOND - HOUR - 1);
  await round();
  expect(platform.counters(MP).stable.calls).toBe(1);
  clock.jump(65 * SECOND);
  await round();
  await round();
  expect(platform.counters(MP).stable).toMatchObject({ calls: 2, issued: 2 });
  expect(platform.counters(OA).stable).toMatchObject({ calls: 2, issued: 2 });
});

test('for a day of rounds every second, tokens never end and cost about twelve calls', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const { round } = renewalOf(
    world,
    node,
    createAppDirectory([appOf(MP), appOf(OA, { tokenMode: 'classic' })]),
  );
  for (let turn = 0; turn < 24 * 60; turn += 1) {
    await round();
    expect(platform.state.token(MP, 'stable')).toBeDefined();
    expect(platform.state.token(OA, 'classic')).toBeDefined();
    clock.jump(60 * SECOND);
  }
  expect(platform.counters(MP).stable.calls).toBeLessThanOrEqual(13);
  expect(platform.counters(OA).classic.calls).toBeLessThanOrEqual(13);
  expect(platform.counters(MP).errors).toEqual({});
});

test('an app with nothing to renew is left to its callers', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const quiet = appOf(MP, { renews: [] });
  const { round } = renewalOf(world, node, createAppDirectory([quiet]));
  await round();
  expect(platform.counters(MP).stable.calls).toBe(0);
  await clock.settled(node.authority.get({ app: quiet, kind: 'access-token' }));
  clock.jump(7000 * SECOND);
  await round();
  expect(platform.counters(MP).stable.calls).toBe(1);
});

test('rows of apps that are not configured here are left alone', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const [node, other] = await world.nodes(2);
  if (node === undefined || other === undefined) throw new Error('no nodes');
  await renewalOf(world, other, createAppDirectory([appOf(OA)])).round();
  const { round } = renewalOf(world, node, createAppDirectory([appOf(MP)]));
  await round();
  const id = `uni-id:weixin-h5:${OA}:access-token`;
  const before = await node.store.credentials.get(id);
  clock.jump(7000 * SECOND);
  await round();
  expect(platform.counters(OA).stable.calls).toBe(1);
  expect(platform.counters(MP).stable.calls).toBe(2);
  expect(await node.store.credentials.get(id)).toEqual(before);
});

test('thousands of due rows of other nodes are looked at once a minute, and hold up nobody', async () => {
  const accounts = accountsOf(1);
  const world = await createWorld(accounts);
  const { clock, platform } = world;
  let looks = 0;
  const node = await world.node({
    through: store => ({
      ...store,
      credentials: {
        ...store.credentials,
        due(...page) {
          looks += 1;
          return store.credentials.due(...page);
        },
      },
    }),
  });
  const { round } = renewalOf(world, node, createAppDirectory(appsOf(accounts)));
  await round();
  const foreign = Array.from({ length: 10_000 }, (_, number) => ({
    ...{ id: `uni-id:weixin-mp:wx-foreign-${number}:access-token`, value: '{"access_token":"T"}' },
    ...{ expiresAt: clock.now() + HOUR, platform: 'weixin-mp' as const, appid: `wx-foreign-${number}` },
    ...{ kind: 'access-token' as const, epoch: 1, issuedAt: clock.now(), renewAt: clock.now() - number },
    ...{ background: true, fingerprint: undefined, previous: undefined },
  }));
  for (let at = 0; at < foreign.length; at += 2000)
    await node.store.credentials.merge(foreign.slice(at, at + 2000));
  looks = 0;
  await round();
  expect(looks).toBeGreaterThan(9);
  looks = 0;
  clock.jump(6970 * SECOND);
  await round();
  await round();
  await round();
  expect(looks).toBeLessThan(16);
  expect(platform.counters(accounts[0]?.appid ?? '').stable.calls).toBe(2);
});

test('nodes that share the work do not wait for each other', async () => {
  const accounts = accountsOf(100);
  const world = await createWorld(accounts);
  const { clock, platform } = world;
  const apps = createAppDirectory(appsOf(accounts));
  let acquired = 0;
  const through = (store: Store): Store => ({
    ...store,
    leases: {
      ...store.leases,
      acquire(...lease) {
        acquired += 1;
        return store.leases.acquire(...lease);
      },
    },
  });
  const nodes = [await world.node({ through }), await world.node({ through })];
  const renewals = nodes.map(node => renewalOf(world, node, apps).renewal);
  const round = (): Promise<unknown> => clock.settled(Promise.all(renewals.map(each => each.tick())));
  await round();
  clock.jump(6970 * SECOND);
  acquired = 0;
  await round();
  for (const { appid } of accounts) expect(platform.counters(appid).stable.calls).toBe(2);
  // Each node tries each at most once: nobody polls for what another is doing.
  expect(acquired).toBeLessThanOrEqual(200);
});

test('nodes that start together go through the apps in different orders', async () => {
  const clock = manualClock();
  const store = await openSqliteStore({ path: ':memory:', clock, random: () => 0.5 });
  onTestFinished(() => store.close());
  const apps = createAppDirectory(appsOf(accountsOf(1000)));
  const orders: string[][] = [];
  for (const seed of [1, 2]) {
    const order: string[] = [];
    orders.push(order);
    const authority = {
      ...idleAuthority,
      async keep({ app }: CredentialRef) {
        order.push(app.appid);
        return 'fresh' as const;
      },
    };
    const log = keptLog();
    const renewal = createRenewal({ authority, store, clock, log, apps, random: seededRandom(seed) });
    await clock.settled(renewal.tick());
  }
  const [one = [], other = []] = orders;
  expect(one.toSorted()).toEqual(apps.all().map(({ appid }) => appid));
  expect(other.toSorted()).toEqual(one.toSorted());
  // Of what one has under way at first, the other has only what chance makes it: 4 of 64.
  const both = one.slice(0, 64).filter(appid => other.slice(0, 64).includes(appid));
  expect(both.length).toBeLessThan(16);
});

test('an appid that moved to another platform is left alone under the old one', async () => {
  const world = await createWorld();
  const { clock } = world;
  const node = await world.node();
  const app = appOf(MP);
  await renewalOf(world, node, createAppDirectory([app])).round();
  const id = `uni-id:weixin-mp:${MP}:access-token`;
  const before = await node.store.credentials.get(id);
  clock.jump(6970 * SECOND);
  const renewed: string[] = [];
  const authority: Authority = {
    ...node.authority,
    renew(ref) {
      renewed.push(ref.app.platform);
      return node.authority.renew(ref);
    },
  };
  const moved = createAppDirectory([{ ...app, platform: 'weixin-h5' }]);
  await renewalOf(world, { ...node, authority: { ...node.authority, ...authority } }, moved).round();
  expect(await node.store.credentials.get(id)).toEqual(before);
  expect(renewed).toEqual([]);
});

test('after a reload that ends its renewal an app is left to its callers', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const apps = createAppDirectory([appOf(MP)]);
  const { renewal, round } = renewalOf(world, node, apps);
  await round();
  const quiet = appOf(MP, { renews: [] });
  apps.replace([quiet]);
  renewal.replan();
  clock.jump(6970 * SECOND);
  await round();
  expect(platform.counters(MP).stable.calls).toBe(1);
  await node.authority.get({ app: quiet, kind: 'access-token' });
  await clock.settled(node.authority.idle());
  expect(platform.counters(MP).stable.calls).toBe(2);
  expect(await node.store.credentials.due(clock.now() + 24 * HOUR, 10)).toEqual([]);
});

test('after a reload new apps are issued and gone ones left', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const apps = createAppDirectory([appOf(MP)]);
  const { renewal, round } = renewalOf(world, node, apps);
  await round();
  apps.replace([appOf(OA)]);
  renewal.replan();
  await round();
  expect(platform.counters(OA).stable.calls).toBe(1);
  clock.jump(6970 * SECOND);
  await round();
  expect(platform.counters(MP).stable.calls).toBe(1);
  expect(platform.counters(OA).stable.calls).toBe(2);
});

test('a credential first asked for by a caller comes under renewal when its app wants it', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  await clock.settled(node.authority.get({ app: appOf(MP, { renews: [] }), kind: 'access-token' }));
  const { round } = renewalOf(world, node, createAppDirectory([appOf(MP)]));
  await round();
  expect(platform.counters(MP).stable.calls).toBe(1);
  clock.jump(6970 * SECOND);
  await round();
  expect(platform.counters(MP).stable.calls).toBe(2);
});

test('a row that uniCloud left behind is renewed before it ends, though nobody asks', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const node = await world.node();
  const value = '{"access_token":"from-unicloud"}';
  await node.store.credentials.commit(
    foreignRow(`uni-id:weixin-mp:${MP}:access-token`, value, clock.now() + HOUR),
    0,
  );
  const { round } = renewalOf(world, node, createAppDirectory([appOf(MP)]));
  await round();
  expect(platform.counters(MP).stable.calls).toBe(0);
  for (let minute = 0; minute < 58; minute += 1) {
    await clock.advance(60 * SECOND);
    await round();
  }
  expect(platform.counters(MP).stable.calls).toBe(1);
});

test('processes that all renew make each call once', async () => {
  const accounts = accountsOf(40);
  const world = await createWorld(accounts);
  const { clock, platform } = world;
  const apps = createAppDirectory(appsOf(accounts));
  const nodes = await world.nodes(3);
  const renewals = nodes.map(node => renewalOf(world, node, apps).renewal);
  const round = (): Promise<unknown> => clock.settled(Promise.all(renewals.map(each => each.tick())));
  await round();
  clock.jump(6970 * SECOND);
  await round();
  for (const { appid } of accounts) expect(platform.counters(appid).stable.calls).toBe(2);
});

describe('an app that fails', () => {
  test('holds up no other, and is tried again later', async () => {
    const accounts = accountsOf(30);
    const world = await createWorld(accounts);
    const { clock, platform } = world;
    const node = await world.node();
    const bad = accounts.slice(0, 5).map(({ appid }) => appid);
    for (const appid of bad) platform.setAccount(appid, { frozenSecret: true });
    const { round } = renewalOf(world, node, createAppDirectory(appsOf(accounts)));
    await round();
    const calls = (appid: string): number => platform.counters(appid).stable.calls;
    expect(accounts.map(({ appid }) => calls(appid))).toEqual(accounts.map(() => 1));
    for (let turn = 0; turn < 60; turn += 1) {
      clock.jump(SECOND);
      await round();
    }
    for (const appid of bad) expect(calls(appid)).toBe(1);
    for (const appid of bad) platform.setAccount(appid, { frozenSecret: false });
    clock.jump(5 * 60 * SECOND);
    await round();
    for (const appid of bad) expect(platform.state.token(appid, 'stable')).toBeDefined();
  });

  test('at its renewal is put off to the time of its next try, and is not due meanwhile', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const { round } = renewalOf(world, node, createAppDirectory([appOf(MP), appOf(OA)]));
    await round();
    clock.jump(6970 * SECOND);
    platform.setAccount(MP, { frozenSecret: true });
    await round();
    expect(platform.counters(OA).stable.calls).toBe(2);
    expect(await node.store.credentials.due(clock.now(), 10)).toEqual([]);
    const status = await node.authority.status({ app: appOf(MP), kind: 'access-token' });
    expect(status.renewAt).toBe(status.failure?.retryAt);
    await round();
    expect(platform.counters(MP).stable.calls).toBe(2);
  });

  test('silently for half a minute holds up nobody in the same round', async () => {
    const accounts = accountsOf(40);
    const world = await createWorld(accounts);
    const { clock, platform } = world;
    const node = await world.node();
    const [silent = '', ...others] = accounts.map(({ appid }) => appid);
    platform.faults.add({ kind: 'silent', appid: silent });
    const { renewal } = renewalOf(world, node, createAppDirectory(appsOf(accounts)));
    const ticking = renewal.tick();
    const waiting = () => others.filter(appid => platform.state.token(appid, 'stable') === undefined);
    await expect.poll(waiting, { timeout: 20_000 }).toEqual([]);
    await clock.advance(30 * SECOND);
    await ticking;
    expect(platform.counters(silent).stable.calls).toBe(3);
  });
});

test('thousands of apps due at once are all renewed, sixty-four at a time', async () => {
  const clock = manualClock();
  const store = await openSqliteStore({ path: ':memory:', clock, random: () => 0.5 });
  onTestFinished(() => store.close());
  const accounts = accountsOf(2500);
  for (const { appid } of accounts) {
    await store.credentials.commit(
      {
        id: `uni-id:weixin-mp:${appid}:access-token`,
        value: '{"access_token":"T"}',
        expiresAt: clock.now() + 300 * SECOND,
        platform: 'weixin-mp',
        appid,
        kind: 'access-token',
        epoch: 1,
        issuedAt: clock.now() - 6900 * SECOND,
        renewAt: clock.now(),
        background: true,
        fingerprint: '0123456789abcdef',
        previous: undefined,
      },
      0,
    );
  }
  const renewed: string[] = [];
  let running = 0;
  let most = 0;
  const authority: Authority = {
    ...idleAuthority,
    async renew(ref) {
      running += 1;
      most = Math.max(most, running);
      await clock.sleep(200);
      const id = `uni-id:weixin-mp:${ref.app.appid}:access-token`;
      await store.credentials.reschedule(id, 1, { renewAt: clock.now() + HOUR, background: true });
      renewed.push(ref.app.appid);
      running -= 1;
      return 'renewed';
    },
  };
  const log = keptLog();
  const renewal = createRenewal({
    ...{ authority, store, clock, log },
    apps: createAppDirectory(appsOf(accounts)),
    random: seededRandom(1),
  });
  const began = clock.now();
  await clock.settled(renewal.tick());
  expect(renewed.toSorted()).toEqual(accounts.map(({ appid }) => appid));
  expect(most).toBe(64);
  expect(clock.now() - began).toBeLessThan(10 * SECOND);
});

test('a thousand apps are issued and renewed over real sockets, one call each', async () => {
  const accounts = accountsOf(1000);
  const world = await createWorld(accounts);
  const { clock, platform } = world;
  const node = await world.node();
  const { round } = renewalOf(world, node, createAppDirectory(appsOf(accounts)));
  await round();
  expect(platform.counters().total.stable).toMatchObject({ calls: 1000, issued: 1000 });
  clock.jump(6970 * SECOND);
  await round();
  expect(platform.counters().total.stable).toMatchObject({ calls: 2000, issued: 2000 });
});

describe('the loop', () => {
  async function loop(
    through?: (store: Store) => Store,
  ): Promise<{ world: World; node: Node; renewal: Renewal }> {
    const world = await createWorld();
    const node = await world.node(through && { through });
    const { renewal } = renewalOf(world, node, createAppDirectory([appOf(MP)]));
    return { world, node, renewal };
  }

  test('runs a round every second until it is stopped', async () => {
    const { world, renewal } = await loop();
    const { clock, platform } = world;
    renewal.start();
    renewal.start();
    await clock.advance(10);
    expect(platform.counters(MP).stable.calls).toBe(1);
    await clock.advance(7000 * SECOND);
    expect(platform.counters(MP).stable.calls).toBe(2);
    await renewal.stop();
    expect(clock.sleepers()).toBe(0);
    await clock.advance(7000 * SECOND);
    expect(platform.counters(MP).stable.calls).toBe(2);
  });

  test('outlives a store that is away for a while', async () => {
    let away = true;
    const { world, node, renewal } = await loop(store => ({
      ...store,
      credentials: {
        ...store.credentials,
        due: (...page) =>
          away
            ? Promise.reject(new BridgeError('STORE_UNAVAILABLE', 'the database is away'))
            : store.credentials.due(...page),
      },
    }));
    renewal.start();
    await world.clock.advance(3 * SECOND);
    expect(node.log.messages('warn')).toContain('renewal round failed; trying again');
    away = false;
    await world.clock.advance(7000 * SECOND);
    expect(world.platform.counters(MP).stable.calls).toBe(2);
    await renewal.stop();
  });

  test('can be stopped before it was started', async () => {
    const { renewal } = await loop();
    await expect(renewal.stop()).resolves.toBeUndefined();
  });
});
