import type { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { App, CredentialKind, UpstreamRequest } from '../platforms/platform.ts';
import type { UpstreamAnswer } from '../platforms/upstream.ts';
import type { FailureRow } from '../stores/store.ts';

/** Names one credential: a kind, for one app, and for one user where the kind belongs to users. */
export interface CredentialRef {
  readonly app: App;
  readonly kind: CredentialKind;
  /** The user; given for `user-access-token`, `session-key` and `encrypt-key` and for nothing else. */
  readonly openid?: string | undefined;
  /** Which of the user's keys; given for `encrypt-key` and for nothing else. */
  readonly version?: number | undefined;
}

/** A usable credential. `value` prints as its fingerprint. */
export interface Credential {
  readonly ref: CredentialRef;
  readonly value: Secret;
  /** Grows by one with every new value; never goes back. */
  readonly epoch: number;
  /** Milliseconds since the Unix epoch, taken before the request was sent. */
  readonly issuedAt: number;
  /** Milliseconds since the Unix epoch, or Infinity when it never expires. */
  readonly expiresAt: number;
}

/** A caller's word that the platform refused a credential. */
export interface RefusalReport {
  /** Fingerprint of the refused value (`fingerprintOf`). */
  readonly fingerprint: string;
  /** The platform's errcode: 40001, 40014 or 42001. */
  readonly errcode: number;
  /**
   * `gateway`: we saw the refusal ourselves, so a forced refresh may follow. `caller`: hearsay, which
   * may cost one ordinary issue but never a forced one.
   */
  readonly observedBy: 'gateway' | 'caller';
}

/** What came of a report. */
export interface ReportOutcome {
  readonly credential: Credential;
  /**
   * `superseded`: the refused value was no longer the current one. `renewed`: one issue replaced it.
   * `kept`: it stays, for the reason given.
   */
  readonly outcome: 'superseded' | 'renewed' | 'kept';
  readonly reason: string | undefined;
  /** Given with `kept` when another was wanted and none could be had: why, and when it is tried again. */
  readonly failure?: BridgeError;
}

/** What came of an operator's renewal. */
export interface Rotation {
  /** What is held now. */
  readonly credential: Credential;
  /**
   * `replaced`: by this asking. `already`: another process had just replaced it. `kept`: the platform gave
   * the same value again, as it does where it cannot be forced.
   */
  readonly outcome: 'replaced' | 'already' | 'kept';
}

/** The last failure to issue a credential, shared by all processes. */
export type IssueFailure = Omit<FailureRow, 'id' | 'identity'>;

/** What is known of a credential's early ends, and what to do about them. */
export interface EarlyEnds {
  /** In the last 24 hours, and as far back as they are remembered. */
  readonly lastDay: number;
  readonly total: number;
  readonly lastAt: number;
  readonly likelyCause: string;
  readonly advice: string;
}

/** What may be told of a credential to anyone with the right to list: no value. */
export interface CredentialStatus {
  readonly ref: CredentialRef;
  readonly fingerprint: string | undefined;
  readonly epoch: number;
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
  readonly renewAt: number | undefined;
  readonly failure: IssueFailure | undefined;
  /** How often it died before its time because somebody else replaced it. */
  readonly earlyEnds: EarlyEnds | undefined;
}

/** The credential authority: the only part of the program that asks the platform for credentials. */
export interface Authority {
  /**
   * The current credential; issues one when there is none. Waits only when nothing usable exists.
   * Throws BridgeError CREDENTIAL_UNAVAILABLE with the platform's errcode when none can be had.
   */
  get(ref: CredentialRef, options?: { readonly signal?: AbortSignal }): Promise<Credential>;
  /**
   * What `get` would give, where that needs no waiting: the credential in memory, if it is fresh and the
   * store confirmed it lately. Undefined says to ask `get`, not that there is none.
   */
  held(ref: CredentialRef): Credential | undefined;
  /** Replaces a refused credential by compare-and-set on its fingerprint, with at most one issue. */
  report(ref: CredentialRef, report: RefusalReport): Promise<ReportOutcome>;
  /** An operator's renewal now: forced where the platform can, from the operator's share of the budget. */
  rotate(ref: CredentialRef): Promise<Rotation>;
  /** Renews when due; used by the background renewal. Never throws for a platform failure. */
  renew(ref: CredentialRef): Promise<'renewed' | 'fresh' | 'failed'>;
  /** Issues it if there is none and puts it under background renewal. Never throws for a platform failure. */
  keep(ref: CredentialRef): Promise<'renewed' | 'fresh' | 'failed'>;
  status(ref: CredentialRef): Promise<CredentialStatus>;
}

/** A stored value object in uni-open-bridge's shape, such as `{access_token}`. Hold it briefly; never log it. */
export type ValueObject = Readonly<Record<string, unknown>>;

/** What is known of a value at one moment. */
export type ValueReading =
  | { readonly state: 'usable'; readonly value: ValueObject; readonly expiresAt: number }
  /** There is none, and none could be had from the platform by ourselves. */
  | { readonly state: 'absent' }
  /** The user's refresh token is over or was refused: only a new login brings a value. */
  | { readonly state: 'login-required'; readonly reason: string };

/**
 * Whole stored values of every kind on every platform, as the uni-open-bridge functions handle them.
 * All throw BridgeError: CREDENTIAL_UNSUPPORTED when the kind makes no sense on the app's platform,
 * CREDENTIAL_UNAVAILABLE with the platform's errcode when a value was to be had and could not be.
 */
export interface CredentialValues {
  /**
   * The value, if it is usable at this moment. With `obtain` (the default) one that is missing or has
   * ended is got from the platform where the platform has a way: app-level kinds, encrypt keys, user
   * tokens with a refresh token. At most one request goes out however many ask.
   */
  get(ref: CredentialRef, options?: { readonly obtain?: boolean }): Promise<ValueReading>;
  /** Writes over what is there. `expiresAt` is in milliseconds since the Unix epoch, Infinity for never. */
  set(ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void>;
  /** Removes it; false when there was none. */
  remove(ref: CredentialRef): Promise<boolean>;
  /** Asks the platform now, whatever is stored, and stores what it says. Not a forced refresh: see `Authority.rotate`. */
  update(ref: CredentialRef): Promise<void>;
}

/** Who logged in, as far as may be told: no session key, no token. */
export interface Login {
  readonly openid: string;
  readonly unionid: string | undefined;
  /** OAuth logins only. */
  readonly scope: string | undefined;
  readonly snapshot: boolean;
}

/** What to do with the sessions of users, without showing anybody a session key. */
export interface UserSessions {
  /**
   * Exchanges a login code (mini program or OAuth) and keeps what it brings. One code is exchanged once:
   * whoever asks again within a few minutes, here or on another node, gets the first answer.
   */
  login(
    app: App,
    input: { readonly code: string; readonly redirectUri?: string | undefined },
  ): Promise<Login>;
  /** Asks the platform whether the stored session key is the current one. */
  check(
    app: App,
    openid: string,
  ): Promise<{ readonly valid: boolean; readonly errcode: number; readonly errmsg: string }>;
  /** Has the platform replace the session key and keeps the new one. */
  reset(app: App, openid: string): Promise<void>;
  /** The session keys to try, the current one first, then the one before while it is kept. Throws LOGIN_REQUIRED when there is none. */
  keys(app: App, openid: string): Promise<readonly Secret[]>;
}

/** Sends one business call to an app's platform with its access token, which is repaired once when it is refused. */
export type CallPlatform = (
  app: App,
  build: (accessToken: Secret) => UpstreamRequest,
) => Promise<UpstreamAnswer>;
