import type { BoundSocket, OnReadOpts } from 'node:net';
import { Socket } from 'node:net';

/** What Node keeps in a socket for itself. */
interface SocketInside {
  /** The connection. */
  _handle?: { readonly useUserBuffer?: unknown } | null;
  /** The server that counts it among its connections. */
  _server?: object | null;
}

/**
 * Has an accepted connection read into memory of ours, as `onread` does for connections one makes oneself;
 * Node has no such option for a server's. New memory and a stream's queue for each read took a tenth of a
 * small call, and the garbage of large bodies nearly half of an upload. So the connection is moved to a
 * socket made with that option. Gives undefined, leaving the socket as it is, where this Node.js has no such
 * parts.
 */
export function adoptSocket(accepted: Socket, onread: OnReadOpts): Socket | undefined {
  const inside = accepted as SocketInside;
  const { _handle: handle, _server: server } = inside;
  if (typeof handle?.useUserBuffer !== 'function' || server === undefined) return undefined;
  inside._handle = null;
  inside._server = null;
  const socket = new Socket({ handle: handle as BoundSocket, onread });
  (socket as SocketInside)._server = server;
  return socket;
}
