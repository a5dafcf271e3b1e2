import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer as createNetServer } from 'node:net';
import { Readable } from 'node:stream';

/** What the tests of the gateway use on the wire: upstreams on real sockets, and bytes as they are. */

/** A request as the upstream saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

export interface TestUpstream {
  readonly origin: string;
  readonly server: Server;
  /** Requests whose bodies have arrived, in order. */
  readonly seen: SeenRequest[];
  /** How many connections were opened. */
  connections(): number;
  close(): Promise<void>;
}

export type Respond = (req: IncomingMessage, res: ServerResponse, body: Buffer) => void;

/** An upstream that reads each request whole, notes it, and lets the test answer. */
export async function startUpstream(respond: Respond): Promise<TestUpstream> {
  const seen: SeenRequest[] = [];
  return startUpstreamWith((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', chunk => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.rawHeaders, body });
      respond(req, res, body);
    });
  }, seen);
}

/** An upstream that leaves the request alone. */
export async function startUpstreamWith(
  listener: RequestListener,
  seen: SeenRequest[] = [],
): Promise<TestUpstream> {
  let connections = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    seen,
    connections: () => connections,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An upstream that speaks any bytes: `speak` gets each connection. Gives its origin. */
export async function startRawUpstream(
  speak: (socket: Socket) => void,
): Promise<{ origin: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createNetServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    speak(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Sends bytes as they are and gives back all bytes until the peer closes, or `untilMs` of silence. */
export function exchangeBytes(port: number, bytes: string | Buffer, untilMs = 150): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    let timer = setTimeout(() => socket.destroy(), 5000);
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), untilMs);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
}

/** The values of a header in a raw list, in order. */
export function valuesOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === name);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A body that is sent in chunks. */
export function inPieces(body: Buffer, size = 100_000): Readable {
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
  };
  return Readable.from(pieces(), { objectMode: false });
}
