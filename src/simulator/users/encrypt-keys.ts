/**
 * The ring of a user's encrypt keys (page getUserEncryptKey), as pure logic over a time that is passed
 * in. Times are milliseconds since the Unix epoch.
 */
import type { EncryptKey, User } from './user.ts';

/** How many keys are listed. */
const RING_SIZE = 3;

/** Makes the texts of the key with this version. */
export type EncryptKeyValue = (version: number) => { value: string; iv: string };

/** Puts a new key at the head of the ring; the fourth is forgotten. */
export function renewEncryptKey(user: User, now: number, lifeMs: number, value: EncryptKeyValue): EncryptKey {
  const version = (user.encryptKeys[0]?.version ?? 0) + 1;
  const key = { version, ...value(version), createdAt: now, expiresAt: now + lifeMs };
  user.encryptKeys = [key, ...user.encryptKeys].slice(0, RING_SIZE);
  return key;
}

/** The newest key; a new one is made when there is none or its life is over. */
export function latestEncryptKey(
  user: User,
  now: number,
  lifeMs: number,
  value: EncryptKeyValue,
): EncryptKey {
  const [newest] = user.encryptKeys;
  return newest !== undefined && now < newest.expiresAt ? newest : renewEncryptKey(user, now, lifeMs, value);
}

/** Whole seconds that a key is good for: 0 for all but the newest. */
export function encryptKeyExpiresIn(user: User, key: EncryptKey, now: number): number {
  if (key !== user.encryptKeys[0]) return 0;
  return Math.max(0, Math.floor((key.expiresAt - now) / 1000));
}
