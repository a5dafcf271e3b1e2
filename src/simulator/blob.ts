import { Readable } from 'node:stream';
import { type Answer, bytes } from './answers.ts';

/** The pattern's period, a prime, so that no chunk looks like its neighbour by accident. */
const PERIOD = 251;

const PIECE = Buffer.from(Array.from({ length: PERIOD * 256 }, (_, i) => i % PERIOD));

function* piecesOf(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= PIECE.length) {
    yield left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
  }
}

/** An answer of `length` bytes, byte i being i modulo 251, streamed. Without a declared length when `chunked`. */
export function blobOf(length: number, chunked = false): Answer {
  const headers: Record<string, string> = chunked ? {} : { 'content-length': String(length) };
  return bytes(Readable.from(piecesOf(length), { objectMode: false }), 'application/octet-stream', headers);
}
