import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Modules on each side of the pattern, those of a version 4 QR code. */
const MODULES = 33;

/** Blank modules around it. */
const QUIET = 4;

/** Modules on each side of a finder, the three corner squares. */
const FINDER = 7;

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(data.length, 0);
  named.copy(out, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
}

/**
 * A PNG (W3C PNG, 1 bit greyscale) of `size` × `size` pixels.
 * @param isDark whether the pixel in this column and row is black
 */
export function encodePng(size: number, isDark: (x: number, y: number) => boolean): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header[8] = 1; // bits a pixel; colour type 0 and everything else stay 0
  const stride = 1 + Math.ceil(size / 8); // each row begins with its filter, 0 for none
  const rows = Buffer.alloc(stride * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (isDark(x, y)) continue;
      const at = y * stride + 1 + (x >> 3);
      rows[at] = (rows[at] ?? 0) | (0x80 >> (x & 7));
    }
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Whether a module is dark inside a finder, or undefined outside the three finders and their margins. */
function finderAt(x: number, y: number): boolean | undefined {
  const near = (n: number): number => (n > MODULES - 1 - FINDER - 1 ? n - (MODULES - FINDER) : n);
  if (x > FINDER && x < MODULES - FINDER - 1) return undefined;
  if (y > FINDER && y < MODULES - FINDER - 1) return undefined;
  if (x > FINDER && y > FINDER) return undefined;
  const ring = Math.max(Math.abs(near(x) - 3), Math.abs(near(y) - 3));
  return ring === 3 || ring <= 1;
}

/** A picture that looks like a QR code and depends on `text` alone. It cannot be scanned. */
export function codePicture(text: string, size: number): Buffer {
  const bits: Buffer[] = [];
  for (let i = 0; i * 256 < MODULES * MODULES; i += 1) {
    bits.push(createHash('sha256').update(`${i} ${text}`).digest());
  }
  const noise = Buffer.concat(bits);
  const moduleAt = (pixel: number): number => Math.floor((pixel * (MODULES + 2 * QUIET)) / size) - QUIET;
  return encodePng(size, (px, py) => {
    const x = moduleAt(px);
    const y = moduleAt(py);
    if (x < 0 || y < 0 || x >= MODULES || y >= MODULES) return false;
    const bit = y * MODULES + x;
    return finderAt(x, y) ?? (((noise[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
  });
}
