import type { Caller } from '../access/callers.ts';
import type { RateLimits } from '../access/rate-limits.ts';
import { BridgeError } from '../base/errors.ts';
import type { Stage } from './call.ts';

/** Keeps each caller to the rate it was given. A refused call costs nothing further on. */
export function pace(limits: RateLimits): Stage {
  return next => call => {
    requirePace(limits, call.caller);
    return next(call);
  };
}

/** Counts one call of a caller; throws BridgeError RATE_LIMITED when it comes too soon. */
export function requirePace(limits: RateLimits, caller: Caller | undefined): void {
  if (caller?.rateLimit === undefined) return;
  const waitMs = limits.take(caller.name, caller.rateLimit);
  if (waitMs === 0) return;
  const { perSecond, burst } = caller.rateLimit;
  throw new BridgeError(
    'RATE_LIMITED',
    `caller ${caller.name} calls more than ${perSecond} times a second (${burst} at once)`,
    {
      hint: `try again in ${waitMs} ms, or raise callers[${caller.name}].rateLimit in the configuration; it takes effect without restart`,
      retryAfterMs: waitMs,
    },
  );
}
