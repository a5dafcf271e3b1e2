import { createS2sSigner, type S2sCredentials } from '../access/s2s.ts';
import { S2S_HASHES, type S2sData, type S2sHash } from '../access/s2s-payload.ts';
import { Secret } from '../base/secret.ts';

/** How the called side verifies: what stands in its `uni-cloud-s2s/config.json`, or under `s2s` of a bridge. */
export interface S2sConfig {
  readonly type: 'connectCode' | 'sign';
  readonly connectCode?: string | undefined;
  readonly signKey?: string | undefined;
  /** Default `hmac-sha256`. */
  readonly hashMethod?: S2sHash | undefined;
  /** `sha256-is-md5`: sign as uni-cloud-s2s 1.0.1 does, which computes MD5 where it says sha256. */
  readonly quirks?: readonly 'sha256-is-md5'[] | undefined;
}

/** What is to be proved. */
export interface SecureHeaderOptions {
  /** What is sent: the query of a GET, or the form or JSON body of a POST, before it is written out. */
  readonly data?: S2sData | undefined;
  readonly s2s: S2sConfig;
}

/** Headers that prove a request by uni-cloud-s2s, to be sent beside `content-type: application/json` or a form's. */
export type GetSecureHeaders = (options: SecureHeaderOptions) => Readonly<Record<string, string>>;

/** Signers kept, one for each key; beyond that they begin anew. */
const MOST_SIGNERS = 100;

/**
 * Makes the function that signs. Timestamps of one key never repeat, so that two equal requests in one
 * millisecond are not taken for a replay. The function throws TypeError when an option cannot be used.
 */
export function createSecureHeaders(now: () => number): GetSecureHeaders {
  const signers = new Map<string, ReturnType<typeof createS2sSigner>>();
  return ({ data = {}, s2s }) => {
    if (typeof data !== 'object' || data === null || Array.isArray(data))
      throw new TypeError('data must be the object that is sent');
    const { name, credentials } = credentialsOf(s2s);
    const signer = signers.get(name) ?? createS2sSigner(credentials, now);
    if (signers.size >= MOST_SIGNERS) signers.clear();
    signers.set(name, signer);
    return signer(data);
  };
}

function credentialsOf(s2s: S2sConfig): { readonly name: string; readonly credentials: S2sCredentials } {
  const { type, connectCode, signKey, hashMethod = 'hmac-sha256', quirks = [] } = s2s ?? {};
  if (type === 'connectCode') {
    const secret = secretIn('connectCode', connectCode);
    return { name: `${type}:${secret.fingerprint}`, credentials: { type, connectCode: secret } };
  }
  if (type !== 'sign') throw new TypeError('s2s.type must be "connectCode" or "sign"');
  if (!S2S_HASHES.includes(hashMethod))
    throw new TypeError(`s2s.hashMethod must be one of ${S2S_HASHES.join(', ')}`);
  const secret = secretIn('signKey', signKey);
  return {
    name: `${type}:${hashMethod}:${quirks.join()}:${secret.fingerprint}`,
    credentials: { type, signKey: secret, hashMethod, quirks },
  };
}

function secretIn(name: string, value: unknown): Secret {
  if (typeof value === 'string' && value !== '') return new Secret(value);
  throw new TypeError(`s2s.${name} must be a non-empty string`);
}
