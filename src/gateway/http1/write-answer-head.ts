import { Readable } from 'node:stream';
import type { Answer } from '../call.ts';
import { STATUS_CODES } from './node-http.ts';
import { isNamed } from './syntax.ts';

/** What an answer's head depends on besides the answer. */
export interface AnswerFraming {
  /** Header lines that say what becomes of the connection, if there are to be any. */
  readonly connection: string;
  /** Whether a body of unknown length may be sent in chunks. */
  readonly mayChunk: boolean;
  /** Whether the answer has no body whatever it says: to HEAD, with 204 and 304. */
  readonly bodiless: boolean;
  readonly date: () => string;
}

/** How the end of an answer's body is told. */
export type BodyEnd = 'counted' | 'chunked' | 'close';

/** An answer's head as it goes out, its blank line included. */
export interface WrittenHead {
  readonly text: string;
  readonly bodyEnd: BodyEnd;
}

/** Statuses whose answers have no body (RFC 9110, section 6.4.1), besides those to HEAD. */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

/**
 * Writes the head of an answer, in which header names and values stand as they are: they were read by a
 * parser that lets no line break through, or are our own. What frames the body is added where it is missing.
 */
export function writeAnswerHead(answer: Answer, framing: AnswerFraming): WrittenHead {
  const { status, headers, body } = answer;
  let text = `HTTP/1.1 ${status} ${answer.reason ?? STATUS_CODES[status] ?? ''}\r\n`;
  let hasLength = false;
  let hasDate = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isNamed(name, 'content-length')) {
      // RFC 9110, section 8.6: not with 204.
      if (status === 204) continue;
      hasLength = true;
    } else if (isNamed(name, 'date')) {
      hasDate = true;
    }
    text += `${name}: ${headers[i + 1]}\r\n`;
  }
  if (!hasDate) text += `date: ${framing.date()}\r\n`;
  if (hasLength || framing.bodiless) return { text: `${text}${framing.connection}\r\n`, bodyEnd: 'counted' };
  if (!(body instanceof Readable)) {
    text += `content-length: ${body?.length ?? 0}\r\n${framing.connection}\r\n`;
    return { text, bodyEnd: 'counted' };
  }
  if (framing.mayChunk) {
    return { text: `${text}transfer-encoding: chunked\r\n${framing.connection}\r\n`, bodyEnd: 'chunked' };
  }
  return { text: `${text}connection: close\r\n\r\n`, bodyEnd: 'close' };
}
