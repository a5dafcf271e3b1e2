import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Answer, Call } from './call.ts';
import type { Gateway } from './gateway.ts';

/** A listening socket. */
export interface HttpListener {
  readonly address: string;
  readonly port: number;
  /** Stops accepting, lets what is under way finish for up to `timeoutMs`, then breaks it off. */
  close(timeoutMs: number): Promise<void>;
}

/** What a listener is made of. */
export interface HttpListenerOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Most connections at once; more are closed as they come. Default 10 000. */
  readonly maxConnections?: number;
  /** Longest wait for a request's headers, in milliseconds. Default 15 s. */
  readonly headersTimeoutMs?: number;
  /** Longest wait for a whole request, in milliseconds. Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept, in milliseconds. Default 65 s, longer than usual clients keep theirs. */
  readonly keepAliveTimeoutMs?: number;
}

/** Request heads over this size are refused with 431. */
const MAX_HEAD_BYTES = 16 * 1024;

/** A connection on which nothing moved for so long is broken off, whatever it waits for. */
const DEAD_SOCKET_MS = 120_000;

/** Up to this size the rest of an unread request is read away; over it the connection is closed. */
const READ_AWAY_BYTES = 64 * 1024;

/** How long a caller that is still sending gets to notice that it was answered. */
const LINGER_MS = 2000;

/** A request's wish to be told before it sends its body. */
interface Continue {
  sent: boolean;
  send(): void;
}

/** Listens for HTTP/1.1 and hands every request to the gateway. Rejects when the address cannot be had. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { gateway, clock, log } = options;
  const open = new Map<ServerResponse, Call>();
  let closing = false;

  const onRequest = (req: IncomingMessage, res: ServerResponse, awaits?: Continue): void => {
    const call = gateway.open({
      method: req.method ?? '',
      target: req.url ?? '',
      headers: req.rawHeaders,
      body: req,
      remoteAddress: req.socket.remoteAddress ?? '',
      sendContinue: awaits?.send,
    });
    open.set(res, call);
    res.on('close', () => {
      open.delete(res);
      if (!res.writableFinished) gateway.abandon(call);
    });
    gateway.handle(call).then(
      answer => send(req, res, call, answer, awaits?.sent === false),
      error => {
        log.error(
          { seqid: call.seqid, error: error instanceof Error ? error.name : 'unknown' },
          'the gateway failed',
        );
        res.destroy();
      },
    );
  };

  const send = (
    req: IncomingMessage,
    res: ServerResponse,
    call: Call,
    answer: Answer,
    unasked: boolean,
  ): void => {
    const { body, headers } = answer;
    if (res.destroyed || call.callerGone) {
      if (body instanceof Readable) body.destroy();
      return;
    }
    const large = call.bodyLength === undefined || call.bodyLength > READ_AWAY_BYTES;
    const lingers = !req.complete && !unasked && large;
    // Whether a body follows that was never asked for cannot be known, so nothing may come after it.
    if (closing || lingers || unasked) headers.push('connection', 'close');
    res.writeHead(answer.status, answer.reason, headers);
    if (body instanceof Readable) {
      body.on('error', () => cut(res));
      body.on('end', () => finish(req, res, lingers));
      body.pipe(res, { end: false });
    } else if (lingers) {
      if (body !== undefined && req.method !== 'HEAD') res.write(body);
      finish(req, res, true);
    } else {
      res.end(req.method === 'HEAD' ? undefined : body);
      if (!req.complete) req.resume();
    }
  };

  /**
   * Ends an answer. A caller that is still sending would lose it to the reset that closing a socket with
   * unread data causes (RFC 9112, section 9.6), so what it sends is read away for a while first.
   */
  const finish = (req: IncomingMessage, res: ServerResponse, lingers: boolean): void => {
    if (!lingers || req.complete) {
      res.end();
      if (!req.complete) req.resume();
      return;
    }
    const done = new AbortController();
    const end = (): void => {
      done.abort();
      res.end();
    };
    req.once('end', end);
    req.once('close', end);
    req.on('error', () => {});
    req.resume();
    clock.sleep(LINGER_MS, done.signal).then(end, () => {});
  };

  const refuse = (socket: Duplex, error: BridgeError): void => {
    const { remoteAddress } = socket as Socket;
    gateway.refuse(error, remoteAddress ?? '').then(
      answer => {
        socket.end(serialize(answer));
        // What is still coming in is thrown away, so that the answer is not lost to a reset.
        socket.resume();
        const done = new AbortController();
        socket.once('close', () => done.abort());
        clock.sleep(LINGER_MS, done.signal).then(
          () => socket.destroy(),
          () => {},
        );
      },
      () => socket.destroy(),
    );
  };

  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: options.headersTimeoutMs ?? 15_000,
    requestTimeout: options.requestTimeoutMs ?? 60_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 65_000,
    connectionsCheckingInterval: Math.min(5000, options.headersTimeoutMs ?? 5000),
    optimizeEmptyRequests: true,
  });
  // With a count limit Node drops further headers silently; the size limit is enough.
  server.maxHeadersCount = 0;
  server.maxConnections = options.maxConnections ?? 10_000;
  server.timeout = DEAD_SOCKET_MS;

  server.on('request', (req, res) => onRequest(req, res));
  server.on('checkContinue', (req, res) => {
    const awaits: Continue = {
      sent: false,
      send() {
        if (!awaits.sent && !res.headersSent && !res.destroyed) res.writeContinue();
        awaits.sent = true;
      },
    };
    onRequest(req, res, awaits);
  });
  // RFC 9110, section 10.1.1: other expectations may be ignored; the header is not passed on.
  server.on('checkExpectation', (req, res) => onRequest(req, res));
  // There is no 'upgrade' listener on purpose: Node then serves such a request as if it had not asked, as
  // RFC 9110, section 7.8 allows. Java's HttpClient asks every plain-text server for h2c.
  server.on('connect', (_req, socket) => {
    socket.on('error', () => {});
    refuse(
      socket,
      new BridgeError('METHOD_NOT_ALLOWED', 'CONNECT is refused: this gateway opens no tunnels', {
        hint: 'call http://api.weixin.qq.com instead of https:// when the gateway is set as HTTP proxy',
      }),
    );
  });
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    socket.on('error', () => {});
    if (refused.has(socket)) return;
    refused.add(socket);
    let answering = false;
    for (const [res, call] of open) {
      if (res.socket !== socket) continue;
      answering ||= res.headersSent;
      gateway.abandon(call);
    }
    // RFC 9112, section 8: a request that breaks off needs no answer; its sender is most likely gone.
    const gone = error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_EOF_STATE' || !socket.writable;
    if (gone || answering) {
      socket.destroy();
      return;
    }
    refuse(socket, clientFault(error));
  });

  await listen(server, options.host, options.port);
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    async close(timeoutMs) {
      closing = true;
      const done = new AbortController();
      clock.sleep(timeoutMs, done.signal).then(
        () => server.closeAllConnections(),
        () => {},
      );
      await new Promise<void>(resolve => {
        server.close(() => resolve());
      });
      done.abort();
    },
  };
}

/** Breaks an answer off in a way that cannot be taken for its end, even where only closing marks that. */
function cut(res: ServerResponse): void {
  const { socket } = res;
  if (socket === null || socket.destroyed) res.destroy();
  else socket.resetAndDestroy();
}

/** What Node's parser objected to, as an error of ours. Its words are fixed texts without request data. */
function clientFault(error: NodeJS.ErrnoException & { readonly reason?: string }): BridgeError {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BridgeError('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return new BridgeError(
        'REQUEST_HEAD_TOO_LARGE',
        `the request head is larger than ${MAX_HEAD_BYTES} bytes`,
      );
    default:
      return new BridgeError(
        'REQUEST_MALFORMED',
        `the request is not valid HTTP/1.1: ${error.reason ?? error.code ?? 'unknown'}`,
      );
  }
}

/** Writes an answer out by hand, for connections Node has no response for; the connection closes after it. */
function serialize(answer: Answer): Buffer {
  let head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}\r\n`;
  for (let i = 0; i < answer.headers.length; i += 2)
    head += `${answer.headers[i]}: ${answer.headers[i + 1]}\r\n`;
  head += 'connection: close\r\n\r\n';
  const body = Buffer.isBuffer(answer.body) ? answer.body : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
