import type { BridgeError } from '../base/errors.ts';

/**
 * The audit log says who read, set, replaced or was refused what: never a value, users and credentials by
 * fingerprint alone. `audit-log.ts` writes it, `audit-chain.ts` links it, `audit-verify.ts` checks it.
 */

/** What an entry tells of. The first line is of the log itself, the last of operators and their commands. */
export const AUDIT_ACTIONS = [
  ...(['start', 'stop', 'heads', 'gap', 'prune', 'verify'] as const),
  ...(['read', 'set', 'remove', 'update', 'rotate', 'report'] as const),
  ...(['login', 'use', 'token-issued', 'revoke', 'refused'] as const),
  ...(['reload', 'export', 'import', 'backup', 'restore', 'reseal', 'forget-key', 'leak-drill'] as const),
] as const;

/** One word of `AUDIT_ACTIONS`. */
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What happened, as the place where it happened tells it. */
export interface AuditEvent {
  readonly action: AuditAction;
  /** `done`; otherwise what was found instead (`absent`), or an error code or errcode. */
  readonly outcome: string;
  /** Name of the caller, or what stands for one: `admin`, `s2s`, `ipWhiteList`, `local`; undefined for somebody unknown. */
  readonly actor?: string | undefined;
  /** The peer's address; undefined for what happens inside this machine. */
  readonly remoteAddress?: string | undefined;
  /** Kind of the credential. */
  readonly kind?: string | undefined;
  readonly app?: { readonly name: string; readonly appid: string } | undefined;
  /** Fingerprint of the user's openid. */
  readonly user?: string | undefined;
  /** Fingerprint of the credential. */
  readonly credential?: string | undefined;
  /** What was called, or how; a fixed word. */
  readonly detail?: string | undefined;
}

/** Takes note of what happened. */
export interface Audit {
  /**
   * Puts an event in a queue: never throws and never waits. The same event again within a minute is counted,
   * not written again.
   */
  note(event: AuditEvent): void;
  /** Resolves when the event is in the store and survives a power cut. Throws BridgeError STORE_UNAVAILABLE. */
  record(event: AuditEvent): Promise<void>;
}

/** The platform's errcode where it refused, otherwise our own code. */
export function outcomeOf({ code, upstream }: BridgeError): string {
  return upstream === undefined ? code : String(upstream.errcode);
}

/** Whether somebody was turned away, by the code of the error. */
export function isRefusal(code: string): boolean {
  return code === 'CALLER_UNKNOWN' || code === 'CALLER_EXPIRED' || code === 'CALLER_FORBIDDEN';
}

/** Whoever may not do a thing is `refused`, whatever it was. */
export function asRefused(event: AuditEvent): AuditEvent {
  return isRefusal(event.outcome) ? { ...event, action: 'refused' } : event;
}
