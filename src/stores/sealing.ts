import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { CredentialRow, ScannedRow, Store } from './store.ts';

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

/** A sealer whose keys can be changed while others use it. */
export interface KeyRing extends Sealer {
  /** Ids of the keys: the first seals, all open. */
  keyIds(): readonly string[];
  /** Takes other keys in place of those it has. Throws, changing nothing, when one is malformed. */
  replaceKeys(keys: readonly Secret[]): void;
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

/** The id of a well-formed key: it stands in what is sealed with it, and may be shown. */
export function sealKeyId(key: Secret): string {
  return createHash('sha256')
    .update('open-bridge seal key')
    .update(Buffer.from(key.reveal(), 'base64'))
    .digest('hex')
    .slice(0, KEY_ID_LENGTH);
}

/**
 * AES-256-GCM with named keys (NIST SP 800-38D, 96-bit random IVs). The first key seals, all of them
 * open, which is what lets a key be replaced while old rows still carry the former one.
 */
export function createSealer(keys: readonly Secret[]): KeyRing {
  let { ring, sealingId, sealingKey } = ringOf(keys);

  return {
    keyIds: () => [...ring.keys()],
    replaceKeys(next) {
      ({ ring, sealingId, sealingKey } = ringOf(next));
    },
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

function ringOf(keys: readonly Secret[]) {
  const ring = new Map<string, Buffer>();
  for (const key of keys) {
    const fault = sealKeyFault(key.reveal());
    if (fault !== undefined) throw new BridgeError('SEAL_BROKEN', fault);
    ring.set(sealKeyId(key), Buffer.from(key.reveal(), 'base64'));
  }
  const [first] = ring;
  if (first === undefined) throw new TypeError('createSealer needs at least one key');
  const [sealingId, sealingKey] = first;
  return { ring, sealingId, sealingKey };
}

/**
 * Wraps a store so that the values of credentials, and what is remembered for a while, are sealed at rest
 * and everything above sees them open.
 */
export function sealStore(store: Store, sealer: Sealer): Store {
  const { credentials, ephemeral } = store;
  const { peek } = credentials;
  const open = (row: CredentialRow | undefined): CredentialRow | undefined =>
    row && mapValues(row, sealer.open);
  return {
    ...store,
    credentials: {
      ...credentials,
      get: async id => open(await credentials.get(id)),
      ...(peek && { peek: async (id: string) => open(await peek(id)) }),
      async findByFingerprint(fingerprint) {
        const row = await credentials.findByFingerprint(fingerprint);
        return row && mapValues(row, sealer.open);
      },
      commit: (row, expectedEpoch) => credentials.commit(mapValues(row, sealer.seal), expectedEpoch),
      merge: (rows, options) =>
        credentials.merge(
          rows.map(row => mapValues(row, sealer.seal)),
          options,
        ),
      async scan(limit, afterId) {
        const rows = await credentials.scan(limit, afterId);
        return rows.map(row => openScanned(row, sealer));
      },
    },
    ephemeral: {
      ...ephemeral,
      putIfAbsent: (name, value, ttlMs) => ephemeral.putIfAbsent(name, sealer.seal(value, name), ttlMs),
      async get(name) {
        const value = await ephemeral.get(name);
        return value === undefined ? undefined : sealer.open(value, name);
      },
    },
  };
}

function openScanned(row: ScannedRow, sealer: Sealer): ScannedRow {
  try {
    return mapValues(row, sealer.open);
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { ...row, fault: error };
  }
}

/** What the seal of a row's previous value is bound to. */
export function previousContext(id: string): string {
  return `${id}#previous`;
}

function mapValues(row: CredentialRow, map: (text: string, context: string) => string): CredentialRow {
  return {
    ...row,
    value: map(row.value, row.id),
    previous: row.previous && { ...row.previous, value: map(row.previous.value, previousContext(row.id)) },
  };
}
