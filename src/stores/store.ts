import type { ErrorCode } from '../base/errors.ts';
import type { CredentialKind, PlatformId } from '../platforms/platform.ts';

/**
 * Where state lives. One interface, one file a backend; `sealing.ts` wraps any of them. All times are
 * milliseconds since the Unix epoch. Leases and budgets are decided by the store's own time, so that
 * nodes with different clocks agree.
 *
 * Every method throws BridgeError STORE_UNAVAILABLE when the backend does not answer.
 */
export interface Store {
  readonly credentials: CredentialTable;
  readonly leases: LeaseTable;
  readonly budgets: BudgetTable;
  readonly failures: FailureTable;
  readonly settings: SettingTable;
  readonly calls: CallTable;
  readonly usage: UsageTable;
  /** Resolves when the backend answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A value with its end, kept while the platform still honours it after a newer one. */
export interface PreviousValue {
  readonly value: string;
  readonly fingerprint: string;
  readonly expiresAt: number;
}

/**
 * One row of `opendb-open-data`. `id`, `value` and `expiresAt` are uniCloud's `_id`, `value` and
 * `expired`; the rest are our own columns, empty in rows that uniCloud wrote.
 */
export interface CredentialRow {
  readonly id: string;
  /** JSON text of the value object. */
  readonly value: string;
  /** Infinity for never, which uniCloud writes as -1. */
  readonly expiresAt: number;
  readonly platform: PlatformId | undefined;
  readonly appid: string | undefined;
  readonly kind: CredentialKind | undefined;
  /** 0 in rows we did not write. */
  readonly epoch: number;
  readonly issuedAt: number | undefined;
  /** When a newer value is to be fetched. */
  readonly renewAt: number | undefined;
  /** Whether that happens in the background, or only when the value is asked for. */
  readonly background: boolean;
  readonly fingerprint: string | undefined;
  readonly previous: PreviousValue | undefined;
}

/** Where a page of due rows ended; pass it on to get the next. */
export interface DueCursor {
  readonly renewAt: number;
  readonly id: string;
}

/** Names one due row without its value. */
export interface DueRow extends DueCursor {
  readonly platform: PlatformId;
  readonly appid: string;
  readonly kind: CredentialKind;
}

export interface CredentialTable {
  get(id: string): Promise<CredentialRow | undefined>;
  /**
   * Compare-and-set: writes `row` only if the stored epoch is `expectedEpoch` (0: no row, or one we did
   * not write). False when another writer was first; then nothing is changed.
   */
  commit(row: CredentialRow, expectedEpoch: number): Promise<boolean>;
  /** Background rows with `renewAt` at or before `until`, earliest first, after `cursor`. */
  due(until: number, limit: number, cursor?: DueCursor): Promise<readonly DueRow[]>;
  /** Moves the renewal of a row whose epoch is still `epoch`. */
  reschedule(
    id: string,
    epoch: number,
    renewal: { readonly renewAt: number; readonly background: boolean },
  ): Promise<void>;
  remove(id: string): Promise<boolean>;
  /** The row whose current or previous value has this fingerprint. */
  findByFingerprint(fingerprint: string): Promise<CredentialRow | undefined>;
}

export interface LeaseTable {
  /** Takes the lease `name` for `ttlMs` if nobody holds it or its holder's time is over. */
  acquire(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Prolongs it by compare-and-set on the holder; false when it was lost. */
  extend(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Compare-and-delete on the holder. */
  release(name: string, holder: string): Promise<void>;
}

/** One use of a budget. */
export interface BudgetUse {
  /** Whose budget of what: includes platform, app and rule name. */
  readonly subject: string;
  /** The window it counts in, such as `2026-11-21`. */
  readonly window: string;
  /** Uses allowed in the window, for this user of it. */
  readonly limit: number;
  /** Least milliseconds since the last use. */
  readonly spacingMs: number;
}

export interface BudgetTable {
  /** Counts one use if the limit and the spacing allow it, atomically. */
  take(use: BudgetUse): Promise<boolean>;
  /** Uses counted so far in a window, and the time of the last one. */
  usage(subject: string, window: string): Promise<{ readonly used: number; readonly lastAt: number }>;
}

/** Why a credential could not be issued, shared so that one failure answers every waiting caller. */
export interface FailureRow {
  readonly id: string;
  /** Fingerprint of what the failure depends on; a change of secret makes the row void. */
  readonly identity: string;
  readonly code: string;
  readonly errcode: number | undefined;
  readonly errmsg: string;
  readonly errorClass: string;
  readonly hint: string | undefined;
  /** Failures in a row. */
  readonly failures: number;
  readonly failedAt: number;
  readonly retryAt: number;
}

export interface FailureTable {
  get(id: string): Promise<FailureRow | undefined>;
  put(row: FailureRow): Promise<void>;
  clear(id: string): Promise<void>;
}

/** Small things the program remembers about itself, such as the hash of the admin key it made. */
export interface SettingTable {
  get(name: string): Promise<string | undefined>;
  /** Writes only if there is none; resolves to the value that stands afterwards. */
  putIfAbsent(name: string, value: string): Promise<string>;
  /** Writes over what is there. */
  put(name: string, value: string): Promise<void>;
}

/**
 * What is kept of one call through the gateway: enough to find out what happened, nothing that is secret or personal. There is
 * no query, as it may hold a token or an openid, and no body.
 */
export interface CallRow {
  /** The id the caller was given in `x-openapi-seqid`. */
  readonly seqid: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** From the first stage until the answer had left the gateway, in milliseconds. */
  readonly durationMs: number;
  /** Of that, waiting for the head of the platform's answer. */
  readonly upstreamMs: number;
  /** How often it was sent to the platform: 0 when the answer was made here, more than once after a replay. */
  readonly sends: number;
  readonly method: string;
  /** Canonical path; empty when the request was malformed. */
  readonly path: string;
  readonly remoteAddress: string;
  readonly caller: string | undefined;
  readonly platform: string | undefined;
  /** Name of the app acted as. */
  readonly app: string | undefined;
  readonly appid: string | undefined;
  /** Whether one of our credentials was put into the call. */
  readonly injected: boolean;
  /** Fingerprint of that credential, as operators see it elsewhere. */
  readonly credential: string | undefined;
  readonly status: number;
  /** errcode of a small JSON answer, or of our own refusal. */
  readonly errcode: number | undefined;
  /** The platform's own request id. */
  readonly rid: string | undefined;
  /** Our own code, when the answer is ours and not the platform's. */
  readonly failure: ErrorCode | undefined;
  /** Whether the call was repeated with a repaired credential. */
  readonly replayed: boolean;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** `whole`: the answer was handed over. `cut`: it broke off. `caller-gone`: nobody waited for it. */
  readonly end: 'whole' | 'cut' | 'caller-gone';
}

/** Where a page of calls ended; pass it on to get the next. */
export interface CallCursor {
  readonly startedAt: number;
  readonly id: number;
}

/** Which calls are wanted; all conditions must hold. */
export interface CallQuery {
  /** Only calls that began before this time. */
  readonly before?: number | undefined;
  readonly caller?: string | undefined;
  readonly appid?: string | undefined;
  readonly errcode?: number | undefined;
  readonly rid?: string | undefined;
  /** Only calls that did not go well: an error of ours, an errcode, a status from 400, an answer cut short. */
  readonly failedOnly?: boolean | undefined;
  readonly limit: number;
  readonly cursor?: CallCursor | undefined;
}

/** The call log: what comes in masses and may be lost in the last moments before a power cut. */
export interface CallTable {
  /** Adds calls, all of them or none. One that is there already stays as it is. */
  append(rows: readonly CallRow[]): Promise<void>;
  get(seqid: string): Promise<CallRow | undefined>;
  /** The latest calls first. `next` is undefined when there are no more. */
  list(
    query: CallQuery,
  ): Promise<{ readonly rows: readonly CallRow[]; readonly next: CallCursor | undefined }>;
  /**
   * Removes calls that began before `olderThan`, then the earliest of more than `keepAtMost`; about
   * `limit` of them, so that nobody waits long. Resolves to how many; 0 when nothing is left to remove.
   */
  prune(rule: {
    readonly olderThan: number;
    readonly keepAtMost: number;
    readonly limit: number;
  }): Promise<number>;
}

/** Sums over calls. */
export interface UsageCounts {
  readonly calls: number;
  /** Calls that the platform answered with an errcode other than 0. */
  readonly errors: number;
  /** Calls that we answered with an error of ours. */
  readonly refused: number;
  readonly replayed: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
}

/** The calls of one day, of one caller as one app. */
export interface UsageRow extends UsageCounts {
  /** Such as `2026-11-21`. */
  readonly day: string;
  /** Undefined for those we do not know. */
  readonly caller: string | undefined;
  readonly appid: string | undefined;
}

export interface UsageTable {
  /** Adds to the sums there are, atomically, all rows or none. */
  add(rows: readonly UsageRow[]): Promise<void>;
  /** From the day `since` on, the latest day first. */
  list(query: { readonly since: string; readonly caller?: string | undefined }): Promise<readonly UsageRow[]>;
  /** Removes the days before `before`; resolves to the number of rows. */
  prune(before: string): Promise<number>;
}
