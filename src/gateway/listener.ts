import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
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
  /** Most connections at once; more are closed as they come. Default 20 000. */
  readonly maxConnections?: number;
  /** Longest wait for a request's headers, in milliseconds. Default 15 s. */
  readonly headersTimeoutMs?: number;
  /** Longest wait for a whole request, in milliseconds. Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept, in milliseconds. Default 65 s, longer than usual clients keep theirs. */
  readonly keepAliveTimeoutMs?: number;
}

/** Request heads over this size are refused. */
export const MAX_HEAD_BYTES = 16 * 1024;

/** A connection on which nothing moved for so long is broken off, whatever it waits for. */
export const DEAD_SOCKET_MS = 120_000;

/** How long an idle connection is kept unless told otherwise. */
export const KEEP_ALIVE_MS = 65_000;

/** How long a caller that is still sending gets to notice that it was answered. */
export const LINGER_MS = 2000;

/** How a listener ends. */
export interface Closing {
  /** Tells callers that their connections end, from now on. */
  beginClosing(): void;
  /** Breaks off what is still under way. */
  breakOff(): void;
}

/** Begins to listen. Rejects when the address cannot be had. */
export async function openListener(
  server: Server,
  { host, clock, ...options }: HttpListenerOptions,
  { beginClosing, breakOff }: Closing,
): Promise<HttpListener> {
  await listen(server, host, options.port);
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
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
