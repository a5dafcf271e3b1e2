import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Where a generator sends its requests. */
export interface Target {
  readonly port: number;
  readonly tls: boolean;
}

/** A keep-alive connection with one request under way at a time. */
export interface Connection {
  /** Sends a request; `done` gets status and body once the whole answer is there, or 0 when the connection broke. */
  send(request: Buffer, done: (status: number, body: string) => void): void;
  close(): void;
}

/** Opens a socket; resolves once it can be written to. */
export function openSocket({ port, tls }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // The certificate is the benchmark's own; what is measured is the peers' checking, not the generator's.
    const socket = tls
      ? connectTls({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false })
      : connectTcp({ host: '127.0.0.1', port });
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once(tls ? 'secureConnect' : 'connect', () => resolve(socket));
  });
}

/** Opens a connection that understands just enough HTTP/1.1: small answers with a Content-Length. */
export async function openConnection(target: Target): Promise<Connection> {
  const socket = await openSocket(target);
  let pending = '';
  let done: ((status: number, body: string) => void) | undefined;
  const finish = (status: number, body: string): void => {
    const tell = done;
    done = undefined;
    pending = '';
    tell?.(status, body);
  };
  socket.on('data', (chunk: Buffer) => {
    pending += chunk.toString('latin1');
    const end = pending.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(pending.slice(0, end))?.[1];
    if (length === undefined) throw new Error('an answer came without Content-Length');
    if (pending.length >= end + 4 + Number(length))
      finish(Number(pending.slice(9, 12)), pending.slice(end + 4));
  });
  socket.on('error', () => {});
  socket.on('close', () => finish(0, ''));
  return {
    send(request, tell) {
      done = tell;
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
}

/** The bytes of a request. */
export function requestBytes(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined)
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}
