import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { SHOP, startTestBridge } from '../support/bridge.ts';
import { describeOn, mysqlServer, postgresServer, type TestServer } from '../support/database-servers.ts';
import { openWire } from '../support/wire.ts';

/** A whole bridge on a database server, and what its callers notice of the server's troubles. */
async function bridgeOn(server: TestServer): Promise<void> {
  await describeOn(server, 'a bridge', () => {
    test('keeps its tokens over a restart, and serves them while the server is away', async () => {
      const database = await server.create();
      onTestFinished(() => database.drop());
      const { hostname, port } = new URL(database.database.url.reveal());
      const wire = await openWire({ host: hostname, port: Number(port) });
      const url = database.urlWith(each => {
        each.hostname = '127.0.0.1';
        each.port = String(wire.port);
      });
      let later = 0;
      const bridge = await startTestBridge({
        clock: { now: () => Date.now() + later, sleep: systemClock.sleep },
        config: { storage: { database: url.reveal(), sealKey: `\${file:./seal.key}` } },
      });
      onTestFinished(async () => {
        await wire.mend();
        await bridge.close();
        await wire.close();
      });
      const call = async (): Promise<number> => {
        const answer = await fetch(`${bridge.gateway}/wxa/msg_sec_check`, {
          method: 'POST',
          body: JSON.stringify({ content: 'hello', version: 2, scene: 1, openid: 'oABC' }),
        });
        const { errcode } = (await answer.json()) as { errcode: number };
        return errcode;
      };
      const issues = (): number => bridge.simulator.counters(SHOP.appid).stable.calls;
      expect(await call()).toBe(0);
      const before = issues();
      expect(before).toBeGreaterThan(0);
      await bridge.restart();
      expect(await call()).toBe(0);
      expect(issues()).toBe(before);
      await wire.refuse();
      // By then what is in memory must be confirmed by the store.
      later += 5000;
      expect(await call()).toBe(0);
      await wire.mend();
      expect(await call()).toBe(0);
      expect(issues()).toBe(before);
      expect(bridge.logs.join('')).toContain('the store does not answer; serving the credential in memory');
      expect(bridge.logs.join('')).not.toContain(url.reveal());
    });
  });
}

await bridgeOn(postgresServer);
await bridgeOn(mysqlServer);
