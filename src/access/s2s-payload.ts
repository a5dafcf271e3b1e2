import { createHash, createHmac } from 'node:crypto';
import type { Secret } from '../base/secret.ts';

/** How a uni-cloud-s2s signature is made, by the names of its configuration. */
export const S2S_HASHES = ['md5', 'sha1', 'sha256', 'hmac-sha256'] as const;

/** One of the names above. */
export type S2sHash = (typeof S2S_HASHES)[number];

/** Parameters of a call, as its query, its form or its JSON body gives them. */
export type S2sData = Readonly<Record<string, unknown>>;

/**
 * The text of the parameters that uni-cloud-s2s signs: top-level strings, numbers, true and false, by
 * name in the order of UTF-16 code units, as `a=1&b=2` without any encoding. Objects, arrays and null are
 * not in it, so a signature says nothing of them; neither does it of method, path and host.
 */
export function s2sPayload(data: S2sData): string {
  return Object.keys(data)
    .filter(name => isSigned(data[name]))
    .sort()
    .map(name => `${name}=${data[name]}`)
    .join('&');
}

function isSigned(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/**
 * The digest in lower-case hex: HMAC-SHA256 keyed with the sign key over `timestamp\npayload`, or a plain
 * hash over `timestamp\npayload\nkey`.
 */
export function s2sDigest(hash: S2sHash, signKey: Secret, timestamp: string, payload: string): string {
  const text = `${timestamp}\n${payload}`;
  if (hash === 'hmac-sha256') return createHmac('sha256', signKey.reveal()).update(text).digest('hex');
  return createHash(hash).update(`${text}\n${signKey.reveal()}`).digest('hex');
}
