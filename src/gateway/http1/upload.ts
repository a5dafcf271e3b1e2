import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { BodyStream } from './body-stream.ts';
import { sendChunk } from './send-chunk.ts';

/** Sends a request's body as it comes, no faster than the peer takes it. */
export class Upload {
  readonly #stream: Readable;
  #over = false;

  /**
   * `done` is called once: without an error when all has been written, with one when the body fails or is
   * not as long as was said. `length` undefined sends it in chunks (RFC 9112, section 7.1).
   */
  constructor(
    socket: Socket,
    stream: Readable,
    length: number | undefined,
    done: (error: Error | undefined) => void,
  ) {
    this.#stream = stream;
    let sent = 0;
    const settle = (error: Error | undefined): void => {
      if (this.#over) return;
      this.#over = true;
      done(error);
    };
    // Framing that waits with them counts as well, which errs on the safe side.
    if (stream instanceof BodyStream) stream.spent = () => sent - socket.writableLength;
    stream.on('data', (chunk: Buffer) => {
      if (this.#over || chunk.length === 0) return;
      sent += chunk.length;
      if (length !== undefined && sent > length) {
        settle(new TypeError('a request body is longer than its Content-Length'));
        stream.destroy();
        return;
      }
      if (!(length === undefined ? sendChunk(socket, chunk) : socket.write(chunk))) stream.pause();
    });
    stream.on('end', () => {
      if (this.#over) return;
      if (length === undefined) socket.write('0\r\n\r\n', 'latin1');
      settle(
        length === undefined || sent === length
          ? undefined
          : new TypeError('a request body is shorter than its Content-Length'),
      );
    });
    stream.on('error', settle);
    stream.on('close', () => settle(new TypeError('a request body was closed before its end')));
  }

  /** The peer takes more. */
  resume(): void {
    if (!this.#over) this.#stream.resume();
  }

  /** Nothing more is to be sent. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.destroy();
  }
}
