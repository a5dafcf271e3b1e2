/**
 * The session_key of a user in an app, as pure logic over a time that is passed in. One is valid at a
 * time (page checkSessionKey); its life is not published. Times are milliseconds since the Unix epoch.
 */
import type { SessionKey, User } from './user.ts';

export interface SessionRules {
  /** A login this soon after the key was made keeps it. */
  keepMs: number;
  lifeMs: number;
}

/** Makes the text of the key with this serial. */
export type SessionKeyValue = (serial: number) => string;

/** The key that is valid now, if there is one. */
export function liveSession(user: User, now: number): SessionKey | undefined {
  return user.session !== undefined && now < user.session.expiresAt ? user.session : undefined;
}

function replace(user: User, now: number, expiresAt: number, value: SessionKeyValue): SessionKey {
  user.sessionSerial += 1;
  user.session = { value: value(user.sessionSerial), serial: user.sessionSerial, madeAt: now, expiresAt };
  return user.session;
}

/** A login: keeps a young key and lengthens its life, else puts a new one in the old one's place. */
export function logIn(user: User, now: number, rules: SessionRules, value: SessionKeyValue): SessionKey {
  const current = liveSession(user, now);
  if (current !== undefined && now - current.madeAt < rules.keepMs) {
    current.expiresAt = now + rules.lifeMs;
    return current;
  }
  return replace(user, now, now + rules.lifeMs, value);
}

/** Puts a new key in the place of `current`; the new one inherits its end, page resetUserSessionKey. */
export function resetSession(
  user: User,
  current: SessionKey,
  now: number,
  value: SessionKeyValue,
): SessionKey {
  return replace(user, now, current.expiresAt, value);
}
