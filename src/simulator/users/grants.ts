/**
 * A user's consent to an app and the tokens that come of it, for WeChat (page "web authorization") and
 * QQ Connect. Pure logic over a time that is passed in, milliseconds since the Unix epoch.
 */
import type { Grant, User, UserToken } from './user.ts';

/** How many of a user's consents are shown. */
const SHOWN_GRANTS = 8;

export interface GrantRules {
  accessLifeMs: number;
  refreshLifeMs: number;
}

/** Makes the texts of a user's tokens; `serial` grows with each. */
export interface GrantValues {
  access(serial: number): string;
  refresh(serial: number): string;
}

function nextSerial(user: User): number {
  user.tokenSerial += 1;
  return user.tokenSerial;
}

function mint(user: User, now: number, rules: GrantRules, values: GrantValues): UserToken {
  return {
    value: values.access(nextSerial(user)),
    expiresAt: now + rules.accessLifeMs,
    revokedAt: Number.POSITIVE_INFINITY,
  };
}

/** Opens a consent with its first pair of tokens. Earlier ones of the user work on. */
export function openGrant(
  user: User,
  { scope, snapshot }: { scope: string; snapshot: boolean },
  now: number,
  rules: GrantRules,
  values: GrantValues,
): Grant {
  const grant: Grant = {
    user,
    scope,
    snapshot,
    grantedAt: now,
    refreshExpiresAt: now + rules.refreshLifeMs,
    refreshToken: values.refresh(nextSerial(user)),
    token: mint(user, now, rules, values),
    passwordChanges: user.passwordChanges,
    withdrawals: user.withdrawals,
  };
  user.grants = [grant, ...user.grants].slice(0, SHOWN_GRANTS);
  return grant;
}

/** What the platform says of a user's access_token: 0 good, else an errcode of WeChat. */
export function verdictOnUserToken(grant: Grant, token: UserToken, now: number): 0 | 40001 | 42001 | 42007 {
  if (grant.passwordChanges !== grant.user.passwordChanges) return 42007;
  if (grant.withdrawals !== grant.user.withdrawals || now >= token.revokedAt) return 40001;
  return now < token.expiresAt ? 0 : 42001;
}

/** What the platform says of a refresh_token: 0 good, else an errcode of WeChat. */
export function verdictOnRefresh(grant: Grant, value: string, now: number): 0 | 40030 | 42002 | 42007 {
  if (grant.passwordChanges !== grant.user.passwordChanges) return 42007;
  if (grant.withdrawals !== grant.user.withdrawals || grant.refreshToken !== value) return 40030;
  return now < grant.refreshExpiresAt ? 0 : 42002;
}

/** WeChat's refresh: a living access_token is kept and its clock set back, a dead one is replaced. */
export function refreshGrant(grant: Grant, now: number, rules: GrantRules, values: GrantValues): UserToken {
  if (verdictOnUserToken(grant, grant.token, now) === 0) grant.token.expiresAt = now + rules.accessLifeMs;
  else grant.token = mint(grant.user, now, rules, values);
  return grant.token;
}

/** QQ's refresh: both tokens are new; the refresh_token that was used is dead, the access_token lives on. */
export function rotateGrant(grant: Grant, now: number, rules: GrantRules, values: GrantValues): UserToken {
  grant.refreshToken = values.refresh(nextSerial(grant.user));
  grant.token = mint(grant.user, now, rules, values);
  return grant.token;
}

/** Seconds of life left, whole, and at least 1 while the token works. */
export function userTokenExpiresIn(token: UserToken, now: number): number {
  return Math.max(1, Math.floor((token.expiresAt - now) / 1000));
}
