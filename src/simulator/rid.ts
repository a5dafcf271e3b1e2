import { createBoundedMap } from './bounded.ts';
import { createPrng } from './random.ts';

/** How long a call can be looked up, page getRidInfo. */
export const RID_RETENTION_MS = 7 * 86_400_000;

const RID = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/;

/** How much of a body the log keeps, in characters. */
const KEPT_TEXT = 2048;

const SECRET_NAMES =
  'access_token|cloudbase_access_token|component_access_token|component_verify_ticket|authorizer_access_token|' +
  'authorizer_refresh_token|refresh_token|secret|client_secret|appsecret|component_appsecret|component_secret|' +
  'session_key|encrypt_key|ticket|js_code|code';
const SECRET_IN_QUERY = new RegExp(`([?&](?:${SECRET_NAMES})=)[^&#"\\s]*`, 'g');
const SECRET_IN_JSON = new RegExp(`("(?:${SECRET_NAMES})"\\s*:\\s*")(?:[^"\\\\]|\\\\.)*`, 'g');

/** Replaces the values of credentials in a URL or a body by `***`. */
export function maskSecrets(text: string): string {
  return text.replace(SECRET_IN_QUERY, '$1***').replace(SECRET_IN_JSON, '$1***');
}

/** A body as the log keeps it: text masked and shortened, other bytes only counted. */
export function loggedBody(body: Uint8Array, isText: boolean): string {
  if (body.length === 0) return '';
  if (!isText) return `[${body.length} bytes]`;
  // Masked before it is shortened, so that the cut cannot leave a secret unrecognised.
  const kept = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 4 * KEPT_TEXT)).toString();
  return maskSecrets(kept).slice(0, KEPT_TEXT);
}

/** One call, as /cgi-bin/openapi/rid/get shows it. Credentials are masked. */
export interface RidRecord {
  appid: string | undefined;
  errcode: number;
  /** Seconds since the Unix epoch. */
  invoke_time: number;
  cost_in_ms: number;
  request_url: string;
  request_body: string;
  response_body: string;
  client_ip: string;
}

export interface RidLog {
  /** A new rid; its first group is the time in seconds, in hexadecimal. */
  next(now: number): string;
  record(rid: string, record: RidRecord): void;
  get(rid: string): RidRecord | undefined;
  /** The record, or why there is none: 76001 to 76004. `appid` is who asks. */
  find(rid: string, appid: string, now: number): RidRecord | 76001 | 76002 | 76003 | 76004;
  readonly size: number;
}

const hex8 = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');

/** Makes an empty log of at most `capacity` calls, the oldest forgotten first. */
export function createRidLog(seed: string, capacity: number): RidLog {
  const records = createBoundedMap<RidRecord>(capacity);
  const prng = createPrng(`rid ${seed}`);
  return {
    next: now => `${hex8(Math.floor(now / 1000))}-${hex8(prng.uint32())}-${hex8(prng.uint32())}`,
    record: (rid, record) => records.set(rid, record),
    get: rid => records.get(rid),
    find(rid, appid, now) {
      if (!RID.test(rid)) return 76002;
      const age = now - Number.parseInt(rid.slice(0, 8), 16) * 1000;
      // The rid's own time is whole seconds, so it is never ahead of the clock that made it.
      if (age < 0 || age > RID_RETENTION_MS) return 76004;
      const record = records.get(rid);
      if (record === undefined) return 76001;
      return record.appid === appid ? record : 76003;
    },
    get size() {
      return records.size;
    },
  };
}
