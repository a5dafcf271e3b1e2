import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import type { SettingTable } from '../stores/store.ts';
import { hashCallerKey } from './callers.ts';
import { openKeyRevocations } from './key-revocations.ts';

const KEY = { keyHash: hashCallerKey('canary-key-of-orders-0123456789'), caller: 'orders' };
const OTHER = { keyHash: hashCallerKey('canary-second-key-of-orders-0123'), caller: 'orders' };

async function openNodes() {
  const clock = manualClock();
  const log = keptLog();
  const path = join(temporaryFolder(), 'bridge.db');
  const store = await openSqliteStore({ path, clock, random: seededRandom() });
  onTestFinished(() => store.close());
  let holders = 0;
  const newHolder = (): string => {
    holders += 1;
    return `holder-${holders}`;
  };
  const node = async (settings: SettingTable = store.settings) => {
    const revocations = await openKeyRevocations({
      store: { settings, leases: store.leases },
      ...{ clock, newHolder, log },
    });
    onTestFinished(() => revocations.stop());
    return revocations;
  };
  return { clock, log, store, node };
}

it('holds at once where it was said, within a second elsewhere, and after a start', async () => {
  const { clock, node } = await openNodes();
  const [here, there] = [await node(), await node()];
  there.start();
  await here.revoke([KEY]);
  expect([here, there].map(each => each.revokedAt(KEY.keyHash))).toEqual([clock.now(), undefined]);
  const at = clock.now();
  await clock.advance(1000);
  expect(there.revokedAt(KEY.keyHash)).toBe(at);
  expect((await node()).revokedAt(KEY.keyHash)).toBe(at);
  expect(here.revokedAt(OTHER.keyHash)).toBeUndefined();

  clock.jump(60_000);
  await there.revoke([KEY, OTHER]);
  expect([there.revokedAt(KEY.keyHash), there.revokedAt(OTHER.keyHash)]).toEqual([at, clock.now()]);
});

it('keeps what it knows while the store is away, and says so once', async () => {
  const { clock, log, node, store } = await openNodes();
  let away = false;
  const settings: SettingTable = {
    ...store.settings,
    get: name => (away ? Promise.reject(new Error('away')) : store.settings.get(name)),
  };
  const there = await node(settings);
  there.start();
  await there.revoke([KEY]);
  away = true;
  for (let second = 0; second < 5; second += 1) await clock.advance(1000);
  expect(there.revokedAt(KEY.keyHash)).toBeDefined();
  expect(log.messages('warn')).toHaveLength(1);
  away = false;
  await (await node()).revoke([OTHER]);
  await clock.advance(1000);
  expect(there.revokedAt(OTHER.keyHash)).toBeDefined();
});

it('does not start over a list it cannot read, as revoked keys would be good again', async () => {
  const { node, store } = await openNodes();
  for (const damaged of ['7', '{"a":{"caller":"orders"}}', 'null', '{"a":null}', '{', '']) {
    await store.settings.put('caller-keys-revoked', damaged);
    await expect(node(), damaged).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      hint: expect.stringContaining('restore that row'),
    });
  }
});
