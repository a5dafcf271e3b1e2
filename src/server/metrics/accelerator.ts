import type { Accelerator } from '../../stores/store.ts';
import type { Family } from './family.ts';

/** How Redis fares; no families without it. */
export function acceleratorFamilies(accelerator: Accelerator | undefined): readonly Family[] {
  if (accelerator === undefined) return [];
  const { state, counts } = accelerator;
  return [
    {
      name: 'open_bridge_redis_up',
      help: 'Whether Redis is used (1), or left alone after failures (0); the database is read then.',
      type: 'gauge',
      labels: [],
      samples: () => [{ value: state().ok ? 1 : 0 }],
    },
    {
      name: 'open_bridge_redis_reads_total',
      help: 'Readings of credentials, by what Redis had; skipped: it was not asked or did not answer.',
      type: 'counter',
      labels: ['result'],
      samples() {
        const { hits, misses, skipped } = counts();
        return [
          { labels: { result: 'hit' }, value: hits },
          { labels: { result: 'miss' }, value: misses },
          { labels: { result: 'skipped' }, value: skipped },
        ];
      },
    },
    {
      name: 'open_bridge_redis_failures_total',
      help: 'Commands to Redis that failed, and copies there that were none, by what was wrong.',
      type: 'counter',
      labels: ['reason'],
      samples() {
        const { timeouts, errors, rejected } = counts();
        return [
          { labels: { reason: 'timeout' }, value: timeouts },
          { labels: { reason: 'error' }, value: errors },
          { labels: { reason: 'rejected_copy' }, value: rejected },
        ];
      },
    },
    {
      name: 'open_bridge_redis_outages_total',
      help: 'How often Redis was left alone after failures.',
      type: 'counter',
      labels: [],
      samples: () => [{ value: counts().outages }],
    },
    {
      name: 'open_bridge_redis_removals_pending',
      help: 'Copies that were written in the database and are yet to be removed from Redis.',
      type: 'gauge',
      labels: [],
      samples: () => [{ value: counts().pending }],
    },
  ];
}
