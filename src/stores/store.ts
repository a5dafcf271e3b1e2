import type { BridgeError, ErrorCode } from '../base/errors.ts';
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
  readonly ephemeral: EphemeralTable;
  readonly calls: CallTable;
  readonly usage: UsageTable;
  readonly audit: AuditTable;
  readonly texts: StoredTextTable;
  readonly copies: CopyTable;
  /** Word of credentials that other processes change; absent where there is no way to have it. */
  readonly changes?: ChangeFeed | undefined;
  /** What reads may be spared the backend by; absent without one. */
  readonly accelerator?: Accelerator | undefined;
  /** Resolves when the backend answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Told which row was changed by another process; undefined: any may have been, as messages were lost. */
export type ChangeListener = (id: string | undefined) => void;

/**
 * Word of changed credentials between the processes that share a store. It is a courtesy: a message may be
 * lost at any time, so whoever keeps values in memory looks at the store again after `boundMs` all the same.
 */
export interface ChangeFeed {
  /** Tells the other processes; never throws and waits for nobody. */
  publish(ids: readonly string[]): void;
  /** Hears of the changes of others, not of this process's own; what it resolves to ends that. */
  subscribe(listener: ChangeListener): () => void;
  /** How old a value in memory may grow without word of a change, in milliseconds. */
  readonly boundMs: number;
  close(): Promise<void>;
}

/** What spares the backend reads, and how it fares. Being without it is slower and nothing else. */
export interface Accelerator {
  /** `ok`, or what is wrong and since when nothing is read from it. */
  state(): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** What was counted since the start. */
  counts(): AcceleratorCounts;
}

export interface AcceleratorCounts {
  readonly hits: number;
  readonly misses: number;
  /** Reads that went to the backend at once, as the accelerator was left alone. */
  readonly skipped: number;
  /** Commands that took too long. */
  readonly timeouts: number;
  /** Commands that failed or were refused. */
  readonly errors: number;
  /** Copies that were no copies of ours, or did not open. */
  readonly rejected: number;
  /** How often it was left alone after failures. */
  readonly outages: number;
  /** Copies that are yet to be removed, as that failed. */
  readonly pending: number;
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

/** A row as a scan meets it. */
export interface ScannedRow extends CredentialRow {
  /** Why `get` would refuse the row, as its seal does not open; `value` and `previous` are then as they are stored. */
  readonly fault?: BridgeError | undefined;
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
   * As `get`, but the row may come from an accelerator, and then be some seconds behind in the worst case;
   * never for deciding whether to issue, to commit or to remove. Undefined only if `get` says so too. Absent
   * without an accelerator: `get` is to be used then.
   */
  readonly peek?: ((id: string) => Promise<CredentialRow | undefined>) | undefined;
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
  /**
   * All rows in the order of their ids, after `afterId`: those we did not write and foreign ones too. One
   * that does not open is among them with its `fault`, so that it hides no other.
   */
  scan(limit: number, afterId?: string): Promise<readonly ScannedRow[]>;
  /**
   * Writes rows from elsewhere, no two with the same id, all of them or none. A row that stands is replaced
   * only if we did not write it (epoch 0) and it does not end later. With `force` it is replaced in any
   * case: one of ours gets the next epoch, and keeps its app and its time of renewal where the new row has
   * none. Resolves to how many were written.
   */
  merge(rows: readonly CredentialRow[], options?: { readonly force?: boolean }): Promise<number>;
  /**
   * Removes at most `limit` rows that ended before `before`; resolves to how many, 0 when none are left.
   * Background rows stay: they are what renewal has to do, even if it fails for days.
   */
  pruneExpired(before: number, limit: number): Promise<number>;
}

export interface LeaseTable {
  /** Takes the lease `name` for `ttlMs` if nobody holds it or its holder's time is over. */
  acquire(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Prolongs it by compare-and-set on the holder; false when it was lost. */
  extend(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Compare-and-delete on the holder. */
  release(name: string, holder: string): Promise<void>;
  /**
   * Removes at most `limit` leases that have ended, which holders that died leave behind; resolves to how
   * many, 0 when none are left.
   */
  prune(limit: number): Promise<number>;
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
 * What is remembered for a while and shared by all nodes: signatures that were used, codes that were
 * exchanged. Values are sealed, names are not: hash what is secret in a name.
 */
export interface EphemeralTable {
  /** Remembers `value` for `ttlMs` unless something is remembered under that name; false then, and nothing is changed. */
  putIfAbsent(name: string, value: string, ttlMs: number): Promise<boolean>;
  /** What is remembered and has not ended. */
  get(name: string): Promise<string | undefined>;
  /** Removes at most `limit` of what has ended; resolves to how many, 0 when none are left. */
  prune(limit: number): Promise<number>;
}

/**
 * What is kept of one call through the gateway: enough to find out what happened, nothing that is secret or personal. There is
 * no query, as it may hold a token or an openid, and no body.
 */
export interface CallRow {
  /** The id the caller was given in `x-openapi-seqid`, made as `seqids.ts` has it: ids sort by the second of their call. */
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

/** Where a page of calls ended, which is a seqid; pass it on to get the next. */
export type CallCursor = string;

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
  /**
   * Adds a batch of calls, all of them or none. The same batch sent again changes nothing. Some hundred at a
   * time are best: a batch is packed as one.
   */
  append(rows: readonly CallRow[]): Promise<void>;
  get(seqid: string): Promise<CallRow | undefined>;
  /** The latest calls first. `next` is undefined when there are no more. */
  list(
    query: CallQuery,
  ): Promise<{ readonly rows: readonly CallRow[]; readonly next: CallCursor | undefined }>;
  /**
   * Removes batches of which all calls began before `olderThan`, to the second, then the earliest as long as
   * `keepAtMost` calls are left; about `limit` calls, so that nobody waits long. Resolves to how many; 0 when
   * nothing is left to remove.
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

/** Where values are kept that may be sealed. */
export type TextPlace = 'credentials' | 'settings' | 'ephemeral';

/** A value as it stands in the database, with the one before it where a credential has one. */
export interface StoredText {
  /** The row's id or name, which the seal is bound to. */
  readonly id: string;
  readonly value: string;
  readonly previous: string | undefined;
}

/** One row's values, as they were read and as they shall be. */
export interface TextChange {
  readonly from: StoredText;
  readonly to: Pick<StoredText, 'value' | 'previous'>;
}

/**
 * Values of all places as they are stored, for whoever replaces their seals. Nothing wraps this table: what
 * is sealed comes out sealed.
 */
export interface StoredTextTable {
  /** Rows in the order of their ids, after `afterId`; of the ephemeral those that have not ended. */
  scan(place: TextPlace, limit: number, afterId?: string): Promise<readonly StoredText[]>;
  /**
   * Compare-and-set of each row's values on what was read; a row that was written or removed since stays as
   * it is. Epochs and times do not change. Resolves to how many rows were changed. A power cut may take the
   * last of these writes, unless something durable was written after them.
   */
  replace(place: TextPlace, changes: readonly TextChange[]): Promise<number>;
  /** Removes rows whose values are still those; resolves to how many. As durable as `replace`. */
  remove(place: TextPlace, rows: readonly StoredText[]): Promise<number>;
}

/** Tables that can be carried to another database. */
export type CopiedTable =
  | 'opendb-open-data'
  | 'open_bridge_settings'
  | 'open_bridge_budgets'
  | 'open_bridge_failures'
  | 'open_bridge_call_batches'
  | 'open_bridge_usage'
  | 'open_bridge_audit'
  | 'open_bridge_audit_anchors';

/** A row by its columns; sealed values are as they are stored. */
export type CopiedRow = Readonly<Record<string, string | number | null>>;

/** Some rows of one table. */
export interface CopiedPage {
  readonly table: CopiedTable;
  readonly rows: readonly CopiedRow[];
}

/**
 * Whole tables, out and in, the same on every backend. For a process that does nothing else with the store
 * meanwhile: both hold a transaction open, on SQLite that of the store's one connection.
 */
export interface CopyTable {
  /** All rows of the tables, one table after the other, as they stood at one moment; writers are not held up. */
  read(tables: readonly CopiedTable[]): AsyncIterable<CopiedPage>;
  /**
   * Writes pages into tables that are empty, or are emptied first with `replace`: everything or, when
   * anything fails, nothing. `pages` may be called again, when another writer came between. Throws BridgeError
   * REQUEST_MALFORMED when a table holds rows.
   */
  write(
    tables: readonly CopiedTable[],
    pages: () => AsyncIterable<CopiedPage>,
    options?: { readonly replace?: boolean },
  ): Promise<void>;
}

/** The last entry of a chain of the audit log, or the last that was removed from its front. */
export interface AuditHead {
  /** Id of the chain; ids sort by the second the chain began in. */
  readonly chain: string;
  /** Entries are numbered from 1, without gaps. */
  readonly number: number;
  /** Its SHA-256, in hex. */
  readonly hash: string;
}

/** An entry of the audit log with its link to the one before. The other columns repeat what `entry` says, to be found by. */
export interface AuditRow extends AuditHead {
  /** Hash of the entry before; of the first, 64 zeros. */
  readonly previous: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly action: string;
  readonly actor: string | undefined;
  readonly appid: string | undefined;
  /** Fingerprint of the credential concerned. */
  readonly credential: string | undefined;
  /** The whole entry as the JSON text that was hashed. */
  readonly entry: string;
}

/** What is known of entries that retention removed: the last one of a chain, and when it was removed. */
export interface AuditAnchor extends AuditHead {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** Where a page of the audit log ended; pass it on to get the next. */
export type AuditCursor = Pick<AuditRow, 'at' | 'chain' | 'number'>;

/** Which entries are wanted; all conditions must hold. */
export interface AuditQuery {
  readonly since?: number | undefined;
  /** Only entries before this time. */
  readonly until?: number | undefined;
  readonly action?: string | undefined;
  readonly actor?: string | undefined;
  readonly credential?: string | undefined;
  /** Only entries on one of these apps. */
  readonly appids?: readonly string[] | undefined;
  readonly limit: number;
  readonly cursor?: AuditCursor | undefined;
}

/** What may be removed from the audit log. */
export interface AuditRule {
  readonly olderThan: number;
  readonly keepAtMost: number;
  /** Removes about so many, so that nobody waits long. */
  readonly limit: number;
  readonly now: number;
}

/** The audit log: entries that are only ever added, each writer's in a chain of its own. */
export interface AuditTable {
  /**
   * Adds entries, all of them or none. One that is there already stays as it is. `durable` ones survive a
   * power cut once this resolves; the others do when a later durable one does.
   */
  append(rows: readonly AuditRow[], durable: boolean): Promise<void>;
  get(chain: string, number: number): Promise<AuditRow | undefined>;
  /** The latest entries first. `next` is undefined when there are no more. */
  list(
    query: AuditQuery,
  ): Promise<{ readonly rows: readonly AuditRow[]; readonly next: AuditCursor | undefined }>;
  /** Ids of the chains that have entries, in their order, after `after`. */
  chains(limit: number, after?: string): Promise<readonly string[]>;
  /** Entries of one chain in the order of their numbers, after `after`. */
  scan(chain: string, limit: number, after: number): Promise<readonly AuditRow[]>;
  /** The last entries of the chains that began last, the latest chain first. */
  heads(limit: number): Promise<readonly AuditHead[]>;
  anchor(chain: string): Promise<AuditAnchor | undefined>;
  /** In the order of their chains, after `after`. */
  anchors(limit: number, after?: string): Promise<readonly AuditAnchor[]>;
  /**
   * Removes from the front of each chain what is before `olderThan`, then the earliest of more than
   * `keepAtMost`; the anchor of what goes is written first. Anchors of chains that are gone as long go too.
   * Resolves to the number of entries; 0 when nothing is left to remove.
   */
  prune(rule: AuditRule): Promise<number>;
}
