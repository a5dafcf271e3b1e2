import type { Clock } from '../base/clock.ts';

/** Bodies that are kept are larger than what is read ahead, so that no more than half of this is ever empty. */
const BLOCK_BYTES = 64 * 1024;

/** Blocks that nobody has used for so long are given back. */
const REST_MS = 30_000;

/** Bytes that are kept for a while. */
export interface KeptBytes {
  append(bytes: Buffer): void;
  size(): number;
  /** All of them, in order. They may not be used after `release`. */
  pieces(): readonly Buffer[];
  /** Lets go of all of them; what is appended then is the first again. */
  release(): void;
}

/** Memory in blocks, for bytes that come and go in masses. */
export interface MemoryBlocks {
  keep(): KeptBytes;
  /** Gives back what is free, and watches no longer. */
  close(): void;
}

/**
 * Makes memory whose blocks are used again. New memory for each body makes V8 look through its whole heap
 * for garbage once per 64 MiB, which took nearly half of an upload.
 */
export function createMemoryBlocks(clock: Clock): MemoryBlocks {
  const closing = new AbortController();
  let free: Buffer[] = [];
  let usedAt = 0;
  let rests = false;

  /** Waits until the free blocks have not been used for a while. */
  async function rest(): Promise<void> {
    rests = true;
    for (let left = REST_MS; left > 0; left = usedAt + REST_MS - clock.now())
      await clock.sleep(left, closing.signal);
    free = [];
    rests = false;
  }

  return {
    keep() {
      let blocks: Buffer[] = [];
      let size = 0;
      return {
        append(bytes) {
          for (let at = 0; at < bytes.length; ) {
            const filled = size % BLOCK_BYTES;
            if (filled === 0) blocks.push(free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
            const copied = bytes.copy(blocks.at(-1) as Buffer, filled, at);
            at += copied;
            size += copied;
          }
        },
        size: () => size,
        pieces: () =>
          blocks.map((block, n) => block.subarray(0, Math.min(BLOCK_BYTES, size - n * BLOCK_BYTES))),
        release() {
          if (size === 0) return;
          if (!closing.signal.aborted) free.push(...blocks);
          blocks = [];
          size = 0;
          usedAt = clock.now();
          if (!rests) rest().catch(() => {});
        },
      };
    },
    close() {
      closing.abort();
      free = [];
    },
  };
}
