import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Answer, Call, Handler } from './call.ts';
import { Exchange, ExchangeError } from './exchange.ts';
import { addFollowHeaders, followTrust } from './follow.ts';
import { forwardedHeaders } from './headers.ts';
import type { OutgoingRequest } from './http1/upstream-exchange.ts';
import type { RequestFraming } from './http1/write-request-head.ts';
import { writeRequestHead } from './http1/write-request-head.ts';
import type { FollowSettings, GatewaySettings } from './settings.ts';
import type { Upstreams } from './upstreams.ts';

/** What forwarding needs. */
export interface ForwardOptions {
  readonly settings: () => GatewaySettings;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** Given for a bridge that follows another: everything goes there. */
  readonly follow: (() => FollowSettings) | undefined;
}

/** Sends the call to its platform, or to the bridge that is followed, and gives back the answer. Redirects are answers like any other. */
export function forward(options: ForwardOptions): Handler {
  return call => {
    const body = call.requestBody?.take();
    return body instanceof Promise
      ? body.then(taken => send(call, taken, options))
      : send(call, body, options);
  };
}

function send(call: Call, body: Buffer | Readable | undefined, options: ForwardOptions): Promise<Answer> {
  return new Promise<Answer>((resolve, reject) => {
    const giveUp = (error: unknown): void => {
      if (body instanceof Readable) body.destroy();
      reject(error instanceof ExchangeError ? error.fault : error);
    };
    const attempt = (failed: (error: ExchangeError) => void): void => {
      try {
        dispatch(call, body, options, resolve, failed);
      } catch (error) {
        giveUp(error);
      }
    };
    attempt(error => {
      if (maySendAgain(call, body, error)) attempt(giveUp);
      else giveUp(error);
    });
  });
}

/**
 * A kept-alive connection may be closed by the platform just as it is used. Repeating is safe when no
 * byte of an answer came and the method changes nothing (RFC 9110, section 9.2.2).
 */
function maySendAgain(call: Call, body: Buffer | Readable | undefined, error: ExchangeError): boolean {
  const { method } = call.incoming;
  const repeatable = body === undefined || Buffer.isBuffer(body);
  return (
    error.unanswered && repeatable && call.fault === undefined && (method === 'GET' || method === 'HEAD')
  );
}

function dispatch(
  call: Call,
  body: Buffer | Readable | undefined,
  options: ForwardOptions,
  resolve: (answer: Answer) => void,
  reject: (error: ExchangeError) => void,
): void {
  if (call.fault !== undefined) throw call.fault;
  const { upstream, maxResponseBytes } = options.settings();
  const platform = call.platform as Platform;
  const follow = options.follow?.();
  const { method, headers: received, remoteAddress } = call.incoming;
  const pool =
    follow === undefined
      ? options.upstreams.poolOf(upstream[platform.upstream])
      : options.upstreams.poolOf(follow.gateway, followTrust(follow, platform));
  const headers = forwardedHeaders(received, call.hopByHop, remoteAddress);
  if (follow !== undefined) addFollowHeaders(headers, follow, call);
  const request: OutgoingRequest = {
    method,
    head: writeRequestHead({
      method,
      target: call.outgoingQuery === '' ? call.path : `${call.path}?${call.outgoingQuery}`,
      host: pool.authority,
      headers,
      framing: framingOf(call, body),
    }),
    body,
    bodyLength: call.bodyLength,
  };
  const exchange = new Exchange({
    call,
    request,
    host: pool.authority,
    maxResponseBytes,
    now: options.clock.now,
    resolve,
    reject,
  });
  call.sends += 1;
  pool.dispatch(exchange);
}

/** A body that was read whole has a length even if it came in chunks; an empty one is none. */
function framingOf(call: Call, body: Buffer | Readable | undefined): RequestFraming {
  if (body === undefined) return 'none';
  if (Buffer.isBuffer(body)) return body.length === 0 ? 'none' : body.length;
  return call.bodyLength ?? 'chunked';
}
