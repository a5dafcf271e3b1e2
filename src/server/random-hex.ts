import { randomFillSync } from 'node:crypto';

/** How many random bytes are fetched at once: one trip to the generator for hundreds of ids. */
const POOL_BYTES = 4096;

/**
 * Makes a source of random hex digits. Every byte is handed out once. They are for ids that must not
 * repeat or be guessed; keys are made elsewhere, from bytes that never lay in a pool.
 *
 * @example createRandomHex()(8) // '1f0e2d3c4b5a6978'
 */
export function createRandomHex(): (bytes: number) => string {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  let at = POOL_BYTES;
  return bytes => {
    if (bytes > POOL_BYTES) throw new TypeError(`at most ${POOL_BYTES} random bytes at once, not ${bytes}`);
    if (at + bytes > POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    at += bytes;
    return pool.toString('hex', at - bytes, at);
  };
}
