import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { announceChanges } from './changes.ts';
import type { Database } from './database.ts';
import type { RedisFormat, RedisSettings } from './redis/settings.ts';
import type { Sealer } from './sealing.ts';
import type { Store } from './store.ts';

/** What a store is shared by. */
export interface SharingOptions {
  readonly database: Database;
  readonly redis: RedisSettings | undefined;
  readonly redisFormat: RedisFormat;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /** Names this process among those that share the store; it has no space. */
  readonly sender: string;
}

/**
 * A store that is open and not sealed, with what makes it quicker for many processes: Redis, if there is one,
 * else word of changes by the database itself, if it can. Drivers are loaded only for what is used. Closing
 * it closes the store.
 */
export async function shareStore(store: Store, options: SharingOptions): Promise<Store> {
  const { database, redis, redisFormat, sealer, clock, random, log, sender } = options;
  if (redis !== undefined) {
    const { openAccelerated } = await import('./redis/open-accelerated.ts');
    return openAccelerated(store, { redis, format: redisFormat, sealer, clock, random, log, sender });
  }
  if (database.kind !== 'postgres') return store;
  const { openPostgresChanges } = await import('./postgres-changes.ts');
  return announceChanges(store, openPostgresChanges({ url: database.url, clock, random, log, sender }));
}
