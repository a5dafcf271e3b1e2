import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { connect as connectHttp2 } from 'node:http2';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import { onTestFinished } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Secret } from '../base/secret.ts';
import { createSealer, newSealKey } from '../stores/sealing.ts';
import type { SettingTable } from '../stores/store.ts';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { startGateway } from './gateway.fixture.ts';
import type { HttpsListenerOptions } from './https-listener.ts';
import { listenHttps } from './https-listener.ts';
import type { HttpListener } from './listener.ts';
import type { CertificateAuthority } from './tls/authority.ts';
import { openAuthority } from './tls/authority.ts';
import type { ServerCertificates } from './tls/server-certificates.ts';
import { keepServerCertificates } from './tls/server-certificates.ts';
import type { TestUpstream } from './wire.fixture.ts';
import { startUpstream } from './wire.fixture.ts';

/** What the tests of HTTPS share: a gateway with a TLS listener, and plain clients for it. */

export const HOST = 'api.weixin.qq.com';

/** A setting table in memory. */
export function settingsInMemory(rows = new Map<string, string>()): SettingTable {
  return {
    async get(name) {
      return rows.get(name);
    },
    async putIfAbsent(name, value) {
      if (!rows.has(name)) rows.set(name, value);
      return rows.get(name) ?? value;
    },
    async put(name, value) {
      rows.set(name, value);
    },
  };
}

export interface TestHttps {
  readonly up: TestUpstream;
  readonly gw: TestGateway;
  readonly authority: CertificateAuthority;
  readonly certificates: ServerCertificates;
  readonly listener: HttpListener;
  readonly port: number;
}

export interface TestHttpsOptions extends Omit<TestGatewayOptions, 'origin' | 'listener'> {
  /** Instead of an upstream that answers `{"errcode":0}`. */
  readonly upstream?: TestUpstream;
  readonly https?: Partial<HttpsListenerOptions>;
}

/** A gateway behind HTTPS on a free port of the loopback, closed when the test ends. */
export async function startHttps(options: TestHttpsOptions = {}): Promise<TestHttps> {
  const { https, ...rest } = options;
  const clock = options.clock ?? systemClock;
  const up = options.upstream ?? (await startUpstream((_req, res) => res.end('{"errcode":0}')));
  const gw = await startGateway({ origin: up.origin, ...rest });
  const authority = await openAuthority({
    settings: settingsInMemory(),
    sealer: createSealer([new Secret(newSealKey())]),
    hosts: [HOST],
    now: clock.now(),
  });
  const certificates = keepServerCertificates({ authority, hosts: () => [HOST], clock, log: gw.log });
  const listener = await listenHttps({
    gateway: gw.gateway,
    clock: systemClock,
    log: gw.log,
    certificates,
    host: '127.0.0.1',
    port: 0,
    ...https,
  });
  onTestFinished(async () => {
    certificates.close();
    await listener.close(0);
    await gw.close();
    await up.close();
  });
  return { up, gw, authority, certificates, listener, port: listener.port };
}

/** A TLS connection that trusts the authority; rejects when the handshake fails. */
export function openTls(tls: TestHttps, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: tls.port,
      servername: HOST,
      ca: tls.authority.certificate,
      ...options,
    });
    onTestFinished(() => void socket.destroy());
    socket.once('secureConnect', () => resolve(socket));
    socket.on('error', reject);
  });
}

/** An HTTP/2 connection that trusts the authority; its errors are left to the streams. */
export function openHttp2(tls: TestHttps): ClientHttp2Session {
  const session = connectHttp2(`https://${HOST}`, {
    ca: tls.authority.certificate,
    createConnection: () =>
      connectTls({
        host: '127.0.0.1',
        port: tls.port,
        servername: HOST,
        ca: tls.authority.certificate,
        ALPNProtocols: ['h2'],
      }),
  });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

export interface Http2Answer {
  readonly status: number;
  /** As on the wire: name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly rstCode: number;
}

/** Sends a request on a new stream; `write` sends its body. Resolves when the stream has closed, whatever came. */
export function exchangeHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders | readonly string[],
  write?: (stream: ClientHttp2Stream) => void,
): Promise<Http2Answer> {
  return new Promise(resolve => {
    const stream = session.request(headers as OutgoingHttpHeaders, { endStream: write === undefined });
    let status = 0;
    let raw: readonly string[] = [];
    const chunks: Buffer[] = [];
    stream.on('response', (head, _flags, rawHeaders) => {
      status = Number(head[':status']);
      raw = rawHeaders;
    });
    stream.on('data', chunk => chunks.push(Buffer.from(chunk)));
    stream.on('error', () => {});
    stream.on('close', () =>
      resolve({ status, headers: raw, body: Buffer.concat(chunks), rstCode: stream.rstCode ?? 0 }),
    );
    write?.(stream);
  });
}
