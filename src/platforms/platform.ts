import type { Secret } from '../base/secret.ts';
import type { Verdict } from './verdict.ts';

/** Platform marks as uni-open-bridge writes them; one descriptor each. */
export type PlatformId = 'weixin-mp' | 'weixin-h5' | 'weixin-web' | 'weixin-app' | 'qq-mp' | 'qq-app';

/** Name of an API host in the configuration's `upstream`: WeChat, QQ's mini programs, QQ Connect. */
export type UpstreamId = 'weixin' | 'qq' | 'qqConnect';

/**
 * What a credential is for. The names are those of the stored keys; `card-ticket` is the `wx_card`
 * sibling of the `jsapi` ticket. The last three belong to one user each, named by openid.
 */
export type CredentialKind =
  | 'access-token'
  | 'ticket'
  | 'card-ticket'
  | 'user-access-token'
  | 'session-key'
  | 'encrypt-key';

/** Which of the platform's two isolated token endpoints an app uses: `/cgi-bin/stable_token` or `/cgi-bin/token`. */
export type TokenMode = 'stable' | 'classic';

/** One appid on one platform, as configured. */
export interface App {
  readonly name: string;
  readonly platform: PlatformId;
  readonly appid: string;
  /** Undefined only for an app whose credentials are pushed in and never fetched here. */
  readonly secret: Secret | undefined;
  /**
   * Whether credentials are fetched from the platform. False for teams that keep a token server of their
   * own: values come in by the set functions, are read by everyone and are never replaced from here.
   */
  readonly managed: boolean;
  readonly dcloudAppid: string | undefined;
  /** Further DCloud appids it goes by; `*` stands for every one that is no other app's on this platform. */
  readonly dcloudAliases?: readonly string[];
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
  /** Sent as a JSON body; without it there is no body at all, which signed requests depend on. */
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

/** What a user's grant brought: the answer to a code, or to a refresh token. */
export interface UserGrant {
  /** Empty when the answer does not name the user: `UserTokenPlan.identify` asks for it. */
  readonly openid: string;
  readonly unionid: string | undefined;
  readonly scope: string | undefined;
  /** A throw-away identity (`is_snapshotuser`), as WeChat gives to users who only look at a page. */
  readonly snapshot: boolean;
  readonly accessToken: Secret;
  /** Undefined when the platform gave none; the user must then log in again once the token has ended. */
  readonly refreshToken: Secret | undefined;
  /** Life of the access token in milliseconds, counted from before the request was sent. */
  readonly lifeMs: number;
}

/** How a platform grants user access tokens (OAuth 2.0, as each platform has it). */
export interface UserTokenPlan {
  /** `redirectUri` is what the code was asked for with; only QQ Connect wants it again, and throws REQUEST_MALFORMED without. */
  exchange(
    app: App,
    input: { readonly code: string; readonly redirectUri?: string | undefined },
  ): UpstreamRequest;
  refresh(app: App, refreshToken: Secret): UpstreamRequest;
  /** Reads the answer to either; throws BridgeError when what it needs is not there. */
  read(answer: Readonly<Record<string, unknown>>): UserGrant;
  /** Asked when an answer to `exchange` does not name the user; answers `{openid, unionid?}`. Undefined where it always does. */
  identify?(accessToken: Secret): UpstreamRequest;
  /** How long a refresh token can be used, in milliseconds from the grant that first brought it. */
  readonly refreshLifeMs: number;
  /** How long before its end a token in use is refreshed; without it, once it has ended. */
  readonly renewAheadMs?: number;
  /** Whether a refresh brings a new refresh token whose life begins anew. */
  readonly refreshRotates: boolean;
  /** errcodes that say that this refresh token will never work again: the user must log in anew. */
  readonly loginAgainCodes: ReadonlySet<number>;
}

/** What a mini program's login brought. */
export interface SessionGrant {
  readonly openid: string;
  readonly unionid: string | undefined;
  readonly sessionKey: Secret;
}

/** One key for what a mini program encrypts itself. */
export interface EncryptKey {
  readonly encryptKey: Secret;
  readonly iv: string;
  readonly version: number;
  /** Life left in milliseconds; 0 for one that is only good for data encrypted before. */
  readonly lifeMs: number;
}

/** A request that carries the app's access token and is signed with the user's session key. */
export interface SignedInput {
  readonly openid: string;
  readonly accessToken: Secret;
  readonly sessionKey: Secret;
}

/** How a platform keeps mini-program sessions. What a platform does not offer is left out. */
export interface SessionPlan {
  /** Exchanges a login code, once. */
  exchange(app: App, code: string): UpstreamRequest;
  read(answer: Readonly<Record<string, unknown>>): SessionGrant;
  /** Asks whether the session key is the current one. */
  check?(input: SignedInput): UpstreamRequest;
  /** Replaces the session key; the answer is read with `readReset`. */
  reset?(input: SignedInput): UpstreamRequest;
  readReset?(answer: Readonly<Record<string, unknown>>): Secret;
  encryptKeys?(input: SignedInput): UpstreamRequest;
  readEncryptKeys?(answer: Readonly<Record<string, unknown>>): readonly EncryptKey[];
  /** Asks for the phone number behind a one-shot code. */
  phoneNumber?(accessToken: Secret, code: string): UpstreamRequest;
  /** errcodes that say that the session key is not (or no longer) the right one. */
  readonly sessionRefusedCodes: ReadonlySet<number>;
}

/** Which credential a path of the platform's API wants. */
export type PathCredential = 'app' | 'none' | 'component';

/** Everything that distinguishes a platform, as data and pure functions. */
export interface Platform {
  readonly id: PlatformId;
  readonly title: string;
  /** Name of its API host in the configuration's `upstream`. */
  readonly upstream: UpstreamId;
  /** Hosts callers use to mean this platform's API. */
  readonly hosts: readonly string[];
  /** Where the operator changes secrets and IP lists. */
  readonly consoleUrl: string;
  /** How an app-level kind is issued; undefined when the platform does not issue it. */
  plan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined;
  /** Why this kind makes no sense on this platform, so that not even a value pushed in is kept; undefined when it does. */
  kindFault(kind: CredentialKind): string | undefined;
  /** How users' OAuth tokens are had; undefined when the platform has none. */
  readonly userTokens?: UserTokenPlan;
  /** How mini-program sessions are had; undefined when the platform has none. */
  readonly sessions?: SessionPlan;
  /** The verdict in a JSON answer, where it is not WeChat's `errcode` and `errmsg`; undefined when it went well. */
  verdict?(answer: Readonly<Record<string, unknown>>): Verdict | undefined;
  errorRule(errcode: number): ErrorRule;
  pathCredential(path: string): PathCredential;
  /** Query parameter the app credential is written to. */
  readonly tokenParameter: string;
  /** Query parameters by which a caller may bring a credential of their own. */
  readonly callerTokenParameters: readonly string[];
  /** Paths where a client asks for an access_token with appid and secret; the authority answers them. */
  readonly tokenPaths: Readonly<Record<string, TokenMode>>;
  /** Where a client asks for tickets, and which kind each value of the `type` parameter means; undefined where there are none. */
  readonly ticketPath:
    | { readonly path: string; readonly kinds: Readonly<Record<string, CredentialKind>> }
    | undefined;
  /** Where what the platform keeps of a call is asked for by its rid; undefined where that is not offered. */
  readonly callRecordPath: string | undefined;
  /** A path that takes a token, changes nothing and costs next to nothing; undefined where there is none. */
  readonly tokenProbePath?: string;
  /** Limits on API paths that we keep for all callers together. */
  readonly pathBudgets: Readonly<Record<string, BudgetRule>>;
}
