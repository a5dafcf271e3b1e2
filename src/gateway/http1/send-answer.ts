import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { BodyStream } from './body-stream.ts';
import { sendChunk } from './send-chunk.ts';
import type { WrittenHead } from './write-answer-head.ts';

/** Bodies up to this size go out in one string with their head, which costs less than a gathered write of two. */
const ONE_WRITE_BYTES = 16 * 1024;

/** Sends an answer that is here whole; false when the socket wants to drain before it takes more. */
export function sendWhole(socket: Socket, head: string, body: Buffer | undefined): boolean {
  if (body === undefined) return socket.write(head, 'latin1');
  // Latin-1 takes every byte there and back.
  if (body.length <= ONE_WRITE_BYTES) return socket.write(head + body.toString('latin1'), 'latin1');
  socket.cork();
  socket.write(head, 'latin1');
  const flushed = socket.write(body);
  socket.uncork();
  return flushed;
}

/** What is told of an answer that is sent as it comes. */
export interface StreamEnd {
  /** All has been written; `flushed` is false when the socket wants to drain before it takes more. */
  onSent(flushed: boolean): void;
  /** The body broke off. */
  onBroken(): void;
}

/** Sends an answer as its body comes, holding it back when the socket is slow: whoever hears it drain resumes the body. */
export function sendStream(
  socket: Socket,
  { text, bodyEnd }: WrittenHead,
  body: Readable,
  end: StreamEnd,
): void {
  const chunked = bodyEnd === 'chunked';
  socket.write(text, 'latin1');
  let sent = 0;
  // Framing that waits with them counts as well, which errs on the safe side.
  if (body instanceof BodyStream) body.spent = () => sent - socket.writableLength;
  body.on('data', (piece: Buffer) => {
    sent += piece.length;
    const flushed = chunked ? sendChunk(socket, piece) : socket.write(piece);
    if (!flushed) body.pause();
  });
  body.on('end', () => end.onSent(chunked ? socket.write('0\r\n\r\n', 'latin1') : !socket.writableNeedDrain));
  body.on('error', () => end.onBroken());
}
