import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { monotonicMs } from './metronome.ts';

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

/** Idle for longer than this, a socket is given up before its server may close it under a request; milliseconds. */
const LONGEST_IDLE_MS = 2000;

/**
 * Opens a connection that understands just enough HTTP/1.1: small answers with a Content-Length. Closed by the
 * server after an answer, or idle for long, it is opened again by the next request, as a client's pool does;
 * that request then waits for the handshake.
 */
export async function openConnection(target: Target): Promise<Connection> {
  let current = createExchange(await openSocket(target));
  let isClosed = false;
  return {
    send(request, done) {
      if (current.isUsable()) {
        current.send(request, done);
        return;
      }
      current.close();
      openSocket(target).then(
        socket => {
          current = createExchange(socket);
          if (isClosed) current.close();
          current.send(request, done);
        },
        () => done(0, ''),
      );
    },
    close() {
      isClosed = true;
      current.close();
    },
  };
}

/** Requests and answers on one socket. */
interface Exchange extends Connection {
  isUsable(): boolean;
}

function createExchange(socket: Socket): Exchange {
  let pending = '';
  let usedAt = monotonicMs();
  let done: ((status: number, body: string) => void) | undefined;
  const finish = (status: number, body: string): void => {
    const tell = done;
    done = undefined;
    pending = '';
    usedAt = monotonicMs();
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
    isUsable: () => socket.writable && !socket.readableEnded && monotonicMs() - usedAt < LONGEST_IDLE_MS,
    send(request, tell) {
      if (socket.destroyed) {
        tell(0, '');
        return;
      }
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
