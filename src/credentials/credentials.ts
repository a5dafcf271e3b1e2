import type { Secret } from '../base/secret.ts';
import type { App, CredentialKind } from '../platforms/platform.ts';
import type { FailureRow } from '../stores/store.ts';

/** Names one credential: a kind, for one app. */
export interface CredentialRef {
  readonly app: App;
  readonly kind: CredentialKind;
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
}

/** The last failure to issue a credential, shared by all processes. */
export type IssueFailure = Omit<FailureRow, 'id' | 'identity'>;

/** What may be told of a credential to anyone with the right to list: no value. */
export interface CredentialStatus {
  readonly ref: CredentialRef;
  readonly fingerprint: string | undefined;
  readonly epoch: number;
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
  readonly renewAt: number | undefined;
  readonly failure: IssueFailure | undefined;
}

/** The credential authority: the only part of the program that asks the platform for credentials. */
export interface Authority {
  /**
   * The current credential; issues one when there is none. Waits only when nothing usable exists.
   * Throws BridgeError CREDENTIAL_UNAVAILABLE with the platform's errcode when none can be had.
   */
  get(ref: CredentialRef, options?: { readonly signal?: AbortSignal }): Promise<Credential>;
  /** Replaces a refused credential by compare-and-set on its fingerprint, with at most one issue. */
  report(ref: CredentialRef, report: RefusalReport): Promise<ReportOutcome>;
  /** An operator's renewal now: forced where the platform can, from the operator's share of the budget. */
  rotate(ref: CredentialRef): Promise<Credential>;
  /** Renews when due; used by the background renewal. Never throws for a platform failure. */
  renew(ref: CredentialRef): Promise<'renewed' | 'fresh' | 'failed'>;
  /** Issues it if there is none and puts it under background renewal. Never throws for a platform failure. */
  keep(ref: CredentialRef): Promise<'renewed' | 'fresh' | 'failed'>;
  status(ref: CredentialRef): Promise<CredentialStatus>;
}
