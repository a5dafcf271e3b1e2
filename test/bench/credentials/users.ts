/** The users whose session keys are stored, the same for every subject. */
import { createHash } from 'node:crypto';

export const APPID = 'wx0000000000000001';
export const DCLOUD_APPID = '__UNI__BENCH01';
export const PLATFORM = 'weixin-mp';

const INDEX_DIGITS = 6;
const OPENID_TAIL = 21;

/** How many users one measurement asks for in turn: more than a bridge remembers, so that each is read from the store. */
const ASKED_FOR = 50_000;

/** How many users the measurements of the memory ask for in turn. */
const HOT = 100;

/**
 * The openid of a user: 28 characters, as the platform's. They ascend with the index, because a table is
 * filled in the order of its key in a fraction of the time, and otherwise look like nothing in particular.
 */
export function openidOf(index: number): string {
  return `o${index.toString(36).padStart(INDEX_DIGITS, '0')}${digestOf(`openid ${index}`).slice(0, OPENID_TAIL)}`;
}

/** A session key: 16 bytes in base64. `seed` tells one from another. */
export function sessionKeyOf(seed: string): string {
  return createHash('sha256').update(seed).digest().subarray(0, 16).toString('base64');
}

/** The value object stored for a user at first. */
export function storedValueOf(index: number): { readonly session_key: string } {
  return { session_key: sessionKeyOf(`session key ${index}`) };
}

/** The key that uni-open-bridge stores a user's session key under. */
export function storedKeyOf(openid: string): string {
  return `uni-id:${DCLOUD_APPID}:${PLATFORM}:${openid}:session-key`;
}

/** Any of the users, in no order. `lane` of `lanes` has a share of its own, and one user at least. */
export function anyUsers(rows: number, lane: number, lanes: number): readonly string[] {
  const share = Math.max(1, Math.floor(rows / lanes));
  return Array.from({ length: Math.min(share, Math.ceil(ASKED_FOR / lanes)) }, () =>
    openidOf(lane + lanes * Math.floor(Math.random() * share)),
  );
}

/** A few users spread over all of them. */
export function hotUsers(rows: number): readonly string[] {
  const count = Math.min(rows, HOT);
  return Array.from({ length: count }, (_, each) => openidOf(Math.floor((rows / count) * each)));
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
