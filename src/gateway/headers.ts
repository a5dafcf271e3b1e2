import { BridgeError } from '../base/errors.ts';
import type { RawHeaders } from './call.ts';
import { hostOf } from './target.ts';

/** Header by which a caller proves itself. It is ours and never reaches the platform. */
export const KEY_HEADER = 'x-bridge-key';

/** Header that names a call in every answer, as the hosted service has it. */
export const SEQID_HEADER = 'x-openapi-seqid';

/**
 * Headers that are not passed on, either way. The hosted service writes `te*` in its list; that is the
 * `TE` header of RFC 9110, as in the list of Go's reverse proxy which this one follows name by name. A
 * wildcard would take end-to-end headers such as `test-id` away.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** Besides those, what a request loses: what we set ourselves, or what was meant for us. */
const REQUEST_ONLY: ReadonlySet<string> = new Set(['host', 'content-length', 'x-forwarded-for', KEY_HEADER]);

/** Besides those, what an answer loses: an id by another gateway on the way. */
const ANSWER_ONLY: ReadonlySet<string> = new Set([SEQID_HEADER]);

/** Lengths of all names above: a header of another length needs no look-up. */
const SPECIAL_LENGTHS = new Uint8Array(64);
for (const name of [...HOP_BY_HOP, ...REQUEST_ONLY, ...ANSWER_ONLY, 'origin', 'sec-fetch-site'])
  SPECIAL_LENGTHS[name.length] = 1;

/** What the gateway wants to know of a request's headers. */
export interface HeaderReading {
  /** Host addressed, lower case, without port; empty without a Host header. */
  host: string;
  /** The caller key, when one was sent. */
  key: string | undefined;
  /** Declared length of the body in bytes; 0 when there is none, undefined when it comes in chunks. */
  bodyLength: number | undefined;
  /** Names that `Connection` declares hop-by-hop, besides the well-known ones. */
  hopByHop: ReadonlySet<string> | undefined;
  secFetchSite: string | undefined;
  origin: string | undefined;
}

/**
 * Reads a request's headers in one pass. Throws BridgeError REQUEST_MALFORMED when they can be read in
 * two ways: a listener's parser may be lax, and a doubtful body length is how requests are smuggled.
 */
export function readRequestHeaders(headers: RawHeaders): HeaderReading {
  const reading: HeaderReading = {
    host: '',
    key: undefined,
    bodyLength: 0,
    hopByHop: undefined,
    secFetchSite: undefined,
    origin: undefined,
  };
  let hostSeen = false;
  let lengthSeen = false;
  let chunked = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (SPECIAL_LENGTHS[name.length] !== 1) continue;
    const value = headers[i + 1] as string;
    switch (name.toLowerCase()) {
      case 'host':
        if (hostSeen) throw malformed('there is more than one Host header');
        hostSeen = true;
        reading.host = hostOf(value.trim());
        break;
      case 'content-length':
        if (lengthSeen) throw malformed('there is more than one Content-Length header');
        lengthSeen = true;
        if (!/^\d{1,15}$/.test(value)) throw malformed('Content-Length must be a whole number');
        reading.bodyLength = Number(value);
        break;
      case 'transfer-encoding':
        if (chunked || value.toLowerCase() !== 'chunked')
          throw malformed('the only Transfer-Encoding understood is "chunked"');
        chunked = true;
        break;
      case KEY_HEADER:
        if (reading.key !== undefined) throw malformed(`there is more than one ${KEY_HEADER} header`);
        reading.key = value;
        break;
      case 'origin':
        reading.origin = value;
        break;
      case 'sec-fetch-site':
        reading.secFetchSite = value;
        break;
      case 'connection':
        reading.hopByHop = namesListed(value, reading.hopByHop);
        break;
    }
  }
  if (chunked && lengthSeen) throw malformed('there are both Content-Length and Transfer-Encoding');
  if (chunked) reading.bodyLength = undefined;
  return reading;
}

/** The headers a request is passed on with: hop-by-hop ones gone, the peer added to `x-forwarded-for`. */
export function forwardedHeaders(
  headers: RawHeaders,
  hopByHop: ReadonlySet<string> | undefined,
  peer: string,
): string[] {
  const out: string[] = [];
  let forwardedFor = '';
  let forwardedForAt = -1;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (SPECIAL_LENGTHS[name.length] === 1 || hopByHop !== undefined) {
      const lower = name.toLowerCase();
      if (HOP_BY_HOP.has(lower) || hopByHop?.has(lower)) continue;
      if (lower === 'x-forwarded-for') {
        if (forwardedForAt === -1) {
          forwardedForAt = out.length + 1;
          out.push(name, '');
        }
        forwardedFor += `${value}, `;
        continue;
      }
      if (REQUEST_ONLY.has(lower)) continue;
    }
    out.push(name, value);
  }
  if (forwardedForAt === -1) out.push('x-forwarded-for', peer);
  else out[forwardedForAt] = forwardedFor + peer;
  return out;
}

/** An answer's head as the gateway passes it on, with what it needs to know of the body. */
export interface AnswerHead {
  readonly headers: string[];
  /** Declared length of the body; undefined without one. */
  readonly length: number | undefined;
  /** Lower case, without parameters; empty when there is none. */
  readonly contentType: string;
  /** Lower case; empty when there is none. */
  readonly contentEncoding: string;
}

/** Reads an answer's header list (Latin-1 bytes, as undici gives it) and drops what is not passed on. */
export function readAnswerHead(raw: readonly Buffer[]): AnswerHead {
  const headers: string[] = [];
  let length: number | undefined;
  let contentType = '';
  let contentEncoding = '';
  let hopByHop: ReadonlySet<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString('latin1');
    const value = (raw[i + 1] as Buffer).toString('latin1');
    const size = name.length;
    if (SPECIAL_LENGTHS[size] === 1 || size === 12 || size === 16) {
      const lower = name.toLowerCase();
      if (lower === 'connection') hopByHop = namesListed(value, hopByHop);
      if (HOP_BY_HOP.has(lower) || ANSWER_ONLY.has(lower)) continue;
      if (lower === 'content-length') length = Number(value);
      else if (lower === 'content-type') contentType = mediaType(value);
      else if (lower === 'content-encoding') contentEncoding = value.trim().toLowerCase();
    }
    headers.push(name, value);
  }
  return {
    headers: hopByHop === undefined ? headers : withoutNames(headers, hopByHop),
    length,
    contentType,
    contentEncoding,
  };
}

function withoutNames(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const out: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!names.has(name.toLowerCase())) out.push(name, headers[i + 1] as string);
  }
  return out;
}

/** Adds the names in a `Connection` value to those found before; the connection options proper are no names. */
function namesListed(
  value: string,
  before: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  const plain = value.toLowerCase();
  if (plain === 'keep-alive' || plain === 'close') return before;
  let names: Set<string> | undefined;
  for (const item of plain.split(',')) {
    const name = item.trim();
    if (name === '' || name === 'close' || HOP_BY_HOP.has(name)) continue;
    names ??= new Set(before);
    names.add(name);
  }
  return names ?? before;
}

function mediaType(value: string): string {
  const semicolon = value.indexOf(';');
  return (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase();
}

function malformed(what: string): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', what);
}
