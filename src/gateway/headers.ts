import { BridgeError } from '../base/errors.ts';
import type { RawHeaders } from './call.ts';
import {
  CONNECTION,
  CONTENT_ENCODING,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  FORWARDED_FOR,
  HOP_BY_HOP,
  HOPS,
  HOPS_HEADER,
  HOST,
  KEY,
  KEY_HEADER,
  LAST_HOP_BY_HOP,
  LAST_REQUEST_ONLY,
  meaningOf,
  ORIGIN,
  OTHER,
  PLATFORM_HOST,
  PLATFORM_HOST_HEADER,
  SEC_FETCH_SITE,
  SEQID,
  TRANSFER_ENCODING,
} from './header-names.ts';
import { hostOf } from './target.ts';

export { KEY_HEADER, SEQID_HEADER } from './header-names.ts';

/** What the gateway wants to know of a request's headers. */
export interface HeaderReading {
  /** Host addressed, lower case, without port; empty without a Host header. */
  host: string;
  /** The platform's host as a follower names it, in the same form. */
  platformHost: string | undefined;
  /** How many followers it has passed. */
  hops: number;
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
    platformHost: undefined,
    hops: 0,
    key: undefined,
    bodyLength: 0,
    hopByHop: undefined,
    secFetchSite: undefined,
    origin: undefined,
  };
  let hostSeen = false;
  let lengthSeen = false;
  let chunked = false;
  let hopsSeen = false;
  for (let i = 0; i < headers.length; i += 2) {
    const meaning = meaningOf(headers[i] as string);
    if (meaning === OTHER) continue;
    const value = headers[i + 1] as string;
    switch (meaning) {
      case HOST:
        if (hostSeen) throw malformed('there is more than one Host header');
        hostSeen = true;
        reading.host = hostOf(value.trim());
        break;
      case CONTENT_LENGTH:
        if (lengthSeen) throw malformed('there is more than one Content-Length header');
        lengthSeen = true;
        if (!/^\d{1,15}$/.test(value)) throw malformed('Content-Length must be a whole number');
        reading.bodyLength = Number(value);
        break;
      case TRANSFER_ENCODING:
        if (chunked || value.toLowerCase() !== 'chunked')
          throw malformed('the only Transfer-Encoding understood is "chunked"');
        chunked = true;
        break;
      case KEY:
        if (reading.key !== undefined) throw malformed(`there is more than one ${KEY_HEADER} header`);
        reading.key = value;
        break;
      case HOPS:
        if (hopsSeen || !/^\d{1,3}$/.test(value))
          throw malformed(`${HOPS_HEADER} must be a small number, given once`);
        hopsSeen = true;
        reading.hops = Number(value);
        break;
      case PLATFORM_HOST:
        if (reading.platformHost !== undefined)
          throw malformed(`there is more than one ${PLATFORM_HOST_HEADER} header`);
        reading.platformHost = hostOf(value.trim());
        break;
      case ORIGIN:
        reading.origin = value;
        break;
      case SEC_FETCH_SITE:
        reading.secFetchSite = value;
        break;
      case CONNECTION:
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
    if (hopByHop?.has(name.toLowerCase())) continue;
    const meaning = meaningOf(name);
    if (meaning === OTHER || meaning > LAST_REQUEST_ONLY) {
      out.push(name, value);
    } else if (meaning === FORWARDED_FOR) {
      if (forwardedForAt === -1) {
        forwardedForAt = out.length + 1;
        out.push(name, '');
      }
      forwardedFor += `${value}, `;
    }
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
  /** The id that another gateway on the way gave the call; it is not passed on. */
  readonly seqid: string | undefined;
}

/** Reads an answer's header list and drops what is not passed on. */
export function readAnswerHead(raw: RawHeaders): AnswerHead {
  const headers: string[] = [];
  let length: number | undefined;
  let contentType = '';
  let contentEncoding = '';
  let seqid: string | undefined;
  let hopByHop: ReadonlySet<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const meaning = meaningOf(name);
    if (meaning === CONNECTION) hopByHop = namesListed(value, hopByHop);
    if (meaning === SEQID) seqid = value;
    if (isHopByHop(meaning) || meaning === SEQID) continue;
    if (meaning === CONTENT_LENGTH) length = Number(value);
    else if (meaning === CONTENT_TYPE) contentType = mediaType(value);
    else if (meaning === CONTENT_ENCODING) contentEncoding = value.trim().toLowerCase();
    headers.push(name, value);
  }
  return {
    headers: hopByHop === undefined ? headers : withoutNames(headers, hopByHop),
    length,
    contentType,
    contentEncoding,
    seqid,
  };
}

function isHopByHop(meaning: number): boolean {
  return meaning >= HOP_BY_HOP && meaning <= LAST_HOP_BY_HOP;
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
  if (value === 'keep-alive' || value === 'close') return before;
  const plain = value.toLowerCase();
  let names: Set<string> | undefined;
  for (const item of plain.split(',')) {
    const name = item.trim();
    if (name === '' || name === 'close' || isHopByHop(meaningOf(name))) continue;
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
