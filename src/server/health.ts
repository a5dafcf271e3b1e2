import type { Store } from '../stores/store.ts';
import type { Handler } from './control.ts';
import type { Shutdown } from './shutdown.ts';

/** GET /livez: answers as long as the process does. */
export const livez: Handler<'livez'> = async () => ({ answer: { status: 'ok' } });

/** What readiness depends on. */
export interface ReadinessDeps {
  readonly store: Store;
  readonly shutdown: Pick<Shutdown, 'draining'>;
  /** Undefined for a bridge that follows none. */
  readonly followed: () => string | undefined;
}

/**
 * GET /readyz: 503 while the store does not answer, and from the word to stop on. Being without Redis is told,
 * and no reason to send callers elsewhere; nor is how the bridge that is followed met the last call, as only
 * another call can better that.
 */
export function readyz(deps: ReadinessDeps): Handler<'readyz'> {
  const { store, shutdown } = deps;
  return async () => {
    const database = await store.ping().then(
      () => 'ok',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const status = shutdown.draining ? 'draining' : database === 'ok' ? 'ok' : 'degraded';
    const redis = store.accelerator?.state();
    const followed = deps.followed();
    const checks = {
      database,
      ...(redis && { redis: redis.ok ? 'ok' : 'degraded' }),
      ...(followed !== undefined && { followed }),
    };
    return { status: status === 'ok' ? 200 : 503, answer: { status, checks } };
  };
}
