import type { Secret } from '../base/secret.ts';

/** Platform marks as uni-open-bridge writes them; one descriptor each. */
export type PlatformId = 'weixin-mp' | 'weixin-h5';

/**
 * What a credential is for. The names are those of the stored keys; `card-ticket` is the `wx_card`
 * sibling of the `jsapi` ticket.
 */
export type CredentialKind = 'access-token' | 'ticket' | 'card-ticket';

/** Which of the platform's two isolated token endpoints an app uses: `/cgi-bin/stable_token` or `/cgi-bin/token`. */
export type TokenMode = 'stable' | 'classic';

/** One appid on one platform, as configured. */
export interface App {
  readonly name: string;
  readonly platform: PlatformId;
  readonly appid: string;
  readonly secret: Secret;
  readonly dcloudAppid: string | undefined;
  /** Whether calls that name no app act as this one. */
  readonly default: boolean;
  readonly tokenMode: TokenMode;
  /** Kinds kept fresh in the background; others are issued when first asked for. */
  readonly renews: readonly CredentialKind[];
}

/**
 * How an errcode is to be met. `token`: repair and replay once. `address`, `configuration`: stop, raise
 * an alarm. `quota`: wait for the window. `busy`: retry with jitter. `one-shot`: never retry.
 * `permission`: explain. `other`: pass on.
 */
export type ErrorClass =
  | 'token'
  | 'address'
  | 'configuration'
  | 'quota'
  | 'busy'
  | 'one-shot'
  | 'permission'
  | 'other';

/** What is known of one errcode. */
export interface ErrorRule {
  readonly class: ErrorClass;
  /** What an operator should do, in one sentence; `{ip}` and `{appid}` are filled in. */
  readonly hint?: string;
  /** How long to leave the platform alone after it, in milliseconds. */
  readonly retryAfterMs?: number;
  /** True when it is a daily quota: wait for the platform's midnight instead. */
  readonly untilMidnight?: boolean;
}

/** A limit the platform sets, which we keep to on our side. */
export interface BudgetRule {
  /** Name shown to operators and used in the store. */
  readonly name: string;
  readonly limit: number;
  /** How many of `limit` only an operator may use. */
  readonly reserve: number;
  /** Windows begin at midnight China time, when the platform's counters do. */
  readonly window: 'day' | 'month';
  /** Least time between two uses, in milliseconds. */
  readonly spacingMs?: number;
}

/** A request to the platform, before a transport carries it. Secrets travel in `query` or `json`: never log them. */
export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: Readonly<Record<string, unknown>>;
}

/** A credential as the platform just gave it. */
export interface Issued {
  readonly value: Secret;
  /** Life in milliseconds, counted from before the request was sent. */
  readonly lifeMs: number;
}

/** What an issue may need beside the app. */
export interface IssueInput {
  /** Retire the current value at once (stable tokens only). */
  readonly force: boolean;
  /** Value of the credential named by `IssuePlan.needs`. */
  readonly needed: Secret | undefined;
}

/** One way of getting one kind of credential. Pure: it builds requests and reads answers. */
export interface IssuePlan {
  /** A credential of the same app that must be had first. */
  readonly needs?: CredentialKind;
  request(app: App, input: IssueInput): UpstreamRequest;
  /** Reads a JSON answer without an errcode; throws BridgeError when what it needs is not there. */
  read(answer: Readonly<Record<string, unknown>>): Issued;
  /** The value object written to the store, in uni-open-bridge's shape. */
  toStored(value: string): Readonly<Record<string, unknown>>;
  /** The opposite of `toStored`; undefined when the object does not hold a value. */
  fromStored(value: Readonly<Record<string, unknown>>): string | undefined;
  /** How long before expiry a new value is to be fetched. */
  readonly renewAheadMs: number;
  /** True when asking before `renewAheadMs` gives the same value again, so asking early is useless. */
  readonly sameUntilRenewal: boolean;
  /** How long the previous value lives on after a new one is issued. */
  readonly overlapMs: number;
  readonly issueBudget?: BudgetRule;
  readonly forceBudget?: BudgetRule;
}

/** Which credential a path of the platform's API wants. */
export type PathCredential = 'app' | 'none' | 'component';

/** Everything that distinguishes a platform, as data and pure functions. */
export interface Platform {
  readonly id: PlatformId;
  readonly title: string;
  /** Name of its API host in the configuration's `upstream`. */
  readonly upstream: 'weixin';
  /** Hosts callers use to mean this platform's API. */
  readonly hosts: readonly string[];
  /** Where the operator changes secrets and IP lists. */
  readonly consoleUrl: string;
  plan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined;
  errorRule(errcode: number): ErrorRule;
  pathCredential(path: string): PathCredential;
  /** Query parameter the app credential is written to. */
  readonly tokenParameter: string;
  /** Query parameters by which a caller may bring a credential of their own. */
  readonly callerTokenParameters: readonly string[];
  /** Paths where a client asks for an access_token with appid and secret; the authority answers them. */
  readonly tokenPaths: Readonly<Record<string, TokenMode>>;
  /** Where a client asks for tickets, and which kind each value of the `type` parameter means. */
  readonly ticketPath: { readonly path: string; readonly kinds: Readonly<Record<string, CredentialKind>> };
  /** Where what the platform keeps of a call is asked for by its rid. */
  readonly callRecordPath: string;
  /** Limits on API paths that we keep for all callers together. */
  readonly pathBudgets: Readonly<Record<string, BudgetRule>>;
}
