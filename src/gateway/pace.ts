import type { RateLimits } from '../access/rate-limits.ts';
import { BridgeError } from '../base/errors.ts';
import type { Stage } from './call.ts';

/** Keeps each caller to the rate it was given. A refused call costs nothing further on. */
export function pace(limits: RateLimits): Stage {
  return next => call => {
    const { caller } = call;
    if (caller?.rateLimit === undefined) return next(call);
    const waitMs = limits.take(caller.name, caller.rateLimit);
    if (waitMs === 0) return next(call);
    const { perSecond, burst } = caller.rateLimit;
    throw new BridgeError(
      'RATE_LIMITED',
      `caller ${caller.name} calls more than ${perSecond} times a second (${burst} at once)`,
      {
        hint: `try again in ${waitMs} ms, or raise callers[${caller.name}].rateLimit in the configuration; it takes effect without restart`,
        retryAfterMs: waitMs,
      },
    );
  };
}
