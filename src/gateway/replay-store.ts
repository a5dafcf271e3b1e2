import type { FileHandle } from 'node:fs/promises';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { createMemoryBlocks } from './memory-blocks.ts';

/** How much memory a body, and all bodies together, may take before going to a file. */
export interface ReplayLimits {
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
}

/** The bytes of one request body, kept so that they can be sent again. */
export interface KeptBody {
  /**
   * Keeps a copy of a chunk; returns a promise when it goes to disk, until when the chunk itself is needed.
   * Never rejects: a full disk only costs the replay.
   */
  append(chunk: Buffer): Promise<void> | undefined;
  /** All that was kept; undefined when it could not all be kept. Call it after the last append has settled. */
  open(): Buffer | Readable | undefined;
  /** Gives memory and disk space back, once nobody reads them any more. */
  release(): void;
}

/** Keeps request bodies for all calls of a gateway together. */
export interface ReplayStore {
  keep(limits: ReplayLimits): KeptBody;
  /** Memory in use now, in bytes. */
  memoryInUse(): number;
  /** Gives back memory that stands by for further bodies. */
  close(): void;
}

/** Makes a store. Files are made in `tmpDir`, readable by this user only, and have no name once they are open. */
export function createReplayStore(options: {
  readonly clock: Clock;
  readonly tmpDir: string;
  readonly randomHex: (bytes: number) => string;
}): ReplayStore {
  let memoryInUse = 0;
  const memory = createMemoryBlocks(options.clock);

  const keep = (limits: ReplayLimits): KeptBody => {
    const held = memory.keep();
    let file: FileHandle | undefined;
    let writing: Promise<void> | undefined;
    let pending = 0;
    let written = 0;
    let lost = false;
    let released = false;
    let readers = 0;

    const freeMemory = (): void => {
      memoryInUse -= held.size();
      held.release();
    };
    const write = async (chunk: Buffer): Promise<void> => {
      if (lost) return;
      try {
        file ??= await openNameless(options.tmpDir, options.randomHex);
        for (const each of held.pieces()) written += await writeWhole(file, each, written);
        freeMemory();
        written += await writeWhole(file, chunk, written);
      } catch {
        lost = true;
        freeMemory();
      }
    };
    const writeInOrder = async (chunk: Buffer, before: Promise<void> | undefined): Promise<void> => {
      await before;
      await write(chunk);
      pending -= 1;
      if (pending > 0) return;
      writing = undefined;
      if (released || lost) dispose();
    };
    const dispose = (): void => {
      freeMemory();
      closeFile();
    };
    const closeFile = (): void => {
      if (file === undefined || readers > 0) return;
      // Nothing depends on the result: the file has no name and goes with its last descriptor.
      file.close().catch(() => {});
      file = undefined;
    };

    return {
      append(chunk) {
        if (released || lost) return undefined;
        const fits =
          file === undefined &&
          pending === 0 &&
          held.size() + chunk.length <= limits.memoryBytes &&
          memoryInUse + chunk.length <= limits.memoryTotalBytes;
        if (fits) {
          held.append(chunk);
          memoryInUse += chunk.length;
          return undefined;
        }
        pending += 1;
        writing = writeInOrder(chunk, writing);
        return writing;
      },
      open() {
        if (released || lost) return undefined;
        if (file === undefined) return Buffer.concat(held.pieces(), held.size());
        readers += 1;
        const reader = readBack(file, written, () => {
          readers -= 1;
          if (released) closeFile();
        });
        return reader;
      },
      release() {
        if (released) return;
        released = true;
        if (pending === 0) dispose();
      },
    };
  };
  return { keep, memoryInUse: () => memoryInUse, close: memory.close };
}

async function openNameless(directory: string, randomHex: (bytes: number) => string): Promise<FileHandle> {
  const path = join(directory, `open-bridge-${randomHex(16)}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

async function writeWhole(file: FileHandle, chunk: Buffer, position: number): Promise<number> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
  return chunk.length;
}

/** Reads a file from its start, without closing it; `done` is called once, when nobody reads any more. */
function readBack(file: FileHandle, size: number, done: () => void): Readable {
  let position = 0;
  const reader = new Readable({
    read(wanted) {
      const length = Math.min(wanted, size - position);
      if (length === 0) {
        this.push(null);
        return;
      }
      file.read(Buffer.allocUnsafe(length), 0, length, position).then(
        ({ bytesRead, buffer }) => {
          position += bytesRead;
          if (bytesRead === 0) this.destroy(new Error('the kept request body is shorter than it was'));
          else this.push(buffer.subarray(0, bytesRead));
        },
        error => this.destroy(error),
      );
    },
    destroy(error, callback) {
      done();
      callback(error);
    },
  });
  // Whoever sends it listens too; this listener is for the time before.
  reader.on('error', () => {});
  return reader;
}
