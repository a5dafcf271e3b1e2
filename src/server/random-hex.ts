import { randomBytes } from 'node:crypto';

/** How many random bytes are fetched at once: one trip to the generator for hundreds of ids. */
const POOL_BYTES = 4096;

/**
 * Makes a source of random hex digits. Every byte is handed out once. They are for ids that must not
 * repeat or be guessed; keys are made elsewhere, from bytes that never lay in a pool.
 *
 * @example createRandomHex()(8) // '1f0e2d3c4b5a6978'
 */
export function createRandomHex(): (bytes: number) => string {
  let pool = '';
  let at = 0;
  return bytes => {
    if (bytes > POOL_BYTES) throw new TypeError(`at most ${POOL_BYTES} random bytes at once, not ${bytes}`);
    if (at + 2 * bytes > pool.length) {
      pool = randomBytes(POOL_BYTES).toString('hex');
      at = 0;
    }
    at += 2 * bytes;
    return pool.slice(at - 2 * bytes, at);
  };
}
