import { constants } from 'node:crypto';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { http1Options, serveHttp1 } from './http-listener.ts';

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
    ...http1Options(options),
    ...secureContext(certificates.current()),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
  });
  certificates.onChange(certificate => server.setSecureContext(secureContext(certificate)));

  const http1 = serveHttp1(server, options);
  const http2 = createHttp2Sessions({
    gateway,
    clock,
    log,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? KEEP_ALIVE_MS,
  });
  chooseByAlpn(server, socket => http2.serve(socket));

  // Node would report a failed handshake as a malformed request, and an answer to that could not be sent.
  server.removeAllListeners('tlsClientError');
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
    beginClosing() {
      http1.beginClosing();
      http2.close();
    },
    breakOff() {
      for (const socket of sockets) socket.destroy();
    },
  });
}

/** Takes connections that agreed on HTTP/2 away from Node's own handler, which has the rest. */
function chooseByAlpn(server: Server, serveHttp2: (socket: TLSSocket) => void): void {
  const handlers = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', socket => {
    if (socket.alpnProtocol === 'h2') serveHttp2(socket);
    else for (const handle of handlers) handle.call(server, socket);
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
