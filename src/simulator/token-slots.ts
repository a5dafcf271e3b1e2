/**
 * The two token slots of an account, as pure logic over a time that is passed in.
 *
 * An account has a classic slot (GET /cgi-bin/token, page getAccessToken) and a stable slot
 * (POST /cgi-bin/stable_token, page getStableAccessToken). They are fully isolated: a call to one
 * never changes the other. Times are milliseconds since the Unix epoch.
 */

/** The stable slot renews in the last 300 s of a token, so that a returned expires_in is never below 300. */
export const STABLE_WINDOW_MS = 300_000;

export type SlotKind = 'classic' | 'stable';

export interface IssuedToken {
  readonly appid: string;
  readonly slot: SlotKind;
  /** 1 for the first token of the slot, then counting up. */
  readonly serial: number;
  readonly value: string;
  readonly issuedAt: number;
  /** When its life ends; from then on 42001. */
  readonly expiresAt: number;
  /** When it was or will be retired before its end; from then on 40001. Infinity while it is current. */
  retiredAt: number;
}

/** How long tokens live and overlap. */
export interface SlotRules {
  lifeMs: number;
  /** How long the previous token works beside its successor. */
  overlapMs: number;
  /** Forced refreshes closer together than this do not refresh. */
  forceSpacingMs: number;
}

export interface TokenSlot {
  readonly appid: string;
  readonly kind: SlotKind;
  serial: number;
  current: IssuedToken | undefined;
  previous: IssuedToken | undefined;
  lastForcedAt: number;
}

/** A fresh, empty slot. */
export function createTokenSlot(appid: string, kind: SlotKind): TokenSlot {
  return {
    appid,
    kind,
    serial: 0,
    current: undefined,
    previous: undefined,
    lastForcedAt: Number.NEGATIVE_INFINITY,
  };
}

/** What the platform says of a token it once issued: 0 good, 40001 retired, 42001 expired. */
export function verdictOn(token: IssuedToken, now: number): 0 | 40001 | 42001 {
  if (now < token.retiredAt && now < token.expiresAt) return 0;
  return token.retiredAt <= token.expiresAt ? 40001 : 42001;
}

/** Seconds of life left as `expires_in` reports them: whole, and at least 1 while the token works. */
export function expiresInOf(token: IssuedToken, now: number): number {
  return Math.max(1, Math.floor((token.expiresAt - now) / 1000));
}

/** The length of the stable slot's renewal window: 300 s, or half the life when that is shorter. */
export function stableWindowOf(rules: SlotRules): number {
  return Math.min(STABLE_WINDOW_MS, rules.lifeMs / 2);
}

/** Makes the text of the token with this serial. */
export type TokenValue = (serial: number) => string;

function retire(token: IssuedToken | undefined, at: number): void {
  if (token !== undefined && at < token.retiredAt) token.retiredAt = at;
}

function mint(
  slot: TokenSlot,
  now: number,
  rules: SlotRules,
  overlapMs: number,
  value: TokenValue,
): IssuedToken {
  retire(slot.previous, now);
  retire(slot.current, now + overlapMs);
  slot.serial += 1;
  const token: IssuedToken = {
    appid: slot.appid,
    slot: slot.kind,
    serial: slot.serial,
    value: value(slot.serial),
    issuedAt: now,
    expiresAt: now + rules.lifeMs,
    retiredAt: Number.POSITIVE_INFINITY,
  };
  slot.previous = slot.current;
  slot.current = token;
  return token;
}

/**
 * A classic call: always a new token. The previous one works on for the overlap (never past its own
 * life); the one before that is dead at once.
 */
export function issueClassic(slot: TokenSlot, now: number, rules: SlotRules, value: TokenValue): IssuedToken {
  return mint(slot, now, rules, rules.overlapMs, value);
}

/**
 * A stable call in normal mode: the current token while more than the window is left of it, else a
 * new one, the old one working on for the overlap (never past its own life).
 */
export function issueStable(slot: TokenSlot, now: number, rules: SlotRules, value: TokenValue): IssuedToken {
  const { current } = slot;
  if (current !== undefined && verdictOn(current, now) === 0) {
    if (current.expiresAt - now > stableWindowOf(rules)) return current;
  }
  return mint(slot, now, rules, rules.overlapMs, value);
}

/** Whether a forced refresh now comes too soon after the last one and must act like normal mode. */
export function isForceTooSoon(slot: TokenSlot, now: number, rules: SlotRules): boolean {
  return now - slot.lastForcedAt < rules.forceSpacingMs;
}

/** A stable call with force_refresh that does refresh: every earlier token is dead at once. */
export function forceStable(slot: TokenSlot, now: number, rules: SlotRules, value: TokenValue): IssuedToken {
  slot.lastForcedAt = now;
  return mint(slot, now, rules, 0, value);
}

/** Revokes what still works in the slot, as the platform does after a leak. Answers how many tokens died. */
export function revokeSlot(slot: TokenSlot, now: number): number {
  let revoked = 0;
  for (const token of [slot.current, slot.previous]) {
    if (token !== undefined && verdictOn(token, now) === 0) {
      retire(token, now);
      revoked += 1;
    }
  }
  return revoked;
}

/** The tokens of the slot that work now, newest first: at most two. */
export function validTokens(slot: TokenSlot, now: number): IssuedToken[] {
  return [slot.current, slot.previous].filter(
    token => token !== undefined && verdictOn(token, now) === 0,
  ) as IssuedToken[];
}
