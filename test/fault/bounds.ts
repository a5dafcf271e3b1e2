import type { Clock } from '../../src/base/clock.ts';
import type { Journal } from './journal.ts';

/**
 * How late a change is noticed by design: a value in memory is looked at again after a second.
 * A machine that does much else adds to it; what is really forgotten stays so for longer than this.
 */
export const STALENESS_MS = 1000 + 3000;

/** How long a copy in Redis may be read when word of a change was lost, by design. */
const COPY_LIFE_MS = 30_000;

/**
 * How late a change may be noticed now. Copies in Redis may be behind after Redis was broken, or after a
 * node died between its write and the removal of the copy.
 */
export function createStaleness(
  journal: Pick<Journal, 'troubled'>,
  clock: Clock,
  redis: boolean,
): () => number {
  return () => {
    if (!redis) return STALENESS_MS;
    const now = clock.now();
    const from = now - COPY_LIFE_MS - STALENESS_MS;
    const isBehind = (['copies', 'node', 'store'] as const).some(kind => journal.troubled(kind, from, now));
    return isBehind ? COPY_LIFE_MS + STALENESS_MS : STALENESS_MS;
  };
}

/** Longest pause after a failure to issue, during which nobody asks the platform again. */
export const FAILURE_PAUSE_MS = 30_000 + 5000;

/** How long after the database was away it may still show: waits for leases and connections end. */
export const STORE_RECOVERY_MS = 10_000;

/** How far the clock readings of two processes of one machine lie apart at most, with what lies between them. */
export const CLOCK_SLACK_MS = 100;
