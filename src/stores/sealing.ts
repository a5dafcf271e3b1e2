import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { CredentialRow, Store } from './store.ts';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_LENGTH = 8;
const PREFIX = 'sealed:v1:';

/** Seals and opens single values. Sealed text is `sealed:v1:<key id>:<base64url of iv, ciphertext, tag>`. */
export interface Sealer {
  /** `context` is bound into the seal: text moved to another row or column does not open. */
  seal(text: string, context: string): string;
  /** Opens sealed text; text that was never sealed (rows uniCloud wrote) passes as it is. */
  open(text: string, context: string): string;
}

/** A fresh sealing key: 32 random bytes in base64. */
export function newSealKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

/** Id of the key that text is sealed with; undefined for text that is not sealed. */
export function sealedWith(text: string): string | undefined {
  return text.startsWith(PREFIX) ? text.slice(PREFIX.length).split(':', 1)[0] : undefined;
}

/** What is wrong with a sealing key, or undefined when it is well-formed. Never quotes the key. */
export function sealKeyFault(key: string): string | undefined {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64').replace(/=+$/, '') === key.replace(/=+$/, ''))
    return undefined;
  return `a sealing key is ${KEY_BYTES} random bytes in base64 (44 characters); this one has ${key.length} characters. Make one with: open-bridge keys new`;
}

/**
 * AES-256-GCM with named keys (NIST SP 800-38D, 96-bit random IVs). The first key seals, all of them
 * open, which is what lets a key be replaced while old rows still carry the former one.
 */
export function createSealer(keys: readonly Secret[]): Sealer {
  const ring = new Map<string, Buffer>();
  for (const key of keys) {
    const fault = sealKeyFault(key.reveal());
    if (fault !== undefined) throw new BridgeError('SEAL_BROKEN', fault);
    const bytes = Buffer.from(key.reveal(), 'base64');
    ring.set(
      createHash('sha256').update('open-bridge seal key').update(bytes).digest('hex').slice(0, KEY_ID_LENGTH),
      bytes,
    );
  }
  const [first] = ring;
  if (first === undefined) throw new TypeError('createSealer needs at least one key');
  const [sealingId, sealingKey] = first;

  return {
    seal(text, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${PREFIX}${sealingId}:${body.toString('base64url')}`;
    },
    open(text, context) {
      if (!text.startsWith(PREFIX)) return text;
      const [keyId = '', body = ''] = text.slice(PREFIX.length).split(':');
      const key = ring.get(keyId);
      if (key === undefined) {
        throw new BridgeError(
          'SEAL_BROKEN',
          `the stored value ${context} is sealed with key ${keyId}, which is not configured`,
          {
            hint: `configured keys: ${[...ring.keys()].join(', ')}. Add the missing key to storage.sealKey (a list: the first seals, all open)`,
          },
        );
      }
      const bytes = Buffer.from(body, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
        return (
          decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
        );
      } catch (cause) {
        throw new BridgeError(
          'SEAL_BROKEN',
          `the stored value ${context} does not open with its key ${keyId}: it was damaged or moved`,
          {
            cause,
            hint: 'restore the row from a backup, or remove it: it is issued anew when next asked for',
          },
        );
      }
    },
  };
}

/** Wraps a store so that credential values are sealed at rest and everything above sees them open. */
export function sealStore(store: Store, sealer: Sealer): Store {
  const { credentials } = store;
  return {
    ...store,
    credentials: {
      ...credentials,
      async get(id) {
        const row = await credentials.get(id);
        return row && mapValues(row, sealer.open);
      },
      async findByFingerprint(fingerprint) {
        const row = await credentials.findByFingerprint(fingerprint);
        return row && mapValues(row, sealer.open);
      },
      commit: (row, expectedEpoch) => credentials.commit(mapValues(row, sealer.seal), expectedEpoch),
    },
  };
}

function mapValues(row: CredentialRow, map: (text: string, context: string) => string): CredentialRow {
  return {
    ...row,
    value: map(row.value, row.id),
    previous: row.previous && { ...row.previous, value: map(row.previous.value, `${row.id}#previous`) },
  };
}
