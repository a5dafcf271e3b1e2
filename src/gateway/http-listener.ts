import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { BridgeError } from '../base/errors.ts';
import type { Answer, Call } from './call.ts';
import type { Closing, HttpListener, HttpListenerOptions } from './listener.ts';
import {
  DEAD_SOCKET_MS,
  headTooLarge,
  KEEP_ALIVE_MS,
  LINGER_MS,
  MAX_HEAD_BYTES,
  openListener,
  tunnelRefused,
} from './listener.ts';

export type { HttpListener, HttpListenerOptions } from './listener.ts';

/** Up to this size the rest of an unread request is read away; over it the connection is closed. */
const READ_AWAY_BYTES = 64 * 1024;

/**
 * Bodies up to this size go out in one piece with their head. Node joins the two only for a string; Latin-1
 * takes every byte there and back, and one piece costs less than a gathered write of two.
 */
const ONE_WRITE_BYTES = 16 * 1024;

/** A request under way. */
interface OpenCall {
  readonly res: ServerResponse;
  readonly call: Call;
}

/** A request's wish to be told before it sends its body. */
interface Continue {
  sent: boolean;
  send(): void;
}

/** Listens for HTTP/1.1 and hands every request to the gateway. Rejects when the address cannot be had. */
export function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const server = createServer(http1Options(options));
  const { beginClosing } = serveHttp1(server, options);
  return openListener(server, options, { beginClosing, breakOff: () => server.closeAllConnections() });
}

/** What a server of Node's that speaks HTTP/1.1 is to be made with. */
export function http1Options(options: HttpListenerOptions): ServerOptions {
  return {
    insecureHTTPParser: false,
    requireHostHeader: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: options.headersTimeoutMs ?? 15_000,
    requestTimeout: options.requestTimeoutMs ?? 60_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(5000, options.headersTimeoutMs ?? 5000),
    optimizeEmptyRequests: true,
  };
}

/** Hands every HTTP/1.1 request that a server of Node's gets to the gateway, whatever carries it. */
export function serveHttp1(server: Server, options: HttpListenerOptions): Pick<Closing, 'beginClosing'> {
  const { gateway, clock, log } = options;
  /** What is under way on each connection: one request, or more when a caller sends ahead. No Map: see createDeadlines. */
  const open = new WeakMap<Duplex, OpenCall[]>();
  let closing = false;

  const callsOn = (connection: Duplex): OpenCall[] => {
    const known = open.get(connection);
    if (known !== undefined) return known;
    const fresh: OpenCall[] = [];
    open.set(connection, fresh);
    return fresh;
  };

  const onRequest = (req: IncomingMessage, res: ServerResponse, awaits?: Continue): void => {
    const call = gateway.open({
      method: req.method ?? '',
      target: req.url ?? '',
      headers: req.rawHeaders,
      body: req,
      remoteAddress: req.socket.remoteAddress ?? '',
      sendContinue: awaits?.send,
    });
    const own: OpenCall = { res, call };
    const calls = callsOn(req.socket);
    calls.push(own);
    res.on('close', () => {
      calls.splice(calls.indexOf(own), 1);
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
      if (body === undefined || req.method === 'HEAD') res.end();
      else if (body.length > ONE_WRITE_BYTES) res.end(body);
      else res.end(body.toString('latin1'), 'latin1');
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

  // With a count limit Node drops further headers silently; the size limit is enough.
  server.maxHeadersCount = 0;
  server.maxConnections = options.maxConnections ?? 20_000;
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
    refuse(socket, tunnelRefused());
  });
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    socket.on('error', () => {});
    if (refused.has(socket)) return;
    refused.add(socket);
    let answering = false;
    for (const { res, call } of callsOn(socket)) {
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

  return {
    beginClosing() {
      closing = true;
    },
  };
}

/** Breaks an answer off in a way that cannot be taken for its end, even where only closing marks that. */
function cut(res: ServerResponse): void {
  const { socket } = res;
  // Under TLS the end is marked by an alert (RFC 8446, section 6.1), which a destroyed connection lacks.
  if (socket === null || socket.destroyed || socket instanceof TLSSocket) res.destroy();
  else socket.resetAndDestroy();
}

/** What Node's parser objected to, as an error of ours. Its words are fixed texts without request data. */
function clientFault(error: NodeJS.ErrnoException & { readonly reason?: string }): BridgeError {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BridgeError('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return headTooLarge();
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
