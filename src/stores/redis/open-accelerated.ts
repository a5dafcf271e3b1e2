import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { announceChanges } from '../changes.ts';
import type { Sealer } from '../sealing.ts';
import type { Store } from '../store.ts';
import { acceleratedStore } from './accelerated.ts';
import { createCopyCodec } from './copy.ts';
import type { RedisLink } from './link.ts';
import { openRedisLink } from './open-link.ts';
import { createPlainCopies } from './plain-copies.ts';
import { createRedisChanges } from './redis-changes.ts';
import { createSealedCopies } from './sealed-copies.ts';
import type { RedisFormat, RedisSettings } from './settings.ts';

/** Names the database among those whose copies are in the same Redis. */
const INSTALLATION = 'redis-installation';

/** What acceleration takes. */
export interface AccelerationOptions {
  readonly redis: RedisSettings;
  readonly format: RedisFormat;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /** Names this process among those that share the store; it has no space. */
  readonly sender: string;
}

/**
 * Puts Redis before a store that is open and not sealed: copies for reads, and word of changes. Does not
 * wait for Redis. Closing it closes the store.
 */
export async function openAccelerated(store: Store, options: AccelerationOptions): Promise<Store> {
  const { redis, format, clock, random, log } = options;
  const installation = await store.settings.putIfAbsent(INSTALLATION, randomUUID());
  if (format === 'plain')
    log.warn(
      {},
      'storage.redisFormat is "plain": whoever reads this Redis reads every token and session key in it',
    );
  const link = openRedisLink(redis, { clock, random });
  return accelerate(store, link, { ...options, installation });
}

/** As `openAccelerated`, over connections that are there, for the copies of one installation. */
export function accelerate(
  store: Store,
  link: RedisLink,
  options: Omit<AccelerationOptions, 'redis' | 'random'> & { readonly installation: string },
): Store {
  const { format, sealer, installation, clock, log, sender } = options;
  const now = (): number => clock.now();
  const codec = createCopyCodec({ sealer, installation, now });
  const copies = (format === 'plain' ? createPlainCopies : createSealedCopies)(link, codec, now);
  const newClaim = (): string => randomBytes(12).toString('base64url');
  const accelerated = acceleratedStore(store, { link, copies, codec, clock, log, newClaim });
  return announceChanges(accelerated, createRedisChanges(link, sender));
}
