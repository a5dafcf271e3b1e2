import { BridgeError } from '../base/errors.ts';

/** A request target taken apart. */
export interface Target {
  /** Host of an absolute-form target, lower case, without port; undefined in origin-form. */
  readonly host: string | undefined;
  readonly path: string;
  /** Query as sent, without `?`. */
  readonly query: string;
}

/** Marks the characters of a host as nearly all send it: a name in lower case, or an IPv4 address. */
const PLAIN_HOST = new Uint8Array(128);
for (const char of 'abcdefghijklmnopqrstuvwxyz0123456789._-') PLAIN_HOST[char.charCodeAt(0)] = 1;

/** Marks the bytes a canonical path segment is made of: `A-Z a-z 0-9 . _ ~ -`. */
const SEGMENT_BYTES = new Uint8Array(128);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-') {
  SEGMENT_BYTES[char.charCodeAt(0)] = 1;
}

const SLASH = 0x2f;
const DOT = 0x2e;
const QUESTION = 0x3f;
const HASH = 0x23;

/**
 * Takes a request target apart. A path that could be read in two ways (percent signs, empty or dotted
 * segments, backslashes) is refused rather than normalised: no platform path needs one, and what the
 * allow-list saw must be what the platform sees. Throws BridgeError REQUEST_MALFORMED.
 */
export function parseTarget(target: string): Target {
  if (target.charCodeAt(0) === SLASH) return pathAndQuery(target, 0, undefined);
  const scheme = /^https?:\/\//i.exec(target);
  if (scheme === null) {
    throw malformed('the request target must be a path such as /wxa/msg_sec_check, or a whole http:// URL');
  }
  const start = scheme[0].length;
  let end = start;
  for (; end < target.length; end += 1) {
    const code = target.charCodeAt(end);
    if (code === SLASH || code === QUESTION || code === HASH) break;
  }
  const authority = target.slice(start, end);
  if (authority.includes('@')) throw malformed('the request target must not hold a user name or password');
  const host = hostOf(authority);
  if (end === target.length) return { host, path: '/', query: '' };
  if (target.charCodeAt(end) === SLASH) return pathAndQuery(target, end, host);
  return pathAndQuery(`/${target.slice(end)}`, 0, host);
}

/** The host of a `Host` header or an authority: lower case, without port. Throws BridgeError REQUEST_MALFORMED. */
export function hostOf(authority: string): string {
  let end = 0;
  while (PLAIN_HOST[authority.charCodeAt(end)] === 1) end += 1;
  if (end > 0 && end === authority.length && authority.charCodeAt(end - 1) !== DOT) return authority;
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::\d{0,5})?$/.exec(authority);
  if (match?.[1] === undefined)
    throw malformed('the host must be a name or an address, with or without a port');
  // A name may be written with the root's final dot.
  const host = match[1].toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

function pathAndQuery(target: string, start: number, host: string | undefined): Target {
  const length = target.length;
  let segment = start + 1;
  let at = segment;
  for (; at < length; at += 1) {
    const code = target.charCodeAt(at);
    if (SEGMENT_BYTES[code] === 1) continue;
    if (code === SLASH) {
      checkSegment(target, segment, at);
      segment = at + 1;
      continue;
    }
    if (code === QUESTION) break;
    throw malformed(
      `the path has ${showByte(target, at)} at position ${at - start}; platform paths have only letters, digits and ". _ ~ - /"`,
    );
  }
  const path = target.slice(start, at);
  if (path !== '/') checkSegment(target, segment, at);
  if (at === length) return { host, path, query: '' };
  for (let i = at + 1; i < length; i += 1) {
    const code = target.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === HASH) {
      throw malformed(`the query has ${showByte(target, i)}; write it percent-encoded`);
    }
  }
  return { host, path, query: target.slice(at + 1) };
}

function checkSegment(target: string, start: number, end: number): void {
  if (start === end) throw malformed('the path has an empty segment ("//", or "/" at its end)');
  if (target.charCodeAt(start) !== DOT) return;
  if (end - start === 1 || (end - start === 2 && target.charCodeAt(start + 1) === DOT)) {
    throw malformed('the path has "." or ".." as a segment; write the path it leads to');
  }
}

/** Names one character without printing what may be a control or a secret around it. */
function showByte(target: string, at: number): string {
  const code = target.charCodeAt(at);
  return code > 0x20 && code < 0x7f ? `"${target.charAt(at)}"` : `character 0x${code.toString(16)}`;
}

function malformed(what: string): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', what);
}
