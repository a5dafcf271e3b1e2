import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readEntry } from '../../src/access/audit-chain.ts';
import { type AuditFault, storedAudit, verifyAudit } from '../../src/access/audit-verify.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createClient } from '../../src/client/client.ts';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { openSqliteStore } from '../../src/stores/sqlite.ts';
import { ACCOUNTS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;
let bridges: BridgeProcess[];
beforeEach(async () => {
  folder = temporaryFolder();
  simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
  bridges = [];
});
afterEach(async () => {
  await Promise.all(bridges.map(bridge => bridge.kill('SIGKILL')));
  await simulator.close();
  folder[Symbol.dispose]();
});

/** Sets a user's session key, which the audit log must hold when this resolves; undefined when no answer came. */
async function set({ control }: BridgeProcess, openid: string): Promise<string | undefined> {
  const answer = await fetch(`${control}/uni-open-bridge/setSessionKey`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      dcloudAppid: '__UNI__SHOP',
      platform: 'weixin-mp',
      openid,
      value: { session_key: 'c2Vzc2lvbi1rZXktMTIzNA==' },
    }),
  }).catch(() => undefined);
  return answer?.status === 200 ? openid : undefined;
}

it('two processes at once, one of which dies: whatever was answered is there, and nothing is broken', async () => {
  const config = writeConfig(folder.path, simulator.origin, {
    apps: [
      {
        ...{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret, default: true },
        dcloudAppid: '__UNI__SHOP',
      },
    ],
    schedule: { __UNI__SHOP: { enable: false } },
    log: { level: 'warn' },
  });
  bridges = [await startBridgeProcess(config), await startBridgeProcess(config)];
  const [dying, living] = bridges as [BridgeProcess, BridgeProcess];
  let dead = false;
  const work = bridges.flatMap((bridge, at) =>
    Array.from({ length: 4 }, async (_, worker) => {
      const answered: string[] = [];
      for (let n = 0; n < 60 && !(bridge === dying && dead); n += 1) {
        const done = await set(bridge, `user-${at}-${worker}-${n}`);
        if (done !== undefined) answered.push(done);
        if (bridge === dying && worker === 0 && n === 20) {
          dead = true;
          await dying.kill('SIGKILL');
        }
      }
      return answered;
    }),
  );
  const answered = (await Promise.all(work)).flat();
  expect(answered.length).toBeGreaterThan(260);
  const third = await startBridgeProcess(config);
  bridges.push(third);
  const { entries } = await createClient({ url: third.control }).listAudit({ action: 'start' });
  expect(entries).toHaveLength(3);
  await living.kill('SIGTERM');

  const store = await openSqliteStore({
    path: join(folder.path, 'open-bridge.db'),
    clock: systemClock,
    random: Math.random,
  });
  try {
    let sets = 0;
    const ends: (string | undefined)[] = [];
    for (const chain of await store.audit.chains(10)) {
      const rows = await store.audit.scan(chain, 10_000, 0);
      sets += rows.filter(row => row.action === 'set').length;
      ends.push(readEntry(rows.at(-1)?.entry ?? '')?.action);
    }
    // At most one for each worker had been written and not answered.
    expect(sets).toBeGreaterThanOrEqual(answered.length);
    expect(sets).toBeLessThanOrEqual(answered.length + 4);
    expect(ends.filter(action => action === 'stop')).toHaveLength(1);
    const faults: AuditFault[] = [];
    expect(await verifyAudit(storedAudit(store.audit), fault => faults.push(fault))).toMatchObject({
      chains: 3,
      faults: 0,
    });
    expect(faults).toEqual([]);
  } finally {
    await store.close();
  }
}, 60_000);
