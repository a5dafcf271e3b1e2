import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { createServer } from 'node:tls';
import { createServerConnections } from './http1/server-connections.ts';
import { createHttp2Sessions } from './http2-sessions.ts';
import type { HttpListener, HttpListenerOptions } from './listener.ts';
import { KEEP_ALIVE_MS, openListener } from './listener.ts';
import type { ServerCertificate } from './tls/authority.ts';
import type { ServerCertificates } from './tls/server-certificates.ts';

/** What an HTTPS listener is made of. */
export interface HttpsListenerOptions extends HttpListenerOptions {
  readonly certificates: ServerCertificates;
  /** Longest wait for a TLS handshake, in milliseconds. Default 10 s. */
  readonly handshakeTimeoutMs?: number;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Listens for TLS 1.2 or later and hands every request to the gateway. Callers choose HTTP/2 or HTTP/1.1
 * by ALPN (RFC 7301); without it they speak HTTP/1.1. A new certificate is used from the next connection
 * on. Rejects when the address cannot be had.
 */
export async function listenHttps(options: HttpsListenerOptions): Promise<HttpListener> {
  const { gateway, clock, log, certificates } = options;
  const server = createServer({
    ...secureContext(certificates.current()),
    ALPNProtocols: ['h2', 'http/1.1'],
    noDelay: true,
    handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
  });
  certificates.onChange(certificate => server.setSecureContext(secureContext(certificate)));

  const http1 = createServerConnections(options);
  const http2 = createHttp2Sessions({
    gateway,
    clock,
    log,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? KEEP_ALIVE_MS,
  });
  server.on('secureConnection', socket => {
    if (socket.alpnProtocol === 'h2') http2.serve(socket);
    else http1.serve(socket);
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    log.debug({ code: error.code, from: socket.remoteAddress }, 'a TLS handshake failed');
    socket.destroy();
  });

  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return openListener(server, options, {
    beginDraining() {
      http1.beginDraining();
      http2.retire();
    },
    beginClosing() {
      http1.beginClosing();
      http2.close();
    },
    breakOff() {
      for (const socket of sockets) socket.destroy();
    },
  });
}

/** Replacing the context of a server replaces all of it, so this is more than the certificate. */
function secureContext({ certificate, privateKey }: ServerCertificate): SecureContextOptions {
  return {
    cert: certificate,
    key: privateKey,
    minVersion: 'TLSv1.2',
    // A caller that renegotiates costs more than it pays; nobody needs it, and TLS 1.3 has it no more.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}
