/** Size of the memory that a large body is read into, piece by piece, and handed on in. */
export const STREAM_BUFFER_BYTES = 64 * 1024;

/** Pieces of one body that are under way at once rarely are more, as whoever sends them on holds the reader back. */
const MOST_BUFFERS = 4;

/** Memory of one connection alone. */
interface OwnBuffer {
  readonly bytes: Buffer;
  /** It may be read into again once so many bytes of the body are needed no more. */
  until: number;
}

/**
 * The memory that one connection reads into: memory common to all connections, as long as what is read is
 * small or copied, and some of its own while it hands on a large body. A class, as there is one for each
 * connection.
 */
export class ReadMemory {
  /** What the next read goes into. */
  current: Buffer;

  readonly #common: Buffer;
  readonly #size: number;
  #own: OwnBuffer[] = [];
  #used: OwnBuffer | undefined;

  /** `size` is that of each piece of the connection's own memory. */
  constructor(common: Buffer, size: number) {
    this.current = common;
    this.#common = common;
    this.#size = size;
  }

  /** Whether what was read just now may be handed on without a copy: it lies in the connection's own memory and fills most of it. */
  lends(bytes: Buffer): boolean {
    return this.#used !== undefined && bytes.length * 2 > this.current.length;
  }

  /** What was read just now was handed on, as the body's bytes up to `end`. */
  lent(end: number): void {
    if (this.#used !== undefined) this.#used.until = end;
  }

  /** Provides for reading more of a large body, of which `spent` bytes are needed no more. */
  provide(spent: number): void {
    if (this.#used !== undefined && this.#used.until <= spent) return;
    let next = this.#own.find(({ until }) => until <= spent);
    if (next === undefined) {
      next = { bytes: Buffer.allocUnsafeSlow(this.#size), until: 0 };
      // What is lent stays with whoever has it.
      if (this.#own.length === MOST_BUFFERS) this.#own.shift();
      this.#own.push(next);
    }
    this.#used = next;
    this.current = next.bytes;
  }

  /** The body is over: the connection needs no memory of its own. */
  reset(): void {
    if (this.#used === undefined) return;
    this.current = this.#common;
    this.#used = undefined;
    this.#own = [];
  }
}
