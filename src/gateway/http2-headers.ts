import type { Answer, RawHeaders } from './call.ts';
import { isFieldValue, isToken } from './http1/syntax.ts';

/** A request's head in the words of HTTP/1.1, which everything behind a listener speaks. */
export interface Http2Head {
  readonly method: string;
  readonly target: string;
  readonly headers: RawHeaders;
  /** Whether it asks to be told before it sends its body. */
  readonly awaits: boolean;
  /** What its headers take in bytes, as HTTP/1.1 would write them. */
  readonly size: number;
}

/** Headers that make an HTTP/2 message malformed (RFC 9113, section 8.2.2). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
]);

/**
 * Reads the header list of an HTTP/2 request. `:authority` becomes `Host`, and stands beside a `Host` that
 * says something else, so that reading them finds two. A body whose length is not declared becomes a
 * chunked one, as that is what tells HTTP/1.1 of it. Pieces of `Cookie` are joined (RFC 9113, section 8.2.3).
 */
export function readHttp2Head(raw: RawHeaders, endsWithHead: boolean): Http2Head {
  const headers: string[] = [];
  let method = '';
  let target = '';
  let authority: string | undefined;
  let awaits = false;
  let hasLength = false;
  let cookieAt = -1;
  let size = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    size += name.length + value.length + ': \r\n'.length;
    switch (name) {
      case ':method':
        method = value;
        continue;
      case ':path':
        target = value;
        continue;
      case ':authority':
        authority = value;
        headers.push('host', value);
        continue;
      case 'host':
        if (value.toLowerCase() === authority?.toLowerCase()) continue;
        break;
      case 'content-length':
        hasLength = true;
        break;
      case 'expect':
        awaits = value.toLowerCase() === '100-continue';
        break;
      case 'cookie':
        if (cookieAt !== -1) {
          headers[cookieAt] += `; ${value}`;
          continue;
        }
        cookieAt = headers.length + 1;
        break;
    }
    if (!name.startsWith(':')) headers.push(name, value);
  }
  if (!hasLength && !endsWithHead) headers.push('transfer-encoding', 'chunked');
  return { method, target, headers, awaits, size };
}

/**
 * Whether a head can be passed on in HTTP/1.1 without a part of it becoming something else. nghttp2 lets none
 * through that cannot; calls go out as they are written, so this does not rest on it alone.
 */
export function isSayableInHttp1({ method, headers }: Http2Head): boolean {
  if (!isToken(method)) return false;
  for (let i = 0; i < headers.length; i += 2) {
    if (!isToken(headers[i] as string) || !isFieldValue(headers[i + 1] as string)) return false;
  }
  return true;
}

/** The header list an answer goes out with: names in lower case, `:status` first, what HTTP/2 forbids left out. */
export function http2AnswerHeaders({ status, headers }: Answer): string[] {
  const out = [':status', String(status)];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (!CONNECTION_HEADERS.has(name)) out.push(name, headers[i + 1] as string);
  }
  return out;
}
