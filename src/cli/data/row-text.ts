import * as z from 'zod';
import { NEVER } from '../../stores/schema.ts';
import { sealedWith } from '../../stores/sealing.ts';
import type { CredentialRow } from '../../stores/store.ts';

/** Longest `_id` that the table takes. */
const ID_LENGTH = 512;
/** A year in the seventies: nothing stored ended before it, so a smaller number does not count milliseconds. */
const EARLIEST_END = 1e11;
/** ISO 8601 with its time zone: without one, the same text means another moment on another machine. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/**
 * One row in uniCloud's form: an object in one line with `_id`, `value` (JSON text) and `expired`
 * (milliseconds since the Unix epoch, or -1 for never). `full` adds our own columns as `openBridge`, which
 * uniCloud has no use for.
 */
export function rowText(row: CredentialRow, full: boolean): string {
  const { id: _id, value, expiresAt } = row;
  const line = { _id, value, expired: expiredOf(expiresAt) };
  return JSON.stringify(full ? { ...line, openBridge: ownColumns(row) } : line);
}

/**
 * Reads a row, or tells what is wrong with the line in words that quote nothing of it. Takes what
 * `rowText` writes; `value` may be an object too; `expired` may be missing (never), an ISO 8601 text, or
 * in MongoDB's Extended JSON.
 */
export function readRow(text: string): CredentialRow | string {
  let line: unknown;
  try {
    line = JSON.parse(text, unwrapped);
  } catch {
    return 'is not JSON; there must be one whole object in each line';
  }
  if (!isObject(line) || Array.isArray(line)) return 'is not an object; there must be one in each line';
  const id = line['_id'];
  if (typeof id !== 'string' || id === '') return '_id must be a text';
  if (id.length > ID_LENGTH) return `_id is longer than ${ID_LENGTH} characters`;
  if (id.trim() !== id) return '_id begins or ends with white space';
  const value = readValue(line['value']);
  if (value.fault !== undefined) return value.fault;
  const expiresAt = readEnd(line['expired']);
  if (expiresAt === undefined)
    return 'expired must be milliseconds since 1970, -1 for never, or ISO 8601 with its time zone';
  const own = readOwnColumns(line['openBridge']);
  if (typeof own === 'string') return own;
  return { id, value: value.text, expiresAt, ...own };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Numbers and times of MongoDB's Extended JSON (v1 and v2) as plain numbers. */
function unwrapped(_key: string, value: unknown): unknown {
  if (!isObject(value)) return value;
  const [entry, more] = Object.entries(value);
  if (entry === undefined || more !== undefined) return value;
  const [type, inner] = entry;
  switch (type) {
    case '$numberLong':
    case '$numberInt':
    case '$numberDouble':
      return typeof inner === 'string' && /^-?\d+(\.\d+)?$/.test(inner) ? Number(inner) : value;
    case '$date':
      return (typeof inner === 'string' ? instant(inner) : inner) ?? value;
    default:
      return value;
  }
}

type ReadValue = { readonly text: string; readonly fault?: undefined } | { readonly fault: string };

function readValue(value: unknown): ReadValue {
  if (isObject(value)) return { text: JSON.stringify(value) };
  if (typeof value !== 'string') return { fault: 'value must be an object, or one as JSON text' };
  if (sealedWith(value) !== undefined)
    return { fault: 'value is sealed; open-bridge data export writes it open' };
  try {
    if (isObject(JSON.parse(value))) return { text: value };
    return { fault: 'value holds no object' };
  } catch {
    return { fault: 'value is a text but not JSON' };
  }
}

/** Milliseconds since the Unix epoch, Infinity for never; undefined when it is no time. */
function readEnd(expired: unknown): number | undefined {
  if (expired === undefined || expired === null || expired === NEVER) return Number.POSITIVE_INFINITY;
  if (typeof expired === 'string') return instant(expired);
  if (typeof expired !== 'number' || expired < EARLIEST_END || expired > Number.MAX_SAFE_INTEGER)
    return undefined;
  return Math.floor(expired);
}

function instant(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

function expiredOf(expiresAt: number): number {
  return Number.isFinite(expiresAt) ? expiresAt : NEVER;
}

const moment = z.number().optional();
const word = z.string().max(128).optional();

const ownColumnsSchema = z.object({
  platform: word,
  appid: word,
  kind: word,
  epoch: z.int().min(0).default(0),
  issuedAt: moment,
  renewAt: moment,
  background: z.boolean().default(false),
  fingerprint: word,
  previous: z.object({ value: z.string(), fingerprint: z.string(), expired: z.number() }).optional(),
});

type OwnColumns = Omit<CredentialRow, 'id' | 'value' | 'expiresAt'>;

function ownColumns({ id, value, expiresAt, previous, ...rest }: CredentialRow) {
  return {
    ...rest,
    previous: previous && {
      value: previous.value,
      fingerprint: previous.fingerprint,
      expired: expiredOf(previous.expiresAt),
    },
  };
}

function readOwnColumns(openBridge: unknown): OwnColumns | string {
  const { success, data, error } = ownColumnsSchema.safeParse(openBridge ?? {});
  if (!success) {
    const [issue] = error.issues;
    return `${['openBridge', ...(issue?.path ?? [])].join('.')} is not as open-bridge data export writes it`;
  }
  const { platform, appid, kind, epoch, issuedAt, renewAt, background, fingerprint, previous } = data;
  return {
    platform: platform as CredentialRow['platform'],
    appid,
    kind: kind as CredentialRow['kind'],
    ...{ epoch, issuedAt, renewAt, background, fingerprint },
    previous: previous && {
      value: previous.value,
      fingerprint: previous.fingerprint,
      expiresAt: previous.expired === NEVER ? Number.POSITIVE_INFINITY : previous.expired,
    },
  };
}
