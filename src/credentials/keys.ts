import { BridgeError } from '../base/errors.ts';
import type { BudgetRule } from '../platforms/platform.ts';
import type { CredentialRef } from './credentials.ts';

/** Second segment of stored keys: uni-open-bridge's documented form, or the one its plugin uses since 1.1.0. */
export type KeyFormat = 'dcloudAppid' | 'appid';

const PREFIX = 'uni-id';

/** Last segment of a stored key; encrypt keys carry their version in it. */
function typeOf({ kind, version }: CredentialRef): string {
  return kind === 'encrypt-key' ? `${kind}-${version}` : kind;
}

/**
 * The stored key of a credential in one of the two forms: `uni-id:[dcloudAppid]:[platform]:[openid]:[type]`
 * or `uni-id:[platform]:[appid]:[openid]:[type]`. App-level keys leave the openid segment out. Undefined
 * when the app has no dcloudAppid and that form is asked for.
 */
function keyIn(format: KeyFormat, ref: CredentialRef): string | undefined {
  const { app, openid } = ref;
  const rest = openid === undefined ? typeOf(ref) : `${openid}:${typeOf(ref)}`;
  if (format === 'appid') return `${PREFIX}:${app.platform}:${app.appid}:${rest}`;
  return app.dcloudAppid === undefined ? undefined : `${PREFIX}:${app.dcloudAppid}:${app.platform}:${rest}`;
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

/** The stored keys a credential is read from, the one it is written under first. */
export function idsOf(ref: CredentialRef, format: KeyFormat): readonly string[] {
  const { id, alternate } = storedKeys(ref, format);
  return alternate === undefined ? [id] : [id, alternate];
}

/**
 * What a credential is, whatever form its stored key has: names its lease, its in-process flight and
 * its failures. Two configurations that store under different keys still exclude each other. The versions
 * of an encrypt key have one name, as one request brings them all.
 */
export function credentialName({ app, kind, openid }: CredentialRef): string {
  return openid === undefined
    ? `${app.platform}:${app.appid}:${kind}`
    : `${app.platform}:${app.appid}:${openid}:${kind}`;
}

/** Names an app's budget of one rule. */
export function budgetSubject(
  app: { readonly platform: string; readonly appid: string },
  rule: BudgetRule,
): string {
  return `${app.platform}:${app.appid}:${rule.name}`;
}
