import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { Answer } from './call.ts';

/** Verdicts are looked for in JSON answers up to this size, packed and unpacked alike. */
export const VERDICT_BYTES = 64 * 1024;

/** What the platform, or a gateway before it, says of a call. */
export interface Verdict {
  readonly errcode: number;
  /** The platform's request id (`rid: 65a1b2c3-0f0f0f0f-1a2b3c4d` in errmsg). */
  readonly rid: string | undefined;
}

/** The names of an errcode; the last is how QQ's newer paths write it. */
const NAMES = ['"errcode"', '"error_code"', '"errCode"'] as const;
const BEGINS_OK = '{"errcode":0,"errmsg":"ok"';
const OK: Verdict = { errcode: 0, rid: undefined };
const OPEN_BRACE = 0x7b;
const RID = /\brid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})/i;

/** Media types that are never JSON. Others may be: old endpoints answer JSON as text/plain. */
export function mayBeJson(contentType: string): boolean {
  return !(
    contentType.startsWith('image/') ||
    contentType.startsWith('audio/') ||
    contentType.startsWith('video/') ||
    contentType === 'application/octet-stream'
  );
}

/** Whether the first bytes of an answer are those of a JSON object; undefined while they are blank. */
export function beginsObject(chunk: Buffer): boolean | undefined {
  const at = firstByteAt(chunk);
  return at === chunk.length ? undefined : chunk[at] === OPEN_BRACE;
}

/**
 * Reads the errcode out of a small JSON answer; undefined when it is none, or carries no errcode. The
 * answer itself is left as it is. Verdicts come with HTTP 200 mostly, so the status is not looked at.
 */
export function readVerdict(answer: Answer): Verdict | undefined {
  const { body, contentEncoding } = answer;
  if (!Buffer.isBuffer(body) || body.length > VERDICT_BYTES || !mayBeJson(answer.contentType))
    return undefined;
  const plain =
    contentEncoding === '' || contentEncoding === 'identity' ? body : unpack(body, contentEncoding);
  if (plain === undefined) return undefined;
  const start = firstByteAt(plain);
  if (plain[start] !== OPEN_BRACE) return undefined;
  // All that is looked for is ASCII, and letters beyond it stand in JSON only where any may.
  const text = plain.toString('latin1', start);
  if (saysOk(text)) return OK;
  return NAMES.some(name => text.includes(name)) ? verdictIn(text) : undefined;
}

/**
 * Whether an answer begins as the platform's successes do and cannot take that back further on. Parsing it,
 * which may be long, would find nothing else; in one that is broken off, success is as good as no verdict.
 */
function saysOk(text: string): boolean {
  return text.startsWith(BEGINS_OK) && !text.includes('"err', BEGINS_OK.length) && !text.includes('\\');
}

function verdictIn(text: string): Verdict | undefined {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const errcode =
    numberIn(parsed['errcode']) ?? numberIn(parsed['error_code']) ?? numberIn(parsed['errCode']);
  if (errcode === undefined) return undefined;
  const errmsg = parsed['errmsg'] ?? parsed['error_message'] ?? parsed['errMsg'];
  return { errcode, rid: typeof errmsg === 'string' ? RID.exec(errmsg)?.[1] : undefined };
}

function numberIn(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  return typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** Index of the first byte that is neither blank nor part of a byte order mark. */
function firstByteAt(chunk: Buffer): number {
  let at = chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
  while (at < chunk.length) {
    const byte = chunk[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}

/** Unpacks, to look at only; undefined for an unknown coding, broken data, or more than is looked at. */
function unpack(body: Buffer, coding: string): Buffer | undefined {
  const bound = { maxOutputLength: VERDICT_BYTES };
  try {
    switch (coding) {
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(body, bound);
      case 'br':
        return brotliDecompressSync(body, bound);
      case 'zstd':
        return zstdDecompressSync(body, bound);
      case 'deflate':
        // RFC 9110 means the zlib format; some servers send the bare stream. The first byte tells them apart.
        return ((body[0] ?? 0) & 0x0f) === 8 ? inflateSync(body, bound) : inflateRawSync(body, bound);
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
