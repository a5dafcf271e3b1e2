import { BridgeError } from '../base/errors.ts';

/** Query parameter by which a caller picks the app to act as. It is ours and never reaches the platform. */
export const APP_PARAMETER = 'from_appid';

/** What the gateway wants to know of a query. */
export interface QueryReading {
  /** The query without `from_appid`, byte for byte otherwise. */
  readonly query: string;
  /** Value of `from_appid`, decoded; undefined when absent or empty. */
  readonly appid: string | undefined;
  /** Value of the first token parameter that has one, decoded: a credential the caller brought. Never log it. */
  readonly token: string | undefined;
  /** A token parameter is there without a value. */
  readonly emptyToken: boolean;
}

const NO_QUERY: QueryReading = { query: '', appid: undefined, token: undefined, emptyToken: false };

/**
 * Reads the parameters that concern us. Names are compared after percent-decoding, as the platform
 * decodes them too. Throws BridgeError REQUEST_MALFORMED when one of them is given twice, because then
 * it is anybody's guess which one counts.
 */
export function readQuery(query: string, tokenParameters: readonly string[]): QueryReading {
  if (query === '') return NO_QUERY;
  let kept = query;
  let appid: string | undefined;
  let appidSeen = false;
  let token: string | undefined;
  let emptyToken = false;
  let seenTokens: string[] | undefined;
  for (let start = 0; start <= query.length; ) {
    const end = endOfParameter(query, start);
    const name = nameAt(query, start, end);
    if (name === APP_PARAMETER) {
      if (appidSeen) throw twice(name);
      appidSeen = true;
      appid = decode(valueAt(query, start, end)) || undefined;
      kept = without(query, start, end);
    } else if (tokenParameters.includes(name)) {
      if (seenTokens?.includes(name)) throw twice(name);
      seenTokens = [...(seenTokens ?? []), name];
      const value = valueAt(query, start, end);
      if (value === '') emptyToken = true;
      else token ??= decode(value);
    }
    start = end + 1;
  }
  return { query: kept, appid, token, emptyToken };
}

/** The query without the given parameters, the others byte for byte and in their order. */
export function dropParameters(query: string, names: readonly string[]): string {
  let kept = '';
  let any = false;
  for (let start = 0; start <= query.length; ) {
    const end = endOfParameter(query, start);
    if (!names.includes(nameAt(query, start, end))) {
      kept = any ? `${kept}&${query.slice(start, end)}` : query.slice(start, end);
      any = true;
    }
    start = end + 1;
  }
  return kept;
}

function endOfParameter(query: string, start: number): number {
  const end = query.indexOf('&', start);
  return end === -1 ? query.length : end;
}

function nameAt(query: string, start: number, end: number): string {
  const equals = query.indexOf('=', start);
  const name = query.slice(start, equals === -1 || equals > end ? end : equals);
  return name.includes('%') ? decode(name) : name;
}

function valueAt(query: string, start: number, end: number): string {
  const equals = query.indexOf('=', start);
  return equals === -1 || equals >= end ? '' : query.slice(equals + 1, end);
}

/** Cuts one parameter out together with one `&` beside it. */
function without(query: string, start: number, end: number): string {
  if (end < query.length) return query.slice(0, start) + query.slice(end + 1);
  return start === 0 ? '' : query.slice(0, start - 1);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function twice(name: string): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', `the query names ${name} more than once`, {
    hint: `send ${name} once`,
  });
}
