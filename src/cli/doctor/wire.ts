import { lookup } from 'node:dns/promises';
import { createServer, isIP, connect as openTcp, type Socket } from 'node:net';
import { connect as openTls, type PeerCertificate } from 'node:tls';
import { Agent, request } from 'undici';
import { systemClock } from '../../base/clock.ts';
import { jsonObjectIn } from '../../base/json-object.ts';
import type { RedisLook } from '../../stores/redis/look.ts';
import type { RedisSettings } from '../../stores/redis/settings.ts';

/** Answers are looked at, not kept: nothing the doctor asks for is larger. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** What to ask over HTTP. */
export interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** PEM of the only authority to trust, and the name the server must prove, when not the usual ones. */
  readonly ca?: string | undefined;
  readonly servername?: string | undefined;
  readonly timeoutMs: number;
}

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Parsed when the text is a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

/** What a TLS server proved. */
export interface Handshake {
  /** Why its certificate is not trusted; undefined when it is. */
  readonly refusal: string | undefined;
  readonly issuer: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** The network as the doctor uses it. Everything rejects with Node's error, which has a `code`. */
export interface Wire {
  /** Addresses of a name, as programs of this machine would find them. */
  lookup(host: string): Promise<readonly string[]>;
  /** Opens a connection and closes it. */
  connect(host: string, port: number, timeoutMs: number): Promise<void>;
  handshake(host: string, port: number, servername: string, timeoutMs: number): Promise<Handshake>;
  /** Whether the address can be listened on: `free`, or the code of the error. */
  bind(host: string, port: number): Promise<string>;
  /** Redirects are not followed and proxies not used, as the bridge itself does neither. */
  ask(question: Question): Promise<Reply>;
  /** What is found at a Redis; rejects with nothing. */
  redis(settings: RedisSettings, timeoutMs: number): Promise<RedisLook>;
}

/** The real network. */
export const systemWire: Wire = {
  async lookup(host) {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  },
  async connect(host, port, timeoutMs) {
    const socket = openTcp({ host, port });
    await opened(socket, 'connect', timeoutMs);
    socket.destroy();
  },
  async handshake(host, port, servername, timeoutMs) {
    // A certificate nobody trusts must be looked at too; nothing is sent over this connection.
    const name = isIP(servername) === 0 ? { servername } : {};
    const socket = openTls({ host, port, ...name, rejectUnauthorized: false });
    await opened(socket, 'secureConnect', timeoutMs);
    const certificate = socket.getPeerCertificate();
    const refusal = socket.authorized ? undefined : String(socket.authorizationError);
    socket.destroy();
    return { refusal, issuer: issuerOf(certificate), expiresAt: Date.parse(certificate.valid_to) };
  },
  bind(host, port) {
    return new Promise(resolve => {
      const server = createServer();
      server.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'unknown'));
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')));
    });
  },
  async ask({ url, headers, ca, servername, timeoutMs }) {
    const agent = new Agent({ connect: { ...(ca && { ca }), ...(servername && { servername }) } });
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await request(url, { dispatcher: agent, headers: headers ?? {}, signal });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer.body) {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) break;
        chunks.push(chunk);
      }
      const text = Buffer.concat(chunks).toString('utf8');
      return { status: answer.statusCode, headers: answer.headers, text, json: jsonObjectIn(text) };
    } finally {
      await agent.destroy();
    }
  },
  async redis(settings, timeoutMs) {
    // The driver is loaded only for a Redis, as it takes megabytes.
    const { lookAtRedis } = await import('../../stores/redis/look.ts');
    return lookAtRedis(settings, { clock: systemClock, random: Math.random, timeoutMs });
  },
};

function opened(socket: Socket, event: 'connect' | 'secureConnect', timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
      timeoutMs,
    );
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
    // Stays for good: what happens to a connection that has served its purpose is nobody's business.
    socket.on('error', error => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function issuerOf(certificate: PeerCertificate): string {
  const { O: organisation, CN: name } = certificate.issuer ?? {};
  return [organisation ?? name ?? 'unknown'].flat().join(', ');
}
