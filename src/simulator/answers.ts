import type { Readable } from 'node:stream';

export type JsonObject = { [key: string]: unknown };

/** What goes back to the caller. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer | Readable;
  /** The errcode inside a JSON body, for counters and the log; 0 when there is none. */
  errcode: number;
}

/** The content type of the platform's JSON. */
const PLATFORM_JSON = 'application/json; encoding=utf-8';

/** A JSON answer exactly as given. Token endpoints answer so: their success has no errcode. */
export function plain(body: JsonObject): Answer {
  const errcode = typeof body['errcode'] === 'number' ? body['errcode'] : 0;
  return {
    status: 200,
    headers: { 'content-type': PLATFORM_JSON },
    body: Buffer.from(JSON.stringify(body)),
    errcode,
  };
}

/** Success of an ordinary API: `errcode` 0 and `errmsg` ok, then the fields. */
export function ok(fields: JsonObject = {}): Answer {
  return plain({ errcode: 0, errmsg: 'ok', ...fields });
}

/** Bytes, such as a picture or a media file. */
export function bytes(
  body: Buffer | Readable,
  contentType: string,
  headers: Record<string, string> = {},
): Answer {
  return { status: 200, headers: { 'content-type': contentType, ...headers }, body, errcode: 0 };
}

/** An HTTP status with an optional body; not something the platform's business side says. */
export function status(code: number, body = '', contentType = 'text/plain; charset=utf-8'): Answer {
  const headers: Record<string, string> = body === '' ? {} : { 'content-type': contentType };
  return { status: code, headers, body: Buffer.from(body), errcode: 0 };
}

/** JSON of the control paths and of echoes, with any HTTP status. */
export function controlJson(body: unknown, code = 200): Answer {
  return status(code, JSON.stringify(body), 'application/json; charset=utf-8');
}
