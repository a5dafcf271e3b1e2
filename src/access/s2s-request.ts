import { BridgeError } from '../base/errors.ts';
import type { S2sData } from './s2s-payload.ts';

/** Headers by name, in any case, as Node gives them. */
export type S2sHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request as far as uni-cloud-s2s looks at it. */
export interface S2sRequest {
  readonly method: string;
  readonly headers: S2sHeaders;
  /** Query parameters, which are what a GET signs; those of a POST are not looked at. */
  readonly query?: S2sData | undefined;
  /** Body of a POST: raw (UTF-8 text or bytes), or what was parsed from it. */
  readonly body?: unknown;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/**
 * The parameters that a request signs. Throws BridgeError CALLER_UNKNOWN when it has none that can be: a
 * method other than GET and POST, a body other than JSON or a form, or a parameter given twice.
 */
export function dataOf({ method, headers, query, body }: S2sRequest): S2sData {
  if (method.toUpperCase() === 'GET') return unambiguous(query ?? {});
  if (method.toUpperCase() !== 'POST') {
    throw denied(`${shown(method)} requests cannot be signed`, 'use GET or POST');
  }
  const mediaType = headerOf(headers, 'Content-Type')?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/x-www-form-urlencoded') return unambiguous(formOf(body));
  if (mediaType === 'application/json') return jsonOf(body);
  throw denied(
    'only JSON and form bodies can be signed',
    'send the body as application/json or application/x-www-form-urlencoded, and say so in Content-Type',
  );
}

/** A parameter given twice leaves open which of the two is meant, and which was signed. */
function unambiguous(data: S2sData): S2sData {
  for (const [name, value] of Object.entries(data)) {
    if (Array.isArray(value))
      throw denied(`the parameter ${shown(name)} is given more than once`, 'give each parameter once');
  }
  return data;
}

function formOf(body: unknown): S2sData {
  const raw = rawText(body);
  if (raw === undefined) return objectOf(body);
  const form = new URLSearchParams(raw);
  return Object.fromEntries(
    [...new Set(form.keys())].map(name => {
      const values = form.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

function jsonOf(body: unknown): S2sData {
  const raw = rawText(body);
  if (raw === undefined) return objectOf(body);
  if (raw === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch {
    throw denied('the body is not JSON', 'send a JSON object, or a form with its own Content-Type');
  }
  return objectOf(parsed);
}

function rawText(body: unknown): string | undefined {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : undefined;
}

function objectOf(value: unknown): S2sData {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as S2sData;
  throw denied('the body is not an object', 'send the parameters as one JSON object');
}

/** A header's value, whatever the case of its name. Sent more than once, it proves nothing. */
export function headerOf(headers: S2sHeaders, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const values = Object.entries(headers)
    .filter(([key]) => key.toLowerCase() === wanted)
    .flatMap(([, value]) => value ?? []);
  if (values.length > 1) throw denied(`the header ${name} is sent more than once`, 'send it once');
  return values[0];
}

/** Words of the caller, kept short and printable. */
export function shown(text: string): string {
  return JSON.stringify(text.slice(0, 20));
}

/** 51000 is what the uni-cloud-s2s module calls this, so searches for it lead here. */
export function denied(message: string, hint: string): BridgeError {
  return new BridgeError('CALLER_UNKNOWN', `uni-cloud-s2s: access denied (51000): ${message}`, { hint });
}
