import type { RawHeaders } from '../call.ts';

/** How a request's body is framed: its length in bytes, 'chunked', or 'none'. */
export type RequestFraming = number | 'chunked' | 'none';

/** What a request's head is made of. */
export interface RequestLines {
  readonly method: string;
  /** Path and query, which hold the credential. Never log what comes of it. */
  readonly target: string;
  readonly host: string;
  /** End-to-end headers; framing and connection are added. */
  readonly headers: RawHeaders;
  readonly framing: RequestFraming;
}

/**
 * Writes the head of a request, its blank line included. Names and values stand as they are: listeners let
 * no line break through. Methods that usually have a body say so when there is none (RFC 9110, section 8.6).
 */
export function writeRequestHead({ method, target, host, headers, framing }: RequestLines): string {
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  if (framing === 'chunked') return `${text}transfer-encoding: chunked\r\n\r\n`;
  if (framing !== 'none') return `${text}content-length: ${framing}\r\n\r\n`;
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
    ? `${text}content-length: 0\r\n\r\n`
    : `${text}\r\n`;
}
