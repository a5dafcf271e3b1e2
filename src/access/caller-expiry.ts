import { BridgeError } from '../base/errors.ts';

/** How long before its end a caller is warned of. */
const WARN_BEFORE_MS = 7 * 24 * 60 * 60_000;

/** The refusal of a caller whose time is over, whatever it proves itself by. */
export class CallerExpired extends BridgeError {
  /** Name of the caller. */
  readonly caller: string;

  constructor(caller: string, expiresAt: number) {
    super('CALLER_EXPIRED', `caller ${caller} expired at ${new Date(expiresAt).toISOString()}`, {
      hint: `if it may go on, set callers[${caller}].expires to a later time where that is configured, and a new key beside it`,
    });
    this.caller = caller;
  }
}

/** Whether a caller's time is over: its last moment is the one before `expiresAt`. */
export function hasExpired(expiresAt: number, now: number): boolean {
  return now >= expiresAt;
}

/** What to tell operators of callers whose time is over or nearly so, one line for each. */
export function expiryWarnings(
  callers: readonly { readonly name: string; readonly expiresAt?: number | undefined }[],
  now: number,
): readonly string[] {
  return callers.flatMap(({ name, expiresAt }) => {
    if (expiresAt === undefined || expiresAt - now > WARN_BEFORE_MS) return [];
    const at = new Date(expiresAt).toISOString();
    return [
      hasExpired(expiresAt, now)
        ? `caller ${name} expired at ${at} and is refused`
        : `caller ${name} expires at ${at} and is refused from then on`,
    ];
  });
}
