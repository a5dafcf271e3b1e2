import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Answer, Call, Handler } from './call.ts';
import { Exchange, ExchangeError } from './exchange.ts';
import { forwardedHeaders } from './headers.ts';
import type { GatewaySettings } from './settings.ts';
import type { Upstreams } from './upstreams.ts';

/** What forwarding needs. */
export interface ForwardOptions {
  readonly settings: () => GatewaySettings;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
}

/** Sends the call to its platform and gives back the answer. Redirects are answers like any other. */
export function forward(options: ForwardOptions): Handler {
  return async call => {
    const body = await call.requestBody?.take();
    try {
      return await send(call, body, options);
    } catch (error) {
      if (body instanceof Readable) body.destroy();
      if (!(error instanceof ExchangeError)) throw error;
      if (!maySendAgain(call, body, error)) throw error.fault;
      return await send(call, body, options).catch(unwrap);
    }
  };
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

function unwrap(error: unknown): never {
  throw error instanceof ExchangeError ? error.fault : error;
}

function send(call: Call, body: Buffer | Readable | undefined, options: ForwardOptions): Promise<Answer> {
  if (call.fault !== undefined) return Promise.reject(call.fault);
  const { upstream, maxResponseBytes } = options.settings();
  const origin = upstream[(call.platform as Platform).upstream];
  const { method, headers: received, remoteAddress } = call.incoming;
  const headers = forwardedHeaders(received, call.hopByHop, remoteAddress);
  // A Buffer's length is known to undici; a stream's is not.
  if (body !== undefined && !Buffer.isBuffer(body) && call.bodyLength !== undefined) {
    headers.push('content-length', String(call.bodyLength));
  }
  const path = call.outgoingQuery === '' ? call.path : `${call.path}?${call.outgoingQuery}`;
  return new Promise<Answer>((resolve, reject) => {
    const host = origin.slice(origin.indexOf('://') + 3);
    const exchange = new Exchange({ call, host, maxResponseBytes, now: options.clock.now, resolve, reject });
    call.sends += 1;
    options.upstreams.dispatch(origin, { path, method, headers, body: body ?? null }, exchange);
  });
}
