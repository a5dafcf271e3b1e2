import { fingerprintOf } from '../random.ts';
import { liveSession } from './session-keys.ts';
import type { User } from './user.ts';
import type { AccountUsers } from './users.ts';

/** A user as it may be shown: keys and tokens as the first 16 hex digits of their SHA-256. */
export interface UserView {
  appid: string;
  openid: string;
  unionid: string | null;
  /** What codes and control call the user; null when it is known by its openid alone. */
  name: string | null;
  phoneNumber: string;
  blocked: boolean;
  /** The session_key that works now. */
  session: { serial: number; fingerprint: string; madeAt: number; expiresAt: number } | null;
  /** The three latest, newest first. */
  encryptKeys: { version: number; fingerprint: string; createdAt: number; expiresAt: number }[];
  /** The latest consents with their present tokens, newest first, dead ones too. */
  grants: {
    scope: string;
    snapshot: boolean;
    grantedAt: number;
    accessFingerprint: string;
    accessExpiresAt: number;
    refreshFingerprint: string;
    refreshExpiresAt: number;
  }[];
}

export function viewOfUser(users: AccountUsers, user: User, now: number): UserView {
  const session = liveSession(user, now);
  return {
    appid: user.appid,
    openid: user.openid,
    unionid: users.unionidOf(user) ?? null,
    name: user.name ?? null,
    phoneNumber: users.phoneNumberOf(user),
    blocked: user.blocked,
    session:
      session === undefined
        ? null
        : {
            serial: session.serial,
            fingerprint: fingerprintOf(session.value),
            madeAt: session.madeAt,
            expiresAt: session.expiresAt,
          },
    encryptKeys: user.encryptKeys.map(({ version, value, createdAt, expiresAt }) => ({
      version,
      fingerprint: fingerprintOf(value),
      createdAt,
      expiresAt,
    })),
    grants: user.grants.map(grant => ({
      scope: grant.scope,
      snapshot: grant.snapshot,
      grantedAt: grant.grantedAt,
      accessFingerprint: fingerprintOf(grant.token.value),
      accessExpiresAt: grant.token.expiresAt,
      refreshFingerprint: fingerprintOf(grant.refreshToken),
      refreshExpiresAt: grant.refreshExpiresAt,
    })),
  };
}
