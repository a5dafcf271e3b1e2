import type { Socket } from 'node:net';
import type { BodyDecoder } from './body-decoder.ts';
import { ChunkedBody, CountedBody } from './body-decoder.ts';
import type { Fields } from './fields.ts';
import { IncomingBody } from './incoming-body.ts';
import type { ReadMemory } from './read-memory.ts';

/** Up to this size the rest of an unread request is read away; over it the connection is closed. */
const READ_AWAY_BYTES = 64 * 1024;

/**
 * Brings in the body of the request that is under way on a connection, and pauses the connection while
 * whoever reads the body cannot keep up. A class, as there is one for each connection.
 */
export class RequestArrival {
  /** After `begin` and `read`: where in the bytes given what follows the body begins. */
  next = 0;

  readonly #socket: Socket;
  readonly #memory: ReadMemory | undefined;
  /** Reads what has not come yet; undefined once the body is complete. */
  #decoder: BodyDecoder | undefined;
  /** Where that goes; undefined when nobody wants it. */
  #body: IncomingBody | undefined;
  /** Whether what is left is little enough to be read away. */
  #isShort = false;
  #received = 0;

  /** `memory` is what the socket reads into; undefined where each read comes in new memory. */
  constructor(socket: Socket, memory: ReadMemory | undefined) {
    this.#socket = socket;
    this.#memory = memory;
  }

  /** Whether some of the body has not come yet. */
  get pending(): boolean {
    return this.#decoder !== undefined;
  }

  /** Whether so much may be still to come that the connection is closed after an answer. */
  get isLong(): boolean {
    return this.#decoder !== undefined && !this.#isShort;
  }

  /** Begins the body after a head, at `start`: whole if it is here, as a stream if not. Throws HttpSyntaxError. */
  begin(fields: Fields, bytes: Buffer, start: number): Buffer | IncomingBody | undefined {
    this.next = start;
    if (!fields.chunked && fields.length <= 0) return undefined;
    const end = start + fields.length;
    if (!fields.chunked && end <= bytes.length) {
      this.next = end;
      return Buffer.from(bytes.subarray(start, end));
    }
    const decoder = fields.chunked ? new ChunkedBody() : new CountedBody(fields.length);
    const pieces: Buffer[] = [];
    this.next = decoder.read(bytes, start, piece => pieces.push(Buffer.from(piece)));
    if (decoder.done) return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    const body = new IncomingBody(() => this.#readOn());
    this.#decoder = decoder;
    this.#body = body;
    this.#isShort = !fields.chunked && fields.length <= READ_AWAY_BYTES;
    this.#received = 0;
    for (const piece of pieces) {
      this.#received += piece.length;
      body.push(piece);
    }
    return body;
  }

  /** Reads on in a body that is pending; true when it is complete. Throws HttpSyntaxError. */
  read(bytes: Buffer): boolean {
    const decoder = this.#decoder as BodyDecoder;
    const memory = this.#memory;
    const lends = memory?.lends(bytes) ?? true;
    this.next = decoder.read(bytes, 0, piece => {
      this.#received += piece.length;
      if (this.#body?.push(lends ? piece : Buffer.from(piece)) === false) this.#socket.pause();
    });
    if (lends) memory?.lent(this.#received);
    if (!decoder.done) {
      memory?.provide(this.#body?.spent() ?? this.#received);
      return false;
    }
    memory?.reset();
    this.#decoder = undefined;
    this.#body?.push(null);
    this.#body = undefined;
    this.#readOn();
    return true;
  }

  /** The request is answered: what is still to come goes nowhere. */
  release(): void {
    this.#body = undefined;
  }

  /** The request is given up: whoever reads its body learns that it breaks off. */
  breakOff(): void {
    this.#body?.destroy();
    this.#body = undefined;
  }

  /** What still comes in is no part of the body any more. */
  end(): void {
    this.#decoder = undefined;
    this.#memory?.reset();
  }

  #readOn(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }
}
