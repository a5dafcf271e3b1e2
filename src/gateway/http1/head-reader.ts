import { CR, HttpSyntaxError, LF, SPACE, TAB } from './syntax.ts';

/** What ends the last header line and the head. */
const END = '\r\n\r\n';

/** How much of the end of a head has been seen, byte after byte. */
const IN_LINE = 0;
const AFTER_CR = 1;
const AT_LINE_START = 2;
const AFTER_LAST_CR = 3;

const FIRST_CAPACITY = 512;

/** How a head reader is made. */
export interface HeadReaderOptions {
  /** Largest head in bytes, the blank line at its end included. */
  readonly limit: number;
  /** Whether one empty line may stand before the head, as a server should allow (RFC 9112, section 2.2). */
  readonly skipsEmptyLine: boolean;
}

/**
 * Finds the heads of messages in what arrives. A head that comes in one piece, as nearly all do, is cut out
 * with two native calls; one that comes in pieces is copied together, each byte being looked at once, and
 * is refused at the first byte that no head can have.
 */
export class HeadReader {
  /** After `read` returned true: the text the head begins, one character a byte. */
  text = '';
  /** After `read` returned true: where in `text` the last header line ends, its line break included. */
  end = 0;
  /** After `read` returned true: where in the bytes given what follows the head begins. */
  next = 0;

  readonly #limit: number;
  readonly #skipsEmptyLine: boolean;
  #skipped = false;
  #held: Buffer | undefined;
  #length = 0;
  #state = AT_LINE_START;

  constructor({ limit, skipsEmptyLine }: HeadReaderOptions) {
    this.#limit = limit;
    this.#skipsEmptyLine = skipsEmptyLine;
  }

  /** Whether part of a head has arrived. */
  get begun(): boolean {
    return this.#length > 0;
  }

  /** Reads on at `at`; true when a head is complete. Throws HttpSyntaxError, after which nothing more can be read. */
  read(bytes: Buffer, at: number): boolean {
    return this.#length === 0 ? this.#readWhole(bytes, at) : this.#readOn(bytes, at);
  }

  #readWhole(bytes: Buffer, at: number): boolean {
    let from = at;
    if (bytes[from] === CR && bytes[from + 1] === LF && this.#mayBeSkipped()) from += 2;
    const text = bytes.toString('latin1', from, Math.min(bytes.length, from + this.#limit));
    const end = text.indexOf(END);
    if (end === -1) return this.#readOn(bytes, from);
    this.#found(text, end + 2, from + end + END.length);
    return true;
  }

  #readOn(bytes: Buffer, from: number): boolean {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      this.#advance(byte);
      this.#hold(byte);
      if (this.#state !== AFTER_LAST_CR || byte !== LF) continue;
      if (this.#length === 2) {
        if (!this.#mayBeSkipped()) throw new HttpSyntaxError('the message begins with an empty line');
        this.#length = 0;
        this.#state = AT_LINE_START;
        continue;
      }
      const text = (this.#held as Buffer).toString('latin1', 0, this.#length);
      this.#found(text, this.#length - 2, at + 1);
      return true;
    }
    return false;
  }

  /** Follows line breaks; in `AFTER_LAST_CR` the head ends with the line feed that must come. */
  #advance(byte: number): void {
    const state = this.#state;
    if (byte === LF) {
      if (state === AFTER_CR) this.#state = AT_LINE_START;
      else if (state !== AFTER_LAST_CR)
        throw new HttpSyntaxError('a line feed stands without a carriage return');
    } else if (state === AFTER_CR || state === AFTER_LAST_CR) {
      throw new HttpSyntaxError('a carriage return stands without a line feed');
    } else if (byte === CR) {
      this.#state = state === AT_LINE_START ? AFTER_LAST_CR : AFTER_CR;
    } else if ((byte < SPACE && byte !== TAB) || byte === 0x7f) {
      throw new HttpSyntaxError('the head has a control character');
    } else {
      this.#state = IN_LINE;
    }
  }

  #hold(byte: number): void {
    if (this.#length === this.#limit) throw new HttpSyntaxError('the head is too large', true);
    let held = this.#held;
    if (held === undefined || held.length === this.#length) {
      const larger = Buffer.allocUnsafe(
        Math.min(this.#limit, held === undefined ? FIRST_CAPACITY : 2 * held.length),
      );
      held?.copy(larger);
      held = larger;
      this.#held = held;
    }
    held[this.#length] = byte;
    this.#length += 1;
  }

  #mayBeSkipped(): boolean {
    if (!this.#skipsEmptyLine || this.#skipped) return false;
    this.#skipped = true;
    return true;
  }

  #found(text: string, end: number, next: number): void {
    this.text = text;
    this.end = end;
    this.next = next;
    this.#skipped = false;
    this.#held = undefined;
    this.#length = 0;
    this.#state = AT_LINE_START;
  }
}
