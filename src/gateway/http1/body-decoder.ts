import { COLON, CR, FIELD_VALUE, HttpSyntaxError, LF, TOKEN } from './syntax.ts';

/** Takes a piece of a body. It may lie in the bytes that were given; whoever keeps it longer copies it. */
export type TakePiece = (piece: Buffer) => void;

/** Takes a message's body apart from what frames it. */
export interface BodyDecoder {
  /** Whether the body is complete. */
  readonly done: boolean;
  /**
   * Reads on at `at` and gives where it stopped: the end of the bytes, or the end of the body. The bytes
   * given may be moved about within their buffer. Throws HttpSyntaxError, after which nothing more can be read.
   */
  read(bytes: Buffer, at: number, take: TakePiece): number;
}

/** A body of known length, which must be above 0. */
export class CountedBody implements BodyDecoder {
  done = false;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  read(bytes: Buffer, at: number, take: TakePiece): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.done = this.#left === 0;
    if (end > at) take(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return end;
  }
}

/** A body that lasts until the connection closes. */
export class UnboundedBody implements BodyDecoder {
  readonly done = false;

  read(bytes: Buffer, at: number, take: TakePiece): number {
    if (at < bytes.length) take(at === 0 ? bytes : bytes.subarray(at));
    return bytes.length;
  }
}

/** Chunk extensions of one body beyond this many bytes are refused; nobody sends any. */
const MAX_EXTENSION_BYTES = 16 * 1024;

/** Trailers beyond this many bytes are refused. They are checked and dropped. */
const MAX_TRAILER_BYTES = 16 * 1024;

/** Largest chunk: 12 hexadecimal digits, so that sizes stay exact numbers. */
const MAX_SIZE_DIGITS = 12;

/** Chunks below this are moved together, so that a body in tiny chunks does not become as many objects. */
const MERGED_BYTES = 4096;

const SEMICOLON = 0x3b;

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const TRAILER_NAME = 7;
const TRAILER_VALUE = 8;
const TRAILER_LF = 9;
const LAST_LF = 10;

/**
 * A body in chunks (RFC 9112, section 7.1). Framing is followed byte by byte without keeping any of it, so
 * it costs no memory and no second look however it is cut up; data is skipped over whole.
 */
export class ChunkedBody implements BodyDecoder {
  done = false;
  #state = SIZE;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;

  read(bytes: Buffer, start: number, take: TakePiece): number {
    const end = bytes.length;
    let at = start;
    let pieceAt = 0;
    let pieceEnd = 0;
    while (at < end && !this.done) {
      if (this.#state !== DATA) {
        this.#frame(bytes[at] as number);
        at += 1;
        continue;
      }
      const dataEnd = Math.min(end, at + this.#size);
      this.#size -= dataEnd - at;
      if (this.#size === 0) this.#state = DATA_CR;
      if (pieceEnd === pieceAt) {
        pieceAt = at;
        pieceEnd = dataEnd;
      } else if (dataEnd - at < MERGED_BYTES) {
        bytes.copyWithin(pieceEnd, at, dataEnd);
        pieceEnd += dataEnd - at;
      } else {
        take(bytes.subarray(pieceAt, pieceEnd));
        pieceAt = at;
        pieceEnd = dataEnd;
      }
      at = dataEnd;
    }
    if (pieceEnd > pieceAt) take(bytes.subarray(pieceAt, pieceEnd));
    return at;
  }

  #frame(byte: number): void {
    switch (this.#state) {
      case SIZE:
        this.#readSize(byte);
        break;
      case EXTENSION:
        if (byte === CR) this.#state = SIZE_LF;
        else this.#passExtension(byte);
        break;
      case SIZE_LF:
        if (byte !== LF) throw new HttpSyntaxError('a chunk size does not end with a line break');
        this.#digits = 0;
        this.#state = this.#size === 0 ? TRAILER_START : DATA;
        break;
      case DATA_CR:
        if (byte !== CR) throw new HttpSyntaxError('a chunk is not followed by a line break');
        this.#state = DATA_LF;
        break;
      case DATA_LF:
        if (byte !== LF) throw new HttpSyntaxError('a chunk is not followed by a line break');
        this.#state = SIZE;
        break;
      default:
        this.#readTrailer(byte);
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#digits += 1;
      if (this.#digits > MAX_SIZE_DIGITS) throw new HttpSyntaxError('a chunk size is too large');
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits === 0 || (byte !== CR && byte !== SEMICOLON))
      throw new HttpSyntaxError('a chunk size is not a number');
    this.#state = byte === CR ? SIZE_LF : EXTENSION;
  }

  #passExtension(byte: number): void {
    if (FIELD_VALUE[byte] !== 1) throw new HttpSyntaxError('a chunk extension has a control character');
    this.#extensionBytes += 1;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES)
      throw new HttpSyntaxError('the chunk extensions are too large');
  }

  #readTrailer(byte: number): void {
    this.#trailerBytes += 1;
    if (this.#trailerBytes > MAX_TRAILER_BYTES) throw new HttpSyntaxError('the trailers are too large');
    switch (this.#state) {
      case TRAILER_START:
        if (byte === CR) this.#state = LAST_LF;
        else if (TOKEN[byte] === 1) this.#state = TRAILER_NAME;
        else throw new HttpSyntaxError('a trailer is not well-formed');
        break;
      case TRAILER_NAME:
        if (byte === COLON) this.#state = TRAILER_VALUE;
        else if (TOKEN[byte] !== 1) throw new HttpSyntaxError('a trailer is not well-formed');
        break;
      case TRAILER_VALUE:
        if (byte === CR) this.#state = TRAILER_LF;
        else if (FIELD_VALUE[byte] !== 1) throw new HttpSyntaxError('a trailer is not well-formed');
        break;
      case TRAILER_LF:
        if (byte !== LF) throw new HttpSyntaxError('a trailer is not well-formed');
        this.#state = TRAILER_START;
        break;
      case LAST_LF:
        if (byte !== LF) throw new HttpSyntaxError('the end of the chunks is not well-formed');
        this.done = true;
        break;
    }
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
