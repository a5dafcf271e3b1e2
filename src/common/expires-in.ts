import { malformed, typeName } from './malformed.ts';

/** What stands for a value that never expires. */
export const NEVER = -1;

/** Ten years, far beyond any credential's life: milliseconds passed for seconds are more than that. */
const LONGEST_S = 10 * 365 * 24 * 3600;

const FORMS =
  'give whole or broken seconds above 0, or leave it out (or give -1) for a value that never expires';

/**
 * Checks a life in seconds. Missing and -1 mean never, for every kind, which gives `NEVER`. Throws
 * REQUEST_MALFORMED for everything else that is not a number of seconds above 0 and up to ten years: in
 * silence a wrong one would leave an outdated credential in use, or none at all.
 */
export function checkExpiresIn(expiresIn: unknown, name = 'expiresIn'): number {
  if (expiresIn === undefined || expiresIn === NEVER) return NEVER;
  if (typeof expiresIn !== 'number')
    throw malformed(`${name} must be a number of seconds, not ${typeName(expiresIn)}`, FORMS);
  if (!Number.isFinite(expiresIn))
    throw malformed(`${name} must be a finite number, not ${expiresIn}`, FORMS);
  if (Math.floor(expiresIn * 1000) <= 0)
    throw malformed(`${name} is ${expiresIn}, so the value would have ended before it is stored`, FORMS);
  if (expiresIn > LONGEST_S)
    throw malformed(`${name} is ${expiresIn} s, which is more than ten years`, `it is in seconds; ${FORMS}`);
  return expiresIn;
}

/** When a value that lives that long from `now` ends, in milliseconds since the Unix epoch; Infinity for never. */
export function endOf(expiresIn: number, now: number): number {
  return expiresIn === NEVER ? Number.POSITIVE_INFINITY : now + Math.floor(expiresIn * 1000);
}

/** Whole seconds left at `now` until an end, -1 for never. */
export function secondsLeft(expiresAt: number, now: number): number {
  return Number.isFinite(expiresAt) ? Math.max(0, Math.floor((expiresAt - now) / 1000)) : NEVER;
}
