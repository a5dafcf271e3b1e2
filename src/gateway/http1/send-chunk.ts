import type { Socket } from 'node:net';

/** Sends one chunk (RFC 9112, section 7.1), which must not be empty; false when the socket wants to drain. */
export function sendChunk(socket: Socket, piece: Buffer): boolean {
  socket.cork();
  socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
  socket.write(piece);
  const flushed = socket.write('\r\n', 'latin1');
  socket.uncork();
  return flushed;
}
