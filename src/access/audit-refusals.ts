import type { AuditEvent } from './audit.ts';

const WINDOW_MS = 60_000;
/** Refusals of one address a minute that are kept one by one, and of all addresses together. */
const PER_ADDRESS = 20;
const OF_ALL = 120;

/**
 * Keeps somebody who tries the door all day from filling the audit log: beyond a number of different
 * refusals a minute the rest are counted, for each address first and then for all together.
 */
export function createRefusalBound(): (event: AuditEvent, now: number) => AuditEvent {
  const kept = new Map<string, number>();
  let keptOfAll = 0;
  let endsAt = Number.NEGATIVE_INFINITY;
  return (event, now) => {
    if (now >= endsAt || now < endsAt - WINDOW_MS) {
      kept.clear();
      keptOfAll = 0;
      endsAt = now + WINDOW_MS;
    }
    const { remoteAddress = '' } = event;
    const ofAddress = (kept.get(remoteAddress) ?? 0) + 1;
    if (keptOfAll >= OF_ALL) return { action: 'refused', outcome: 'more', detail: 'of many addresses' };
    keptOfAll += 1;
    kept.set(remoteAddress, ofAddress);
    return ofAddress <= PER_ADDRESS ? event : { action: 'refused', outcome: 'more', remoteAddress };
  };
}
