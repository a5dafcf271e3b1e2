import { createHash, createHmac } from 'node:crypto';

/** Length of an access_token. Observed ones have 136 to 157 characters; the platform asks clients to reserve 512. */
const TOKEN_LENGTH = 136;

/** Deterministic values of one seed: the same seed and parts always give the same value. */
export interface Derived {
  /** `length` bytes that depend on the seed and the parts alone. */
  bytes(length: number, ...parts: (string | number)[]): Buffer;
  /** `length` characters of [A-Za-z0-9_-]. */
  text(length: number, ...parts: (string | number)[]): string;
  /** `length` digits of lower case hexadecimal. */
  hex(length: number, ...parts: (string | number)[]): string;
  /** A value shaped like an access_token: two digits, an underscore, then [A-Za-z0-9_-], 136 in all. */
  token(...parts: (string | number)[]): string;
  /** A value shaped like an openid: `o` and 27 characters. */
  openid(...parts: (string | number)[]): string;
}

/** Makes the source of deterministic values for a seed. */
export function createDerived(seed: string): Derived {
  const bytes = (length: number, ...parts: (string | number)[]): Buffer => {
    const name = JSON.stringify(parts);
    const blocks: Buffer[] = [];
    for (let have = 0, block = 0; have < length; have += 64, block += 1) {
      blocks.push(createHmac('sha512', seed).update(`${block}${name}`).digest());
    }
    return Buffer.concat(blocks).subarray(0, length);
  };
  const text = (length: number, ...parts: (string | number)[]): string =>
    bytes(Math.ceil((length * 3) / 4), ...parts)
      .toString('base64url')
      .slice(0, length);
  return {
    bytes,
    text,
    hex: (length, ...parts) =>
      bytes(Math.ceil(length / 2), ...parts)
        .toString('hex')
        .slice(0, length),
    token(...parts) {
      const first = bytes(1, 'prefix', ...parts)[0] ?? 0;
      return `${10 + (first % 90)}_${text(TOKEN_LENGTH - 3, ...parts)}`;
    },
    openid: (...parts) => `o${text(27, 'openid', ...parts)}`,
  };
}

/** A stream of pseudo-random 32-bit integers. */
export interface Prng {
  uint32(): number;
  /** A number in [0, 1). */
  unit(): number;
}

/** A small fast generator (splitmix32), seeded by text. Not for secrets. */
export function createPrng(seed: string): Prng {
  let state = createHash('sha256').update(seed).digest().readUInt32BE(0);
  const uint32 = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return mixed >>> 0;
  };
  return { uint32, unit: () => uint32() / 0x1_0000_0000 };
}

/** The first 16 hex digits of a value's SHA-256: tells tokens apart without showing them. */
export function fingerprintOf(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 16);
}
