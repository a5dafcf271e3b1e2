import { createHash, hash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

/** Length of a fingerprint in hex digits: 64 bits, enough to tell tokens apart, useless to guess one. */
const FINGERPRINT_LENGTH = 16;

/**
 * The first 16 hex digits of the SHA-256 of a secret. Safe to log and to show; callers compute it the
 * same way to report a refused token without sending the token itself.
 */
export function fingerprintOf(value: string): string {
  return hash('sha256', value, 'hex').slice(0, FINGERPRINT_LENGTH);
}

/** Compares two strings in a time that does not depend on where they differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  const left = createHash('sha256').update(a).digest();
  const right = createHash('sha256').update(b).digest();
  return timingSafeEqual(left, right);
}

/**
 * A value that must not be printed: an appsecret, a token, a key. Logs, errors, template strings,
 * `JSON.stringify` and `util.inspect` all show its fingerprint; only `reveal()` gives the value.
 */
export class Secret {
  readonly #value: string;
  #fingerprint: string | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where the value goes on the wire or into a cipher. */
  reveal(): string {
    return this.#value;
  }

  get fingerprint(): string {
    this.#fingerprint ??= fingerprintOf(this.#value);
    return this.#fingerprint;
  }

  /** Whether `candidate` is this very secret, compared in constant time. */
  matches(candidate: string): boolean {
    return equalInConstantTime(this.#value, candidate);
  }

  toString(): string {
    return `[secret ${this.fingerprint}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
