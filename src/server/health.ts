import type { Store } from '../stores/store.ts';
import type { Handler } from './control.ts';

/** GET /livez: answers as long as the process does. */
export const livez: Handler<'livez'> = async () => ({ answer: { status: 'ok' } });

/** GET /readyz: 503 while the store does not answer. */
export function readyz({ store }: { readonly store: Store }): Handler<'readyz'> {
  return async () => {
    const database = await store.ping().then(
      () => 'ok',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const ok = database === 'ok';
    return { status: ok ? 200 : 503, answer: { status: ok ? 'ok' : 'degraded', checks: { database } } };
  };
}
