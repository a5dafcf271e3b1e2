import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { CR, FIELD_VALUE, HttpSyntaxError, LF, SPACE } from './syntax.ts';

/** The head of a response. */
export interface ResponseHead {
  /** From 100 to 999. */
  readonly status: number;
  /** May be empty. */
  readonly reason: string;
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minor: 0 | 1;
  readonly fields: Fields;
}

const STATUS_AT = 'HTTP/1.1 '.length;

/**
 * Reads a response's head, which ends before the blank line at `end`. Throws HttpSyntaxError when it is not
 * strictly well-formed (RFC 9112, section 4). The blank after the status may be missing when no reason follows.
 */
export function readResponseHead(text: string, end: number): ResponseHead {
  const minor = text.charCodeAt(7) - 0x30;
  if (!text.startsWith('HTTP/1.') || (minor !== 0 && minor !== 1) || text.charCodeAt(8) !== SPACE)
    throw new HttpSyntaxError('it does not begin with HTTP/1.1');
  let status = 0;
  for (let at = STATUS_AT; at < STATUS_AT + 3; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw new HttpSyntaxError('the status is not a number of three digits');
    status = status * 10 + digit;
  }
  let at = STATUS_AT + 3;
  const code = text.charCodeAt(at);
  if (status < 100 || (code !== SPACE && code !== CR))
    throw new HttpSyntaxError('the status is not a number of three digits');
  const reasonAt = code === SPACE ? at + 1 : at;
  at = reasonAt;
  while (FIELD_VALUE[text.charCodeAt(at)] === 1) at += 1;
  if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF)
    throw new HttpSyntaxError('the reason phrase has a control character');
  const reason = text.slice(reasonAt, at);
  const fields = readFields(text, at + 2, end);
  if (minor === 0 && fields.chunked) throw new HttpSyntaxError('HTTP/1.0 has no Transfer-Encoding');
  return { status, reason, minor: minor === 0 ? 0 : 1, fields };
}
