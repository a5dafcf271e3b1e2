import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { createSealer, newSealKey, sealStore } from '../../src/stores/sealing.ts';
import { shareStore } from '../../src/stores/shared-store.ts';
import { openSqliteStore } from '../../src/stores/sqlite.ts';
import { describeOnRedis, eventually, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { storeContract } from './store-contract.ts';

const random = (): number => 0.5;

await describeOnRedis('a store with Redis before it', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.remove());

  for (const format of ['sealed', 'plain'] as const) {
    storeContract(`SQLite with Redis, ${format}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'open-bridge-contract-'));
      const path = join(folder, 'bridge.db');
      const sealer = createSealer([new Secret(newSealKey())]);
      return {
        async open(clock) {
          const shared = await shareStore(await openSqliteStore({ path, clock, random }), {
            database: { kind: 'sqlite', path },
            redis: { kind: 'single', url: new Secret(server.url) },
            redisFormat: format,
            sealer,
            // What waits for Redis really waits; the time is the test's.
            clock: { now: clock.now, sleep: systemClock.sleep },
            random,
            log: silentLog,
            sender: 'contract',
          });
          await eventually(() => shared.accelerator?.state().ok === true);
          return sealStore(shared, sealer);
        },
        async destroy() {
          await server.command('FLUSHALL');
          await rm(folder, { recursive: true, force: true });
        },
      };
    });
  }
});
