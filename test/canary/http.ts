import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import type { Evidence } from './evidence.ts';
import type { CanaryKind } from './planted.ts';

/** A request as one of the run's drivers sends it. */
export interface Asked {
  readonly method?: string;
  /** From the path on. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; text as it is. */
  readonly body?: unknown;
  /** Kinds that an answer with status 200 may hold, because handing them out is its purpose. */
  readonly may?: readonly CanaryKind[];
}

/** An answer, which has been kept as evidence. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** Sends requests and keeps every answer, heads and bodies. */
export interface Http {
  ask(origin: string, asked: Asked): Promise<Answered>;
  /** The same over HTTPS, by HTTP/1.1 or HTTP/2. */
  askTls(origin: string, version: 1 | 2, ca: string, asked: Asked): Promise<Answered>;
  /** Writes bytes as they are and keeps what comes back until the other side closes, or says no more. */
  raw(origin: string, bytes: string): Promise<string>;
}

/** Makes the one way by which a run asks anything. */
export function createHttp(evidence: Evidence): Http {
  const keep = (where: string, asked: Asked, status: number, head: unknown, body: Uint8Array): Answered => {
    const { method = 'GET', target, may = [] } = asked;
    const [path] = target.split('?', 1);
    const name = `answer ${status} of ${where} ${method} ${path}`;
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
    evidence.add(name, content, status === 200 ? may : ['id']);
    return {
      status,
      headers: head as Record<string, string>,
      text: Buffer.from(body).toString(),
      json: parsed(Buffer.from(body).toString()),
    };
  };
  return {
    async ask(origin, asked) {
      const { method = 'GET', target, headers = {}, body } = asked;
      const answer = await fetch(origin + target, {
        method,
        headers: headersOf(headers, body),
        body: bodyOf(body) ?? null,
        redirect: 'manual',
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      return keep('HTTP/1.1', asked, answer.status, Object.fromEntries(answer.headers), bytes);
    },
    async askTls(origin, version, ca, asked) {
      const send = version === 1 ? sendHttps : sendHttp2;
      const { status, head, body } = await send(origin, ca, asked);
      return keep(version === 1 ? 'HTTPS' : 'HTTP/2', asked, status, head, body);
    },
    async raw(origin, bytes) {
      const { hostname, port } = new URL(origin);
      const socket = connect(Number(port), hostname);
      socket.write(bytes);
      const told = await text(socket);
      evidence.add(`answer on the wire to ${JSON.stringify(bytes.slice(0, 20))}`, told);
      return told;
    },
  };
}

function bodyOf(body: unknown): string | undefined {
  return body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
}

function headersOf(headers: Readonly<Record<string, string>>, body: unknown): Record<string, string> {
  return body === undefined ? { ...headers } : { 'content-type': 'application/json', ...headers };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

interface Received {
  readonly status: number;
  readonly head: unknown;
  readonly body: Uint8Array;
}

/** The name that the gateway's certificate is for. */
const HOST = 'api.weixin.qq.com';

async function sendHttps(origin: string, ca: string, asked: Asked): Promise<Received> {
  const { method = 'GET', target, headers = {}, body } = asked;
  return new Promise((resolve, reject) => {
    const options = { method, headers: { host: HOST, ...headersOf(headers, body) }, ca, servername: HOST };
    const sent = httpsRequest(origin + target, { ...options, agent: false }, answer => {
      buffer(answer).then(
        bytes => resolve({ status: answer.statusCode ?? 0, head: answer.headers, body: bytes }),
        reject,
      );
    });
    sent.on('error', reject);
    sent.end(bodyOf(body));
  });
}

async function sendHttp2(origin: string, ca: string, asked: Asked): Promise<Received> {
  const { method = 'GET', target, headers = {}, body } = asked;
  const session: ClientHttp2Session = connectHttp2(origin, { ca, servername: HOST });
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({
        ...{ ':method': method, ':path': target, ':authority': HOST },
        ...headersOf(headers, body),
      });
      let head: object = {};
      stream.on('response', received => {
        head = { ...received };
      });
      stream.on('error', reject);
      buffer(stream).then(
        bytes => resolve({ status: Number(Object(head)[':status']), head, body: bytes }),
        reject,
      );
      stream.end(bodyOf(body));
    });
  } finally {
    session.close();
  }
}
