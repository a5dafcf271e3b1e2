import { expect, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { BridgeError } from '../../base/errors.ts';
import { Secret } from '../../base/secret.ts';
import { createAppDirectory } from '../../credentials/apps.ts';
import type { Authority, CredentialStatus } from '../../credentials/credentials.ts';
import type { App } from '../../platforms/platform.ts';
import { openSqliteStore } from '../../stores/sqlite.ts';
import { createSnapshots } from './snapshot.ts';

const appOf = (at: number): App => ({
  name: `app${at}`,
  platform: 'weixin-mp',
  appid: `wx${at}`,
  secret: new Secret(`secret-${at}`),
  managed: true,
  dcloudAppid: undefined,
  default: false,
  tokenMode: 'stable',
  renews: ['access-token'],
});

async function setup(options: { readonly count?: number; readonly maxApps?: number } = {}) {
  const { count = 3, maxApps = 1000 } = options;
  const clock = manualClock();
  const real = await openSqliteStore({ path: ':memory:', clock, random: () => 0.5 });
  const state = {
    asked: [] as string[],
    pings: 0,
    tookMs: 0,
    stopwatch: 0,
    /** What becomes of a ping, and of reading an app. */
    onPing: async (): Promise<void> => {},
    onStatus: (_app: App): void => {},
  };
  const store = {
    ...real,
    async ping() {
      state.pings += 1;
      state.stopwatch += state.tookMs;
      await state.onPing();
    },
  };
  const authority = {
    async status(ref: CredentialStatus['ref']): Promise<CredentialStatus> {
      state.asked.push(ref.app.name);
      state.onStatus(ref.app);
      return {
        ref,
        fingerprint: 'f',
        epoch: 1,
        issuedAt: clock.now(),
        expiresAt: clock.now() + 7_200_000,
        renewAt: undefined,
        failure: undefined,
        earlyEnds: undefined,
      };
    },
  } as Authority;
  const apps = createAppDirectory(Array.from({ length: count }, (_, at) => appOf(at)));
  const snapshot = createSnapshots({
    apps,
    maxApps: () => maxApps,
    authority,
    store,
    clock,
    stopwatch: () => state.stopwatch,
  });
  return { clock, store, state, snapshot, apps };
}

test('the store is read once for all who ask at once, and again only after a while', async () => {
  const { clock, state, snapshot } = await setup();
  const all = await Promise.all(Array.from({ length: 10 }, snapshot));
  expect(all.every(({ storeUp, reading }) => storeUp && reading?.credentials.length === 3)).toBe(true);
  expect(state.pings).toBe(1);
  await clock.advance(4999);
  await snapshot();
  expect(state.pings).toBe(1);
  await clock.advance(1);
  await snapshot();
  expect(state.pings).toBe(2);
});

test('a reading that took long stays longer', async () => {
  const { clock, state, snapshot } = await setup();
  state.tookMs = 1000;
  await snapshot();
  await clock.advance(19_999);
  await snapshot();
  expect(state.pings).toBe(1);
  await clock.advance(1);
  await snapshot();
  expect(state.pings).toBe(2);
});

test('only so many apps are read', async () => {
  const { state, snapshot } = await setup({ count: 50, maxApps: 7 });
  const { reading } = await snapshot();
  expect(new Set(state.asked)).toEqual(new Set(['app0', 'app1', 'app2', 'app3', 'app4', 'app5', 'app6']));
  expect(new Set(reading?.budgets.map(({ app }) => app.name)).size).toBe(7);
});

test('others get their turn while many apps are read', async () => {
  const { snapshot } = await setup({ count: 400 });
  let turns = 0;
  let reading = true;
  const count = (): void => {
    turns += 1;
    if (reading) setImmediate(count);
  };
  setImmediate(count);
  await snapshot();
  reading = false;
  expect(turns).toBeGreaterThan(90);
});

test('a store that fails is down, and the last reading stands', async () => {
  const { clock, state, snapshot } = await setup();
  const before = await snapshot();
  await clock.advance(5000);
  state.onPing = async () => {
    throw new BridgeError('STORE_UNAVAILABLE', 'away');
  };
  expect(await snapshot()).toEqual({ storeUp: false, reading: before.reading });
  state.onPing = async () => {};
  const after = await snapshot();
  expect(after.storeUp).toBe(true);
  expect(after.reading?.takenAt).toBe(clock.now());
});

test('a store that hangs is down after two seconds, and asked once only', async () => {
  const { clock, state, snapshot } = await setup();
  const hanging = Promise.withResolvers<void>();
  state.onPing = () => hanging.promise;
  const both = [snapshot(), snapshot()];
  await clock.advance(2000);
  expect(await Promise.all(both)).toEqual([
    { storeUp: false, reading: undefined },
    { storeUp: false, reading: undefined },
  ]);
  expect(state.pings).toBe(1);
  hanging.resolve();
  expect((await snapshot()).storeUp).toBe(true);
  expect(clock.sleepers()).toBe(0);
});

test('a row that does not open says nothing of the store', async () => {
  const { state, snapshot } = await setup();
  state.onStatus = app => {
    if (app.name === 'app1') throw new BridgeError('SEAL_BROKEN', 'sealed with another key');
  };
  const { storeUp, reading } = await snapshot();
  expect({ storeUp, unreadable: reading?.unreadable, read: reading?.credentials.length }).toEqual({
    storeUp: true,
    unreadable: 1,
    read: 2,
  });
});

test('renewals are overdue for apps of ours only, those without metrics of their own included', async () => {
  const { clock, store, snapshot } = await setup({ count: 3, maxApps: 1 });
  const row = async (appid: string, renewAt: number, background = true): Promise<void> => {
    await store.credentials.commit(
      {
        id: `uni-id:weixin-mp:${appid}:access-token`,
        value: '{}',
        expiresAt: clock.now() + 1_000_000,
        platform: 'weixin-mp',
        appid,
        kind: 'access-token',
        epoch: 1,
        issuedAt: clock.now(),
        renewAt,
        background,
        fingerprint: 'f',
        previous: undefined,
      },
      0,
    );
  };
  await row('wx0', clock.now() + 1000);
  await row('wx1', clock.now() - 30_000, false);
  await row('wx2', clock.now() - 4000);
  for (let at = 0; at < 250; at += 1) await row(`foreign${at}`, clock.now() - 90_000);
  const { reading } = await snapshot();
  expect({ overdue: reading?.overdue, lagMs: reading?.lagMs }).toEqual({ overdue: 1, lagMs: 4000 });
});
