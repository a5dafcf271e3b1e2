import { COLON, CR, FIELD_VALUE, HttpSyntaxError, isNamed, LF, SPACE, TAB, TOKEN } from './syntax.ts';

/** The header lines of a message, with what they say of its body and its connection. */
export interface Fields {
  /** As on the wire: name, value, name, value. Blanks around values are gone. */
  readonly headers: string[];
  /** Declared length of the body; -1 without one. */
  length: number;
  /** Whether the body comes in chunks. */
  chunked: boolean;
  /** Whether `Connection` says `close`. */
  closes: boolean;
  /** Whether `Connection` says `keep-alive`. */
  keepsAlive: boolean;
  /** Whether `Expect` asks for `100 Continue`. */
  awaitsContinue: boolean;
  /** Seconds the peer says it keeps an idle connection (`Keep-Alive: timeout=5`); -1 when it does not say. */
  idleSeconds: number;
}

/** Lengths beyond this are refused; no body is that long, and all below are exact numbers. */
const MAX_LENGTH_DIGITS = 15;

/**
 * Reads the header lines of a head from `start` to `end`. Throws HttpSyntaxError for anything that not
 * every recipient reads alike: folded lines, blanks before the colon, control characters, more than one
 * length, a length beside chunks, or a coding other than `chunked` (RFC 9112, sections 5 and 6).
 */
export function readFields(text: string, start: number, end: number): Fields {
  const headers: string[] = [];
  const fields: Fields = {
    headers,
    length: -1,
    chunked: false,
    closes: false,
    keepsAlive: false,
    awaitsContinue: false,
    idleSeconds: -1,
  };
  for (let at = start; at < end; ) {
    const nameAt = at;
    while (TOKEN[text.charCodeAt(at)] === 1) at += 1;
    if (text.charCodeAt(at) !== COLON || at === nameAt) throw nameFault(text.charCodeAt(at), at === nameAt);
    const name = text.slice(nameAt, at);
    at += 1;
    while (isBlank(text.charCodeAt(at))) at += 1;
    const valueAt = at;
    while (FIELD_VALUE[text.charCodeAt(at)] === 1) at += 1;
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) throw valueFault(text.charCodeAt(at));
    let valueEnd = at;
    while (valueEnd > valueAt && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd -= 1;
    const value = text.slice(valueAt, valueEnd);
    at += 2;
    headers.push(name, value);
    note(fields, name, value);
  }
  if (fields.chunked && fields.length !== -1)
    throw new HttpSyntaxError('there are both Content-Length and Transfer-Encoding');
  return fields;
}

/** Looks at the few headers that matter here; the length of a name tells most others apart. */
function note(fields: Fields, name: string, value: string): void {
  switch (name.length) {
    case 6:
      if (isNamed(name, 'expect')) fields.awaitsContinue = value.toLowerCase() === '100-continue';
      break;
    case 10:
      if (isNamed(name, 'connection')) noteConnection(fields, value);
      else if (isNamed(name, 'keep-alive')) fields.idleSeconds = idleSecondsIn(value);
      break;
    case 14:
      if (isNamed(name, 'content-length')) noteLength(fields, value);
      break;
    case 17:
      if (isNamed(name, 'transfer-encoding')) noteCoding(fields, value);
      break;
  }
}

function noteLength(fields: Fields, value: string): void {
  if (fields.length !== -1) throw new HttpSyntaxError('there is more than one Content-Length');
  if (value.length === 0 || value.length > MAX_LENGTH_DIGITS)
    throw new HttpSyntaxError('Content-Length is not a length');
  let length = 0;
  for (let at = 0; at < value.length; at += 1) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) throw new HttpSyntaxError('Content-Length is not a length');
    length = length * 10 + digit;
  }
  fields.length = length;
}

function noteCoding(fields: Fields, value: string): void {
  if (fields.chunked || value.toLowerCase() !== 'chunked')
    throw new HttpSyntaxError('the only Transfer-Encoding understood is "chunked"');
  fields.chunked = true;
}

function noteConnection(fields: Fields, value: string): void {
  // As nearly all say it.
  if (value === 'keep-alive') {
    fields.keepsAlive = true;
    return;
  }
  for (const option of value.toLowerCase().split(',')) {
    const name = option.trim();
    if (name === 'close') fields.closes = true;
    else if (name === 'keep-alive') fields.keepsAlive = true;
  }
}

function idleSecondsIn(value: string): number {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})(?:$|[,\s])/i.exec(value)?.[1];
  return seconds === undefined ? -1 : Number(seconds);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function nameFault(code: number, empty: boolean): HttpSyntaxError {
  if (empty && isBlank(code)) return new HttpSyntaxError('a header line begins with a blank');
  if (empty && code === COLON) return new HttpSyntaxError('a header has no name');
  return new HttpSyntaxError('a header name is not well-formed');
}

function valueFault(code: number): HttpSyntaxError {
  if (code === CR) return new HttpSyntaxError('a carriage return stands without a line feed');
  if (code === LF) return new HttpSyntaxError('a line feed stands without a carriage return');
  return new HttpSyntaxError('a header value has a control character');
}
