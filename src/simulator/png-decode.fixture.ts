/** Reads PNG files for the simulator's own tests. Not part of the public interface. */
import assert from 'node:assert/strict';
import { crc32, inflateSync } from 'node:zlib';

export interface Decoded {
  width: number;
  height: number;
  isDark(x: number, y: number): boolean;
}

/** Reads a PNG of 1 bit greyscale by the book, checking every CRC. */
export function decodePng(png: Buffer): Decoded {
  assert.equal(png.subarray(0, 8).toString('hex'), '89504e470d0a1a0a');
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const named = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(named));
    chunks.push({ type: named.toString('latin1', 0, 4), data: named.subarray(4) });
    at += 12 + length;
  }
  assert.deepEqual(
    chunks.map(({ type }) => type),
    ['IHDR', 'IDAT', 'IEND'],
  );
  const [header, data] = chunks.map(chunk => chunk.data) as [Buffer, Buffer];
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  assert.deepEqual([...header.subarray(8)], [1, 0, 0, 0, 0]);
  const rows = inflateSync(data);
  const stride = 1 + Math.ceil(width / 8);
  assert.equal(rows.length, stride * height);
  for (let y = 0; y < height; y += 1) assert.equal(rows[y * stride], 0);
  const isDark = (x: number, y: number) =>
    (((rows[y * stride + 1 + (x >> 3)] ?? 0) >> (7 - (x & 7))) & 1) === 0;
  return { width, height, isDark };
}
