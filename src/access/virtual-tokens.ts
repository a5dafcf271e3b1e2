import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../base/secret.ts';

/**
 * Virtual tokens: what a caller gets instead of a real access_token. One names its caller and app, ends
 * by itself, and means something only to the gateways that share a database. Any of them can check one
 * without a look-up, because it carries a MAC; nobody else can make or change one.
 */

/** How every virtual token begins; the platform's own begin with digits. */
export const VIRTUAL_PREFIX = 'OBV1';

/** The MAC is HMAC-SHA-256 truncated to 128 bits (RFC 2104, section 5), 22 characters in base64url. */
const MAC_BYTES = 16;
const MAC_LENGTH = 22;

/** A token lives as long as the platform's do, so that clients treat it alike. */
export const VIRTUAL_LIFE_SECONDS = 7200;

/** What a virtual token says. */
export interface VirtualClaim {
  /** Name of the caller it was given to. */
  readonly caller: string;
  /** What the caller proved itself by (`groundsOf`); when that is withdrawn, the token ends with it. */
  readonly grounds: string;
  readonly appid: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What became of a token that was presented. */
export type Opened =
  | { readonly ok: true; readonly claim: VirtualClaim }
  | { readonly ok: false; readonly because: 'malformed' | 'expired' };

/** Makes and checks virtual tokens. */
export interface VirtualTokens {
  issue(grant: { readonly caller: string; readonly grounds: string; readonly appid: string }): string;
  /** Checks form, MAC and time; whether the caller still may is for the caller directory to say. */
  open(token: string): Opened;
}

/** Whether a text claims to be a virtual token, well-formed or not. */
export function looksVirtual(token: string): boolean {
  return token.startsWith(VIRTUAL_PREFIX);
}

/** Virtual tokens under a key of at least 32 random bytes, which all gateways of a database share. */
export function createVirtualTokens(deps: {
  readonly key: Secret;
  readonly now: () => number;
  /** Makes two tokens of one second differ. */
  readonly nonce: () => string;
}): VirtualTokens {
  const key = Buffer.from(deps.key.reveal(), 'base64');
  if (key.length < 32) throw new TypeError('virtual tokens need a key of at least 32 bytes in base64');
  const macOf = (payload: string): Buffer =>
    createHmac('sha256', key).update(VIRTUAL_PREFIX).update(payload).digest().subarray(0, MAC_BYTES);

  return {
    issue({ caller, grounds, appid }) {
      // To the millisecond: one asked for right after a revocation must not fall under it.
      const issuedAt = deps.now() / 1000;
      const fields = [caller, grounds, appid, issuedAt, VIRTUAL_LIFE_SECONDS, deps.nonce()];
      const payload = Buffer.from(JSON.stringify(fields)).toString('base64url');
      return VIRTUAL_PREFIX + payload + macOf(payload).toString('base64url');
    },
    open(token) {
      const payload = token.slice(VIRTUAL_PREFIX.length, -MAC_LENGTH);
      const mac = Buffer.from(token.slice(-MAC_LENGTH), 'base64url');
      if (
        !looksVirtual(token) ||
        payload === '' ||
        mac.length !== MAC_BYTES ||
        !timingSafeEqual(mac, macOf(payload))
      ) {
        return { ok: false, because: 'malformed' };
      }
      const [caller, grounds, appid, issuedAt, life] = JSON.parse(
        Buffer.from(payload, 'base64url').toString('utf8'),
      ) as [string, string, string, number, number];
      const issuedAtMs = Math.round(issuedAt * 1000);
      const claim = {
        caller,
        grounds,
        appid,
        issuedAt: issuedAtMs,
        expiresAt: issuedAtMs + life * 1000,
      };
      return deps.now() < claim.expiresAt ? { ok: true, claim } : { ok: false, because: 'expired' };
    },
  };
}
