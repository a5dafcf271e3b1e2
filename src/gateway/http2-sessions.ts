import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { constants, performServerHandshake } from 'node:http2';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Answer, Call, RawHeaders } from './call.ts';
import type { Gateway } from './gateway.ts';
import { http2AnswerHeaders, isSayableInHttp1, readHttp2Head } from './http2-headers.ts';
import {
  DEAD_SOCKET_MS,
  FIRST_REQUEST_MS,
  headMalformed,
  headTooLarge,
  LINGER_MS,
  MAX_HEAD_BYTES,
  tunnelRefused,
} from './listener.ts';

/** What HTTP/2 is served with. */
export interface Http2Options {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a connection without requests is kept, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
}

/** Serves HTTP/2 on connections that were accepted elsewhere. */
export interface Http2Sessions {
  serve(socket: TLSSocket): void;
  /**
   * Takes no new requests on the connections there are; they end when the requests under way are answered.
   * A request that crosses the word of it is not served, and its caller is told so: REFUSED_STREAM, after
   * which clients send it again by themselves (RFC 9113, section 8.7).
   */
  retire(): void;
  /** As `retire`, and for connections that come to be as well. */
  close(): void;
}

/** Requests at once on one connection; a caller that wants more waits, or opens another. */
const MAX_STREAMS = 256;

/** What may be on its way to us on one connection, whatever the number of requests. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/**
 * Limits of a connection. Those on resets (CVE-2023-44487), on pings and settings to be acknowledged
 * (CVE-2019-9512, -9515) and on continued heads (CVE-2024-27983) are kept by nghttp2.
 */
const SESSION_OPTIONS = {
  // What is announced binds the caller only once it has said so, and counts 32 bytes more for each header
  // (RFC 9113, section 6.5.2). Our own limit answers instead of resetting the stream; see `onStream`.
  settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 4 * MAX_HEAD_BYTES, enablePush: false },
  // A compressed head can name one large header very often; over this number the stream is reset.
  maxHeaderListPairs: 512,
  // Enough for every stream to have a full window of its answer waiting.
  maxSessionMemory: 32,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxSettings: 16,
  streamResetBurst: 1000,
  streamResetRate: 100,
  // The platform's headers are passed on as they come, doubled ones included.
  strictSingleValueFields: false,
};

const { NGHTTP2_NO_ERROR } = constants;

/** Statuses whose answers have no body (RFC 9110, section 6.4.1), besides those to HEAD. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** Makes the HTTP/2 side of a listener (RFC 9113): each stream becomes a call of the gateway. */
export function createHttp2Sessions(options: Http2Options): Http2Sessions {
  const { gateway, clock, log, keepAliveTimeoutMs } = options;
  /** The connections, and whether a request has come on each. */
  const sessions = new Map<ServerHttp2Session, { used: boolean }>();
  let closing = false;

  /** Gives the peer a moment to close the connection, then does it without the peer. */
  const dismiss = (socket: TLSSocket): void => {
    const done = new AbortController();
    socket.once('close', () => done.abort());
    clock.sleep(LINGER_MS, done.signal).then(
      () => socket.destroy(),
      () => {},
    );
  };

  const serve = (socket: TLSSocket): void => {
    socket.on('error', () => {});
    const remoteAddress = socket.remoteAddress ?? '';
    const session = performServerHandshake(socket, SESSION_OPTIONS);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    const state = { used: false };
    sessions.set(session, state);
    let streams = 0;

    socket.once('finish', () => dismiss(socket));
    session.once('close', () => sessions.delete(session));
    // By then Node has ended the session and with it every stream, each of which says so itself.
    session.on('error', () => dismiss(socket));
    session.on('timeout', () => {
      if (streams > 0) {
        socket.destroy();
        return;
      }
      session.close();
      dismiss(socket);
    });
    session.setTimeout(keepAliveTimeoutMs);
    session.on('stream', (stream, _headers, _flags, rawHeaders) => {
      if (streams === 0) session.setTimeout(DEAD_SOCKET_MS);
      streams += 1;
      state.used = true;
      stream.once('close', () => {
        streams -= 1;
        if (streams === 0 && !session.destroyed) session.setTimeout(keepAliveTimeoutMs);
      });
      onStream(stream, rawHeaders, remoteAddress);
    });
    if (closing) end(session, state.used);
  };

  /** A new connection ends with its first request, which may be on its way. */
  const end = (session: ServerHttp2Session, used: boolean): void => {
    if (session.closed) return;
    if (used) {
      session.close();
      return;
    }
    session.setTimeout(FIRST_REQUEST_MS);
    session.once('stream', () => session.close());
  };

  const onStream = (stream: ServerHttp2Stream, rawHeaders: RawHeaders, remoteAddress: string): void => {
    stream.on('error', () => {});
    const head = readHttp2Head(rawHeaders, stream.endAfterHeaders);
    const { method, target, headers, awaits, size } = head;
    if (method === 'CONNECT') {
      refuse(stream, tunnelRefused(), remoteAddress);
      return;
    }
    if (size > MAX_HEAD_BYTES) {
      refuse(stream, headTooLarge(), remoteAddress);
      return;
    }
    if (!isSayableInHttp1(head)) {
      refuse(stream, headMalformed(), remoteAddress);
      return;
    }
    const call = gateway.open({
      method,
      target,
      headers,
      body: stream,
      remoteAddress,
      sendContinue: awaits ? () => sendContinue(stream) : undefined,
    });
    // A stream that waits for its peer's window can be dead while its connection is busy with others.
    stream.setTimeout(DEAD_SOCKET_MS, () => breakOff(stream));
    stream.once('close', () => {
      if (!stream.headersSent || !stream.writableFinished || stream.rstCode !== NGHTTP2_NO_ERROR)
        gateway.abandon(call);
    });
    gateway.handle(call).then(
      answer => send(stream, answer, call),
      error => {
        log.error(
          { seqid: call.seqid, error: error instanceof Error ? error.name : 'unknown' },
          'the gateway failed',
        );
        breakOff(stream);
      },
    );
  };

  const refuse = (stream: ServerHttp2Stream, error: BridgeError, from: string): void => {
    gateway.refuse(error, from).then(
      answer => send(stream, answer),
      () => breakOff(stream),
    );
  };

  const send = (stream: ServerHttp2Stream, answer: Answer, call?: Call): void => {
    const { body, status } = answer;
    const bodiless = call?.incoming.method === 'HEAD' || BODILESS.has(status) || body === undefined;
    if (stream.destroyed || stream.closed || call?.callerGone === true) {
      if (body instanceof Readable) body.destroy();
      return;
    }
    try {
      stream.respond(http2AnswerHeaders(answer), { endStream: bodiless });
    } catch (error) {
      // A status or a header that HTTP/1.1 let through and HTTP/2 has no form for.
      log.warn({ seqid: call?.seqid, status, err: error }, 'the answer cannot be sent over HTTP/2');
      if (body instanceof Readable) body.destroy();
      breakOff(stream);
      return;
    }
    if (body instanceof Readable) {
      if (bodiless) body.destroy();
      else {
        body.on('error', () => breakOff(stream));
        body.pipe(stream);
      }
    } else if (!bodiless) stream.end(body);
    if (stream.endAfterHeaders) stream.resume();
    else if (!stream.readableEnded) readAway(stream);
  };

  /**
   * What the caller still sends is thrown away. If that goes on after the answer is out, it is told that
   * it may stop, without an error (RFC 9113, section 8.1): some clients would drop the answer at once.
   */
  const readAway = (stream: ServerHttp2Stream): void => {
    const done = new AbortController();
    stream.once('close', () => done.abort());
    const linger = (): void => {
      stream.resume();
      clock.sleep(LINGER_MS, done.signal).then(
        () => stream.close(NGHTTP2_NO_ERROR),
        () => {},
      );
    };
    if (stream.writableFinished) linger();
    else stream.once('finish', linger);
  };

  const retire = (): void => {
    for (const [session, { used }] of sessions) end(session, used);
  };

  return {
    serve,
    retire,
    close() {
      closing = true;
      retire();
    },
  };
}

/**
 * Resets a stream with INTERNAL_ERROR. Node's `close()` would end it as if the answer were complete when
 * nothing waits to be sent; only `destroy()` with an error tells the caller that something is missing.
 */
function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error('the answer broke off'));
}

function sendContinue(stream: ServerHttp2Stream): void {
  if (!stream.destroyed && !stream.closed && !stream.headersSent)
    stream.additionalHeaders({ ':status': 100 });
}
