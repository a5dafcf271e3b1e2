import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import type { RedisLink } from '../../src/stores/redis/link.ts';
import { accelerate } from '../../src/stores/redis/open-accelerated.ts';
import { openRedisLink } from '../../src/stores/redis/open-link.ts';
import type { RedisFormat, RedisSettings } from '../../src/stores/redis/settings.ts';
import { createSealer, newSealKey, sealStore } from '../../src/stores/sealing.ts';
import { openSqliteStore } from '../../src/stores/sqlite.ts';
import type { AcceleratorCounts, CredentialRow, Store } from '../../src/stores/store.ts';
import { type KeptLog, keptLog } from '../support/canary.ts';
import {
  eventually,
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from '../support/redis-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A value that must be nowhere in Redis, in logs and in errors. */
export const CANARY = 'canary-token-0123456789abcdef';

/** A Redis server for the running test. */
export async function redisServer(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedisServer(options);
  onTestFinished(() => server.remove());
  return server;
}

/** A store of one process, and what is under it. */
export interface RedisNode {
  readonly store: Store;
  /** The database itself, sealed, without Redis before it. */
  readonly database: Store;
  readonly log: KeptLog;
  /** How often rows were read from the database, by either way. */
  reads(): number;
  peek(id: string): Promise<CredentialRow | undefined>;
  counts(): AcceleratorCounts;
  /** Resolves when Redis is used. */
  ready(): Promise<void>;
}

const same = (link: RedisLink): RedisLink => link;

/** A database file that any number of processes share. */
export interface RedisWorld {
  node(redis: RedisSettings, options?: NodeOptions): Promise<RedisNode>;
}

export interface NodeOptions {
  readonly format?: RedisFormat;
  readonly clock?: Clock;
  /** Whether to wait until Redis is used (default: yes). */
  readonly wait?: boolean;
  /** Puts something between the store and Redis. */
  readonly through?: (link: RedisLink) => RedisLink;
  /** Holds up what was just read from the database. */
  readonly afterRead?: (id: string) => Promise<void>;
}

export const single = (server: Pick<RedisServer, 'url'>): RedisSettings => ({
  kind: 'single',
  url: new Secret(server.url),
});

export function redisWorld(): RedisWorld {
  const path = join(temporaryFolder(), 'bridge.db');
  const sealer = createSealer([new Secret(newSealKey())]);
  return {
    async node(
      redis,
      { format = 'sealed', clock = systemClock, wait = true, afterRead, through = same } = {},
    ) {
      const log = keptLog();
      const plain = await openSqliteStore({ path, clock, random: Math.random });
      let reads = 0;
      const counted: Store = {
        ...plain,
        credentials: {
          ...plain.credentials,
          async get(id) {
            reads += 1;
            const row = await plain.credentials.get(id);
            await afterRead?.(id);
            return row;
          },
        },
      };
      const link = openRedisLink(redis, { clock, random: Math.random });
      const shared = accelerate(counted, through(link), {
        format,
        sealer,
        installation: path,
        clock,
        log,
        sender: randomUUID(),
      });
      onTestFinished(() => shared.close());
      const store = sealStore(shared, sealer);
      const counts = (): AcceleratorCounts => {
        if (store.accelerator === undefined) throw new Error('a store without an accelerator');
        return store.accelerator.counts();
      };
      const ready = async (): Promise<void> =>
        void (await eventually(() => store.accelerator?.state().ok === true));
      if (wait) await ready();
      return {
        store,
        database: sealStore(plain, sealer),
        log,
        reads: () => reads,
        peek: id => (store.credentials.peek ?? store.credentials.get)(id),
        counts,
        ready,
      };
    },
  };
}

/** A token's row. Its value holds the canary and the epoch. */
export function tokenRow(id: string, epoch: number, change: Partial<CredentialRow> = {}): CredentialRow {
  const now = systemClock.now();
  return {
    id,
    value: JSON.stringify({ access_token: `${CANARY}-${epoch}` }),
    expiresAt: now + 7_200_000,
    platform: 'weixin-mp',
    appid: 'wx1',
    kind: 'access-token',
    epoch,
    issuedAt: now,
    renewAt: now + 6_900_000,
    background: true,
    fingerprint: `fingerprint-${epoch}`,
    previous: undefined,
    ...change,
  };
}
