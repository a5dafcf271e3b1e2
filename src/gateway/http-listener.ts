import { createServer } from 'node:net';
import { createServerConnections } from './http1/server-connections.ts';
import type { HttpListener, HttpListenerOptions } from './listener.ts';
import { openListener } from './listener.ts';

export type { HttpListener, HttpListenerOptions } from './listener.ts';

/** Listens for HTTP/1.1 and hands every request to the gateway. Rejects when the address cannot be had. */
export function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const connections = createServerConnections(options);
  const server = createServer({ noDelay: true }, socket => connections.serve(socket));
  return openListener(server, options, connections);
}
