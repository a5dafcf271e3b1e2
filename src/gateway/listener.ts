import type { AddressInfo, Server } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Gateway } from './gateway.ts';

/** A listening socket. */
export interface HttpListener {
  readonly address: string;
  readonly port: number;
  /** Tells callers from now on that their connections end, so that they open others, and goes on serving. */
  drain(): void;
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
  /** Most connections at once; more are closed as they come. Default 20 000. */
  readonly maxConnections?: number;
  /** Longest wait for a request's headers, in milliseconds. Default 15 s. */
  readonly headersTimeoutMs?: number;
  /** Longest wait for a whole request, in milliseconds. Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept, in milliseconds. Default 65 s, longer than usual clients keep theirs. */
  readonly keepAliveTimeoutMs?: number;
}

const MAX_CONNECTIONS = 20_000;

/** Request heads over this size are refused. */
export const MAX_HEAD_BYTES = 16 * 1024;

/** A connection on which nothing moved for so long is broken off, whatever it waits for. */
export const DEAD_SOCKET_MS = 120_000;

/** How long an idle connection is kept unless told otherwise. */
export const KEEP_ALIVE_MS = 65_000;

/** How long a caller that is still sending gets to notice that it was answered. */
export const LINGER_MS = 2000;

/**
 * How long a connection that was accepted just before the end gets to send its first request, which may be
 * on its way already.
 */
export const FIRST_REQUEST_MS = 1000;

/** How a listener ends. */
export interface Closing {
  /** Tells callers that their connections end, from now on; connections without a call stay. */
  beginDraining(): void;
  /** Ends connections, each when nothing is under way on it. */
  beginClosing(): void;
  /** Breaks off what is still under way. */
  breakOff(): void;
}

/** Begins to listen. Rejects when the address cannot be had. */
export async function openListener(
  server: Server,
  { host, clock, ...options }: HttpListenerOptions,
  { beginDraining, beginClosing, breakOff }: Closing,
): Promise<HttpListener> {
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  await listen(server, host, options.port);
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    drain: beginDraining,
    async close(timeoutMs) {
      beginClosing();
      const done = new AbortController();
      clock.sleep(timeoutMs, done.signal).then(breakOff, () => {});
      await new Promise<void>(resolve => {
        server.close(() => resolve());
      });
      done.abort();
    },
  };
}

/** The refusal of a CONNECT request. */
export function tunnelRefused(): BridgeError {
  return new BridgeError('METHOD_NOT_ALLOWED', 'CONNECT is refused: this gateway opens no tunnels', {
    hint: 'call http://api.weixin.qq.com instead of https:// when the gateway is set as HTTP proxy',
  });
}

/** The refusal of a request head that HTTP/1.1, in which calls go on to the platform, has no form for. */
export function headMalformed(): BridgeError {
  return new BridgeError(
    'REQUEST_MALFORMED',
    'the method or a header has characters that HTTP does not allow',
  );
}

/** The refusal of what is not HTTP/1.1; `fault` is a fixed text that holds nothing of what was sent. */
export function requestMisread(fault: string): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', `the request is not valid HTTP/1.1: ${fault}`);
}

/** The refusal of a request that does not arrive. */
export function requestTooLate(): BridgeError {
  return new BridgeError('REQUEST_TIMEOUT', 'the request did not arrive in time');
}

/** The refusal of a request head that is too large. */
export function headTooLarge(): BridgeError {
  return new BridgeError('REQUEST_HEAD_TOO_LARGE', `the request head is larger than ${MAX_HEAD_BYTES} bytes`);
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
