import { isNamed } from './http1/syntax.ts';

/** Header by which a caller proves itself. It is ours and never reaches the platform. */
export const KEY_HEADER = 'x-bridge-key';

/** Header that names a call in every answer, as the hosted service has it. */
export const SEQID_HEADER = 'x-openapi-seqid';

/** Header by which a follower says how many followers a call has passed before. */
export const HOPS_HEADER = 'x-bridge-hops';

/** Header by which a follower names the platform's host: `Host` names the bridge that is followed. */
export const PLATFORM_HOST_HEADER = 'x-bridge-host';

/** Header of a follower's answers: the `x-openapi-seqid` of the call at each bridge that was followed, the nearest first. */
export const FOLLOWED_HEADER = 'x-openapi-seqid-followed';

/** A header that the gateway has no interest in. */
export const OTHER = 0;

/** Not passed on, and nothing else to us. */
export const HOP_BY_HOP = 1;
export const CONNECTION = 2;
export const TRANSFER_ENCODING = 3;
/** Up to here, headers are not passed on, either way. */
export const LAST_HOP_BY_HOP = TRANSFER_ENCODING;

/** Besides those, what a request loses: what we set ourselves, or what was meant for us. */
export const HOST = 4;
export const CONTENT_LENGTH = 5;
export const FORWARDED_FOR = 6;
export const KEY = 7;
export const HOPS = 8;
export const PLATFORM_HOST = 9;
/** Up to here, headers are not passed on in a request as they came. */
export const LAST_REQUEST_ONLY = PLATFORM_HOST;

/** An answer loses this one: an id by another gateway on the way. */
export const SEQID = 10;
export const CONTENT_TYPE = 11;
export const CONTENT_ENCODING = 12;
export const ORIGIN = 13;
export const SEC_FETCH_SITE = 14;

/**
 * What each name means here. The hop-by-hop ones: the hosted service writes `te*` in its list; that is the
 * `TE` header of RFC 9110, as in the list of Go's reverse proxy which this one follows name by name. A
 * wildcard would take end-to-end headers such as `test-id` away.
 */
const MEANINGS: readonly (readonly [name: string, meaning: number])[] = [
  ['connection', CONNECTION],
  ['proxy-connection', HOP_BY_HOP],
  ['keep-alive', HOP_BY_HOP],
  ['proxy-authenticate', HOP_BY_HOP],
  ['proxy-authorization', HOP_BY_HOP],
  ['te', HOP_BY_HOP],
  ['trailer', HOP_BY_HOP],
  ['trailers', HOP_BY_HOP],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['upgrade', HOP_BY_HOP],
  ['expect', HOP_BY_HOP],
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['x-forwarded-for', FORWARDED_FOR],
  [KEY_HEADER, KEY],
  [HOPS_HEADER, HOPS],
  [PLATFORM_HOST_HEADER, PLATFORM_HOST],
  [SEQID_HEADER, SEQID],
  ['content-type', CONTENT_TYPE],
  ['content-encoding', CONTENT_ENCODING],
  ['origin', ORIGIN],
  ['sec-fetch-site', SEC_FETCH_SITE],
];

/** The names above by their length. */
const BY_LENGTH: (readonly (readonly [name: string, meaning: number])[])[] = Array.from(
  { length: 1 + Math.max(...MEANINGS.map(([name]) => name.length)) },
  (_, length) => MEANINGS.filter(([name]) => name.length === length),
);

/** What a header name in any case means to the gateway. Its length tells most others apart. */
export function meaningOf(name: string): number {
  const { length } = name;
  if (length >= BY_LENGTH.length) return OTHER;
  const candidates = BY_LENGTH[length] as readonly (readonly [name: string, meaning: number])[];
  for (let i = 0; i < candidates.length; i += 1) {
    const [known, meaning] = candidates[i] as readonly [name: string, meaning: number];
    if (isNamed(name, known)) return meaning;
  }
  return OTHER;
}
