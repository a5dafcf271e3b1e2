import type { IssuePlan } from '../platforms/platform.ts';

/** A value this close to its end is not handed out: it could expire on its way to the platform. */
const HANDOUT_MARGIN_MS = 2000;
/** Renewals of many apps issued together are spread over this share of the renewal window. */
const JITTER_SHARE = 0.2;
/** How far into the platform's renewal window the first attempt waits, so that clocks a little apart do not ask too early. */
const SETTLE_MS = 2000;
/** Least pause before asking again when the platform gave the same value once more. */
const SAME_VALUE_RETRY_MS = 5000;

/** When a value begins and ends, in milliseconds since the Unix epoch. */
export interface Life {
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What is to be done with a value: nothing, renew while serving it, or get another before answering. */
export type Freshness = 'fresh' | 'due' | 'expired';

/**
 * Judges a value at `now`. A pure function: its table is its test. A value that can be replaced counts as
 * expired a little before its end; one that cannot (`last`) serves to its end.
 */
export function freshness(life: Life, renewAt: number, now: number, last = false): Freshness {
  const margin = last ? 0 : Math.min(HANDOUT_MARGIN_MS, (life.expiresAt - life.issuedAt) * 0.1);
  if (now >= life.expiresAt - margin) return 'expired';
  return now >= renewAt ? 'due' : 'fresh';
}

/**
 * When to renew a value. A plan whose platform repeats the same value until its renewal window opens
 * (stable tokens) is asked just after the opening; any other before its window ends, spread by `random`
 * in [0, 1). Lives shorter than twice the window use half the life instead.
 */
export function renewalTime(
  life: Life,
  plan: Pick<IssuePlan, 'renewAheadMs' | 'sameUntilRenewal'>,
  random: number,
): number {
  if (!Number.isFinite(life.expiresAt)) return Number.POSITIVE_INFINITY;
  const window = Math.min(plan.renewAheadMs, (life.expiresAt - life.issuedAt) / 2);
  const spread = window * JITTER_SHARE * random;
  const opening = life.expiresAt - window;
  return plan.sameUntilRenewal ? opening + Math.min(SETTLE_MS, window * 0.05) + spread : opening - spread;
}

/** When to ask again after the platform answered a renewal with the value we already have. */
export function retryAfterSameValue(life: Life, planned: number, now: number): number {
  return Math.max(planned, now + Math.min(SAME_VALUE_RETRY_MS, (life.expiresAt - now) * 0.1));
}
