/**
 * Writes DER (ITU-T X.690): just the types a certificate is made of. The libraries for it bring a
 * dependency-injection container and want a global object patched, for what takes one page.
 */

/** Any value: its tag, its length and its bytes. */
function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const size = content.length;
  if (size < 0x80) return Buffer.concat([Buffer.of(tag, size), content]);
  const digits = Buffer.from(size.toString(16).padStart(size > 0xff ? 4 : 2, '0'), 'hex');
  if (size > 0xffff) throw new TypeError(`a DER value of ${size} bytes is larger than any certificate's`);
  return Buffer.concat([Buffer.of(tag, 0x80 | digits.length), digits, content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return element(0x31, ...parts);
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Buffer.of(value ? 0xff : 0));
}

/** A whole number from 0 to 127, or a positive one as big-endian bytes without leading zeros. */
export function integer(value: number | Uint8Array): Buffer {
  const bytes = typeof value === 'number' ? Buffer.of(value) : value;
  // The first bit is the sign.
  return element(0x02, ((bytes[0] ?? 0) & 0x80) === 0 ? bytes : Buffer.concat([Buffer.of(0), bytes]));
}

/** Bits, of which the last byte leaves `unused` ones at its end. */
export function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.of(unused), bytes);
}

export function octetString(...parts: readonly Uint8Array[]): Buffer {
  return element(0x04, ...parts);
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text));
}

/** An object identifier in dotted form, such as `2.5.4.3`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap(number => {
    const digits = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  });
  return element(0x06, Buffer.from(bytes));
}

/** A moment in whole seconds: UTCTime until 2049, GeneralizedTime after (RFC 5280, section 4.1.2.5). */
export function time(atMs: number): Buffer {
  const digits = `${new Date(atMs).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
  return digits < '2050' ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}

/** A value behind the tag `[number]`, which says what it is for. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(0xa0 | number, ...parts);
}

/** Bytes of a simple type whose own tag is replaced by `[number]`. */
export function implicit(number: number, bytes: Uint8Array): Buffer {
  return element(0x80 | number, bytes);
}
