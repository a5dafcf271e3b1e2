import type { Dispatcher } from 'undici';
import { Pool } from 'undici';

/** Keeps connections to upstream origins. */
export interface Upstreams {
  dispatch(origin: string, options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** Breaks all connections off. */
  close(): Promise<void>;
}

/**
 * How long an idle connection is kept when the platform does not say. Its servers keep theirs for a
 * minute or more; a shorter time makes it rare to write into one that is just being closed.
 */
const IDLE_MS = 15_000;

/** Longest wait for a connection; the rest of the call's time is left for the answer. */
const CONNECT_MS = 10_000;

/** Makes the connection pools, one per origin, when they are first needed. */
export function createUpstreams(connectionsPerOrigin: () => number): Upstreams {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    const known = pools.get(origin);
    if (known !== undefined) return known;
    const pool = new Pool(origin, {
      connections: connectionsPerOrigin(),
      pipelining: 1,
      // One origin is one HTTP/1.1 server; negotiating h2 would put all calls on one connection.
      allowH2: false,
      connectTimeout: CONNECT_MS,
      keepAliveTimeout: IDLE_MS,
      // The gateway's own deadline covers the whole call.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    pools.set(origin, pool);
    return pool;
  };
  return {
    dispatch: (origin, options, handler) => {
      poolOf(origin).dispatch(options, handler);
    },
    async close() {
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map(pool => pool.destroy()));
    },
  };
}
