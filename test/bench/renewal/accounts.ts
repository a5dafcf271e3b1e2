/** The accounts whose tokens are renewed, the same for the filling, the platform and the nodes. */
import { createHash } from 'node:crypto';

/** When tokens fall due. */
export interface Schedule {
  readonly apps: number;
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  /** How long it takes from the first to the last. */
  readonly spreadMs: number;
}

export const PLATFORM = 'weixin-mp';

/** Life of a token, and how long before its end another can be had: the platform's figures. */
export const LIFE_MS = 7_200_000;
const WINDOW_MS = 300_000;
/** What renewal waits after the window opens: 2 s, and a fifth of the window by chance. */
const SETTLE_MS = 2000;
const JITTER_MS = 60_000;

/** Steps by which a sequence of fractions fills [0, 1) evenly and in no order. */
const DUE_STEP = 0.618_033_988_749_895;
const JITTER_STEP = 0.414_213_562_373_095;

export function appidOf(index: number): string {
  return `wx${index.toString(16).padStart(16, '0')}`;
}

export function indexOf(appid: string): number {
  return Number.parseInt(appid.slice(2), 16);
}

export function nameOf(index: number): string {
  return `app-${String(index).padStart(6, '0')}`;
}

export function secretOf(index: number): string {
  return createHash('sha256').update(`bench secret ${index}`).digest('hex').slice(0, 32);
}

/** A token as long as the platform's, unlike any other; `turn` is 0 for what is stored at first. */
export function tokenOf(index: number, turn: number): string {
  const digest = createHash('sha512').update(`bench token ${index} ${turn}`).digest('base64url');
  return `98_${digest}${digest.slice(0, 47)}`;
}

/** When the stored token of an account is to be renewed, and when it ends. */
export function dueOf(index: number, { from, spreadMs }: Schedule): { renewAt: number; expiresAt: number } {
  const renewAt = Math.floor(from + spreadMs * ((index * DUE_STEP) % 1));
  const jitter = JITTER_MS * ((index * JITTER_STEP) % 1);
  return { renewAt, expiresAt: Math.floor(renewAt + WINDOW_MS - SETTLE_MS - jitter) };
}
