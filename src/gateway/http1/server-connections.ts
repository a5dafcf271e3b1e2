import type { Socket } from 'node:net';
import type { Closing, HttpListenerOptions } from '../listener.ts';
import { KEEP_ALIVE_MS } from '../listener.ts';
import { createDateHeader } from './date-header.ts';
import { ServerConnection } from './server-connection.ts';
import type { ServerShare } from './server-share.ts';
import { createSweep } from './sweep.ts';

const READ_BUFFER_BYTES = 64 * 1024;
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** The HTTP/1.1 connections of one listener. */
export interface ServerConnections extends Closing {
  /** Serves a connection that was accepted elsewhere, whatever carries it. */
  serve(socket: Socket): void;
}

/** Makes the HTTP/1.1 side of a listener: every request becomes a call of the gateway. */
export function createServerConnections(options: HttpListenerOptions): ServerConnections {
  const { gateway, clock, log } = options;
  const keepAliveTimeoutMs = options.keepAliveTimeoutMs ?? KEEP_ALIVE_MS;
  const share: ServerShare = {
    gateway,
    clock,
    log,
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    sweep: createSweep(clock),
    date: createDateHeader(clock.now),
    headersTimeoutMs: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    keepAliveTimeoutMs,
    keepAliveLines: `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n`,
    draining: false,
    closing: false,
  };
  const connections = new Set<ServerConnection>();

  return {
    serve(socket) {
      // It may have closed while its handshake was looked at.
      if (socket.destroyed) return;
      const connection: ServerConnection = new ServerConnection(socket, share, () => {
        connections.delete(connection);
      });
      connections.add(connection);
      // Its handshake took until now, and its request may be on its way.
      if (share.closing) connection.retire();
    },
    beginDraining() {
      share.draining = true;
    },
    beginClosing() {
      share.draining = true;
      share.closing = true;
      for (const connection of connections) connection.retire();
    },
    breakOff() {
      for (const connection of connections) connection.breakOff();
    },
  };
}
