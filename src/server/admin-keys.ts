import { randomBytes } from 'node:crypto';
import { hashCallerKey } from '../access/callers.ts';
import { equalInConstantTime } from '../base/secret.ts';
import type { Store } from '../stores/store.ts';

const SETTING = 'admin-key-sha256';
const KEY_BYTES = 24;

/** Who may administer. */
export interface AdminKeys {
  accepts(key: string): boolean;
  replace(keyHashes: readonly string[]): void;
}

/** What is made when no admin key is configured: shown once, kept only as a hash. */
export interface MadeAdminKey {
  readonly admin: AdminKeys;
  /** The key in clear, only in the process that made it. */
  readonly fresh: string | undefined;
}

/**
 * The admin keys: the configured ones or, with none configured, one made at the first start of this
 * database. Keys are compared by hash, in constant time.
 */
export async function openAdminKeys(store: Store, configured: readonly string[]): Promise<MadeAdminKey> {
  let hashes = configured;
  let fresh: string | undefined;
  let made: string | undefined;
  if (configured.length === 0) {
    const candidate = `ob_admin_${randomBytes(KEY_BYTES).toString('base64url')}`;
    made = await store.settings.putIfAbsent(SETTING, hashCallerKey(candidate));
    if (made === hashCallerKey(candidate)) fresh = candidate;
    hashes = [made];
  }
  return {
    fresh,
    admin: {
      accepts(key) {
        const presented = hashCallerKey(key);
        return hashes.some(each => equalInConstantTime(each, presented));
      },
      replace(keyHashes) {
        if (keyHashes.length > 0) hashes = keyHashes;
        else if (made !== undefined) hashes = [made];
      },
    },
  };
}
