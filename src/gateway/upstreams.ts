import type { Clock } from '../base/clock.ts';
import type { OriginPool, PoolShare } from './http1/origin-pool.ts';
import { createOriginPool } from './http1/origin-pool.ts';
import { createSweep } from './http1/sweep.ts';
import type { Trust } from './http1/upstream-connection.ts';

/** Keeps connections to upstream origins. */
export interface Upstreams {
  /** The connections to one origin, which are made when they are first needed; those with a trust of their own apart. */
  poolOf(origin: string, trust?: Trust): OriginPool;
  /** Breaks all connections off. */
  close(): void;
}

/** What connections read into. A small answer is copied out of it, which costs less than memory for each. */
const READ_BUFFER_BYTES = 64 * 1024;

/** Makes the connection pools, one per origin. */
export function createUpstreams(clock: Clock, connectionsPerOrigin: () => number): Upstreams {
  const share: PoolShare = {
    clock,
    sweep: createSweep(clock),
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    maxConnections: connectionsPerOrigin,
  };
  const pools = new Map<string, OriginPool>();
  return {
    poolOf(origin, trust) {
      const name = trust === undefined ? origin : `${origin} ${trust.servername} ${trust.ca}`;
      const known = pools.get(name);
      if (known !== undefined) return known;
      const pool = createOriginPool(origin, share, trust);
      pools.set(name, pool);
      return pool;
    },
    close() {
      const open = [...pools.values()];
      pools.clear();
      for (const pool of open) pool.close();
    },
  };
}
