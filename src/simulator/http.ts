import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Answer, JsonObject } from './answers.ts';
import { ApiError } from './errors.ts';

/** Largest request body taken: 40 MiB. The platform's own limits are lower and differ per API. */
export const MAX_BODY_BYTES = 40 * 1024 * 1024;

/** Idle connections stay open this long: longer than clients keep theirs, so that the client closes first. */
const KEEP_ALIVE_MS = 75_000;

/** A request that was read whole. */
export interface Incoming {
  method: string;
  /** The host that was asked for, in lower case and without a port; empty when none was named. */
  host: string;
  /** The request target as it arrived. */
  target: string;
  /** The path, undecoded, without the query. */
  path: string;
  query: URLSearchParams;
  /** Header names and values as they arrived, in turn. */
  rawHeaders: string[];
  contentType: string;
  body: Buffer;
  clientIp: string;
  /** The body as a JSON object. Throws ApiError 44002 when it is empty and 47001 when it is none. */
  json(): JsonObject;
}

/** What the server does with a request. `reply` may be called once, or never. */
export type OnRequest = (incoming: Incoming, reply: Reply) => Promise<void>;

export interface Reply {
  /** Sends the answer; with `cut`, destroys the connection once the headers or half of the body are out. */
  send(answer: Answer, cut?: 'headers' | 'body'): Promise<void>;
  /** Destroys the connection. */
  destroy(): void;
}

export interface ServerOptions {
  now: () => number;
  trustForwardedFor: boolean;
  onRequest: OnRequest;
}

/** Parses a JSON object, `{` to `}`. Throws ApiError 44002 or 47001, the platform's words for bad bodies. */
export function parseJsonObject(body: Buffer): JsonObject {
  if (body.length === 0) throw new ApiError(44002);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new ApiError(47001);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ApiError(47001);
  return value as JsonObject;
}

/** An IPv4 address mapped into IPv6 reads as IPv4. */
function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}

function clientIpOf(request: IncomingMessage, trustForwardedFor: boolean): string {
  if (trustForwardedFor) {
    const header = request.headers['x-forwarded-for'];
    const first = plainAddress((Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim() ?? '');
    if (isIP(first) !== 0) return first;
  }
  return plainAddress(request.socket.remoteAddress ?? '');
}

/** The host of a request; that of an absolute target comes before the header, RFC 9112 section 3.2.2. */
function hostOf(target: string, header: string | undefined): string {
  const authority = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1] ?? header ?? '';
  return authority.replace(/:\d*$/, '').toLowerCase();
}

/** Splits a request target, which may be in absolute form when the caller takes us for a proxy. */
function splitTarget(target: string): { path: string; query: string } {
  const relative = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/#.*$/, '');
  const mark = relative.indexOf('?');
  const path = mark < 0 ? relative : relative.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : relative.slice(mark + 1) };
}

type ReadBody = Buffer | 'too large' | 'aborted';

function readBody(request: IncomingMessage): Promise<ReadBody> {
  const declared = Number(request.headers['content-length']);
  if (declared > MAX_BODY_BYTES) return Promise.resolve('too large');
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) {
        chunks.length = 0;
        resolve('too large');
      } else {
        chunks.push(chunk);
      }
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', () => resolve('aborted'));
    request.on('close', () => resolve('aborted'));
  });
}

function incomingOf(request: IncomingMessage, body: Buffer, trustForwardedFor: boolean): Incoming {
  const target = request.url ?? '/';
  const { path, query } = splitTarget(target);
  let parsed: JsonObject | ApiError | undefined;
  return {
    method: request.method ?? 'GET',
    host: hostOf(target, request.headers.host),
    target,
    path,
    query: new URLSearchParams(query),
    rawHeaders: request.rawHeaders,
    contentType: request.headers['content-type'] ?? '',
    body,
    clientIp: clientIpOf(request, trustForwardedFor),
    json() {
      if (parsed === undefined) {
        try {
          parsed = parseJsonObject(body);
        } catch (error) {
          parsed = error as ApiError;
        }
      }
      if (parsed instanceof ApiError) throw parsed;
      return parsed;
    },
  };
}

/** The Date header from the simulator's clock, made once a second. */
function createDateHeader(now: () => number): () => string {
  let second = Number.NaN;
  let text = '';
  return () => {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      second = current;
      text = new Date(current * 1000).toUTCString();
    }
    return text;
  };
}

function replyTo(response: ServerResponse, date: () => string): Reply {
  const destroy = (): void => {
    response.socket?.destroy();
  };
  return {
    destroy,
    async send(answer, cut) {
      if (response.destroyed) return;
      const { body } = answer;
      const isBuffer = Buffer.isBuffer(body);
      const headers: Record<string, string | number> = { date: date(), ...answer.headers };
      if (isBuffer && headers['content-length'] === undefined) headers['content-length'] = body.length;
      // A cut answer must promise more than it sends, or nothing would look missing.
      if (cut !== undefined) headers['content-length'] = isBuffer ? Math.max(2, body.length) : 2;
      response.writeHead(answer.status, headers);
      if (cut !== undefined) {
        const half = isBuffer && cut === 'body' ? body.subarray(0, Math.max(1, body.length >> 1)) : undefined;
        if (half === undefined || half.length === 0) {
          response.flushHeaders();
          // The headers are in the socket's buffer now; end() sends them before it closes.
          response.socket?.end(destroy);
        } else {
          response.write(half, () => response.socket?.end(destroy));
        }
      } else if (isBuffer) {
        response.end(body);
      } else {
        // A caller that goes away in mid-stream is its own business.
        await pipeline(body, response).catch(destroy);
      }
    },
  };
}

/** Makes the server; it does not listen yet. */
export function createHttpServer(options: ServerOptions): Server {
  const date = createDateHeader(options.now);
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    async (request, response) => {
      response.sendDate = false;
      response.on('error', () => response.socket?.destroy());
      const reply = replyTo(response, date);
      const body = await readBody(request);
      if (body === 'aborted') return;
      if (body === 'too large') {
        // The rest is read and dropped, so that a caller who is still sending gets to read the answer.
        request.resume();
        const text = Buffer.from('request body is larger than 40 MiB');
        await reply.send({ status: 413, headers: { 'content-type': 'text/plain' }, body: text, errcode: 0 });
        return;
      }
      try {
        await options.onRequest(incomingOf(request, body, options.trustForwardedFor), reply);
      } catch (error) {
        if (response.headersSent) return reply.destroy();
        const text = Buffer.from(
          `the simulator failed: ${error instanceof Error ? error.message : String(error)}`,
        );
        await reply.send({ status: 500, headers: { 'content-type': 'text/plain' }, body: text, errcode: 0 });
      }
    },
  );
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) return;
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return server;
}
