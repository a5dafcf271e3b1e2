/** One part of a multipart/form-data body. */
export interface Part {
  name: string;
  /** Undefined for a plain field. */
  filename: string | undefined;
  contentType: string;
  body: Buffer;
}

const HEADERS_END = Buffer.from('\r\n\r\n');

function boundaryOf(contentType: string): string | undefined {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

function parameterOf(header: string, name: string): string | undefined {
  const match = new RegExp(`[;\\s]${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, 'i').exec(header);
  return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
}

function partOf(head: string, body: Buffer): Part {
  let disposition = '';
  let contentType = 'application/octet-stream';
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (name === 'content-disposition') disposition = line.slice(colon + 1);
    if (name === 'content-type') contentType = line.slice(colon + 1).trim();
  }
  return {
    name: parameterOf(disposition, 'name') ?? '',
    filename: parameterOf(disposition, 'filename'),
    contentType,
    body,
  };
}

/**
 * Parses multipart/form-data (RFC 7578). The bytes of the parts are views into `body`, untouched.
 * Answers undefined when the content type or the body is no well-formed form.
 */
export function parseMultipart(contentType: string, body: Buffer): Part[] | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const first = Buffer.from(`--${boundary}`, 'latin1');
  const between = Buffer.from(`\r\n--${boundary}`, 'latin1');
  const parts: Part[] = [];
  let at = body.indexOf(first);
  if (at < 0) return undefined;
  at += first.length;
  while (body.toString('latin1', at, at + 2) !== '--') {
    const lineEnd = body.indexOf('\r\n', at, 'latin1');
    const headEnd = body.indexOf(HEADERS_END, at);
    const end = headEnd < 0 ? -1 : body.indexOf(between, headEnd + 2);
    if (lineEnd < 0 || headEnd < 0 || end < 0) return undefined;
    const head = body.toString('utf8', lineEnd + 2, headEnd);
    parts.push(partOf(head, body.subarray(headEnd + HEADERS_END.length, end)));
    at = end + between.length;
  }
  return parts;
}
