import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { METHODS } from './node-http.ts';
import { CR, HttpSyntaxError, LF, SPACE } from './syntax.ts';

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** As sent; visible ASCII only. */
  readonly target: string;
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minor: 0 | 1;
  readonly fields: Fields;
}

/** The registered methods; others are more likely an attack than an API. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

const VERSION = 'HTTP/1.';

/**
 * Reads a request's head, which ends before the blank line at `end`. Throws HttpSyntaxError when it is not
 * strictly well-formed (RFC 9112, section 3), or when HTTP/1.0 comes with chunks, which it does not have.
 */
export function readRequestHead(text: string, end: number): RequestHead {
  const methodEnd = text.indexOf(' ');
  const method = methodAt(text, methodEnd);
  let at = methodEnd + 1;
  for (let code = text.charCodeAt(at); code > SPACE && code < 0x7f; code = text.charCodeAt(at)) at += 1;
  if (at === methodEnd + 1 || text.charCodeAt(at) !== SPACE)
    throw new HttpSyntaxError('the request target is not well-formed');
  const target = text.slice(methodEnd + 1, at);
  const minor = minorAt(text, at + 1);
  const fields = readFields(text, at + 1 + VERSION.length + 3, end);
  if (minor === 0 && fields.chunked) throw new HttpSyntaxError('HTTP/1.0 has no Transfer-Encoding');
  return { method, target, minor, fields };
}

/** Whether the connection is kept after the answer, as far as the caller has a say (RFC 9112, section 9.3). */
export function isKept({ minor, fields }: RequestHead): boolean {
  return minor === 1 ? !fields.closes : fields.keepsAlive && !fields.closes;
}

function methodAt(text: string, end: number): string {
  if (end === 3 && text.startsWith('GET')) return 'GET';
  if (end === 4 && text.startsWith('POST')) return 'POST';
  const method = end === -1 ? '' : text.slice(0, end);
  if (!KNOWN_METHODS.has(method)) throw new HttpSyntaxError('the method is not one of HTTP');
  return method;
}

function minorAt(text: string, at: number): 0 | 1 {
  const digit = text.charCodeAt(at + VERSION.length) - 0x30;
  const wellFormed =
    text.startsWith(VERSION, at) &&
    (digit === 0 || digit === 1) &&
    text.charCodeAt(at + VERSION.length + 1) === CR &&
    text.charCodeAt(at + VERSION.length + 2) === LF;
  if (!wellFormed) throw new HttpSyntaxError('the version is neither HTTP/1.1 nor HTTP/1.0');
  return digit === 0 ? 0 : 1;
}
