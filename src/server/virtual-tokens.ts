import { randomBytes } from 'node:crypto';
import { createVirtualTokens, type VirtualTokens } from '../access/virtual-tokens.ts';
import { Secret } from '../base/secret.ts';
import type { Sealer } from '../stores/sealing.ts';
import type { Store } from '../stores/store.ts';

const KEY_SETTING = 'virtual-token-key';
const KEY_BYTES = 32;
const NONCE_BYTES = 4;
const revokedSetting = (caller: string): string => `virtual-tokens-revoked:${caller}`;

/** How late a revocation by another process is noticed. */
const RECHECK_MS = 1000;

/** The key of virtual tokens, made at the first start of a database and sealed in it, so that all its gateways share it. */
export async function openVirtualTokens(
  store: Store,
  sealer: Sealer,
  now: () => number,
): Promise<VirtualTokens> {
  const candidate = sealer.seal(randomBytes(KEY_BYTES).toString('base64'), KEY_SETTING);
  const key = new Secret(sealer.open(await store.settings.putIfAbsent(KEY_SETTING, candidate), KEY_SETTING));
  return createVirtualTokens({ key, now, nonce: () => randomBytes(NONCE_BYTES).toString('base64url') });
}

/** Takes back all virtual tokens a caller was given so far. */
export interface Revocations {
  isRevoked(caller: string, issuedAt: number): Promise<boolean>;
  revoke(caller: string): Promise<void>;
}

/** Revocations kept in the store and looked up at most once a second for each caller. */
export function createRevocations(store: Store, now: () => number): Revocations {
  const known = new Map<string, { readonly before: number; readonly checkedAt: number }>();
  return {
    async isRevoked(caller, issuedAt) {
      let entry = known.get(caller);
      const age = now() - (entry?.checkedAt ?? Number.NEGATIVE_INFINITY);
      if (entry === undefined || age < 0 || age >= RECHECK_MS) {
        entry = {
          before: Number((await store.settings.get(revokedSetting(caller))) ?? -1),
          checkedAt: now(),
        };
        known.set(caller, entry);
      }
      return issuedAt <= entry.before;
    },
    async revoke(caller) {
      await store.settings.put(revokedSetting(caller), String(now()));
      known.delete(caller);
    },
  };
}
