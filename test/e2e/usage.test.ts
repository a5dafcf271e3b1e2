import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { createClient } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/load.ts';
import { startBridge } from '../../src/server/bridge.ts';
import { startTestBridge, type TestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const ORDERS_KEY = 'key-of-orders-0123456789';

let running: TestBridge;
afterEach(() => running.close());

async function statusOfCall(): Promise<number> {
  const headers = { 'x-bridge-key': ORDERS_KEY };
  const answer = await fetch(`${running.gateway}/wxa/getwxadevinfo`, { headers });
  await answer.text();
  return answer.status;
}

describe('rate limits and usage', () => {
  it('follows the configuration without restart', async () => {
    const clock = manualClock();
    const config = (perSecond: number) => ({
      admin: { keys: [ADMIN_KEY] },
      callers: [{ name: 'orders', key: ORDERS_KEY, rateLimit: { perSecond } }],
    });
    running = await startTestBridge({ clock, config: config(2) });
    const statuses = async (count: number) => {
      const all = [];
      for (let turn = 0; turn < count; turn += 1) all.push(await statusOfCall());
      return all;
    };
    expect(await statuses(3)).toEqual([200, 200, 429]);
    running.reconfigure(config(1000));
    clock.jump(3);
    expect(await statuses(4)).toEqual([200, 200, 200, 429]);
    running.reconfigure({ ...config(1), callers: [{ name: 'orders', key: ORDERS_KEY }] });
    expect(await statuses(3)).toEqual([200, 200, 200]);
    const { usage } = await createClient({ url: running.control, adminKey: ADMIN_KEY }).listUsage({
      days: 1,
    });
    const sum = (field: 'calls' | 'refused') => usage.reduce((all, row) => all + row[field], 0);
    expect([sum('calls'), sum('refused')]).toEqual([10, 2]);
  });

  it('adds up over bridges that share a database', async () => {
    running = await startTestBridge();
    const { settings } = loadConfig({ path: join(running.folder, 'open-bridge.json'), env: {} });
    const second = await startBridge({
      settings,
      clock: systemClock,
      log: silentLog,
      instance: 'second',
      version: '0.0.0-test',
      tmpDir: running.folder,
    });
    try {
      const origins = [running.gateway, `http://127.0.0.1:${second.gateway?.port}`];
      const ids = await Promise.all(
        Array.from({ length: 400 }, async (_, turn) => {
          const answer = await fetch(`${origins[turn % 2]}/wxa/getwxadevinfo`);
          await answer.text();
          return answer.headers.get('x-openapi-seqid') ?? '';
        }),
      );
      expect(new Set(ids).size).toBe(400);
      const other = createClient({ url: `http://127.0.0.1:${second.control.port}` });
      await other.listUsage();
      const { usage } = await createClient({ url: running.control }).listUsage();
      expect(usage).toMatchObject([{ caller: 'local', app: 'shop', calls: 400, errors: 0, refused: 0 }]);
      for (const seqid of ids.slice(0, 50)) expect((await other.getCall({ seqid })).seqid).toBe(seqid);
    } finally {
      await second.close();
    }
  });
});
