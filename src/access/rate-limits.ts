/** How fast a caller may call. */
export interface RateLimit {
  /** Calls that may be made each second in the long run. */
  readonly perSecond: number;
  /** Calls that may be made at once after a pause. */
  readonly burst: number;
}

/** The limits of callers, each counted in this process alone. */
export interface RateLimits {
  /** Counts one call of `caller`. 0 when it may be made, otherwise how long to wait, in milliseconds. */
  take(caller: string, limit: RateLimit): number;
}

/** What sums of fractions may lack of a whole token. */
const ROUNDING = 1e-6;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/**
 * A token bucket for each caller: it holds `burst` tokens, `perSecond` of them come back each second, a
 * call takes one. A bucket outlives a reload, so that changing the configuration gives nobody a new burst.
 */
export function createRateLimits(now: () => number): RateLimits {
  const buckets = new Map<string, Bucket>();
  return {
    take(caller, { perSecond, burst }) {
      const at = now();
      let bucket = buckets.get(caller);
      if (bucket === undefined) {
        bucket = { tokens: burst, filledAt: at };
        buckets.set(caller, bucket);
      }
      // A clock that was set back brings nothing and takes nothing away.
      const elapsedMs = Math.max(0, at - bucket.filledAt);
      bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs / 1000) * perSecond);
      bucket.filledAt = at;
      if (bucket.tokens >= 1 - ROUNDING) {
        bucket.tokens -= 1;
        return 0;
      }
      return Math.max(1, Math.ceil(((1 - ROUNDING / 2 - bucket.tokens) / perSecond) * 1000));
    },
  };
}
