import { BridgeError } from '../base/errors.ts';
import type { BudgetRule } from '../platforms/platform.ts';
import type { CredentialRef } from './credentials.ts';

/** Second segment of stored keys: uni-open-bridge's documented form, or the one its plugin uses since 1.1.0. */
export type KeyFormat = 'dcloudAppid' | 'appid';

const PREFIX = 'uni-id';

/**
 * The stored key of a credential in one of the two forms:
 * `uni-id:[dcloudAppid]:[platform]:[type]` or `uni-id:[platform]:[appid]:[type]`. App-level keys leave
 * the openid segment out. Undefined when the app has no dcloudAppid and that form is asked for.
 */
function keyIn(format: KeyFormat, { app, kind }: CredentialRef): string | undefined {
  if (format === 'appid') return `${PREFIX}:${app.platform}:${app.appid}:${kind}`;
  return app.dcloudAppid === undefined ? undefined : `${PREFIX}:${app.dcloudAppid}:${app.platform}:${kind}`;
}

/** The key a credential is written under, and the other form it may also be read from. */
export function storedKeys(
  ref: CredentialRef,
  format: KeyFormat,
): { readonly id: string; readonly alternate: string | undefined } {
  const byAppid = keyIn('appid', ref);
  const byDcloudAppid = keyIn('dcloudAppid', ref);
  const id = format === 'dcloudAppid' ? (byDcloudAppid ?? byAppid) : byAppid;
  if (id === undefined) throw new BridgeError('INTERNAL', 'a credential key could not be built');
  return { id, alternate: id === byAppid ? byDcloudAppid : byAppid };
}

/**
 * What a credential is, whatever form its stored key has: names its lease, its in-process flight and
 * its failures. Two configurations that store under different keys still exclude each other.
 */
export function credentialName({ app, kind }: CredentialRef): string {
  return `${app.platform}:${app.appid}:${kind}`;
}

/** Names an app's budget of one rule. */
export function budgetSubject(
  app: { readonly platform: string; readonly appid: string },
  rule: BudgetRule,
): string {
  return `${app.platform}:${app.appid}:${rule.name}`;
}
