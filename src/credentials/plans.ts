import { BridgeError } from '../base/errors.ts';
import type { CredentialKind, IssuePlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { CredentialRef } from './credentials.ts';

/** Kinds that belong to one user each. */
const USER_KINDS: ReadonlySet<CredentialKind> = new Set(['user-access-token', 'session-key', 'encrypt-key']);

/** Field of the stored value object that holds a kind's value. */
const FIELDS: Readonly<Record<CredentialKind, string>> = {
  'access-token': 'access_token',
  ticket: 'ticket',
  'card-ticket': 'ticket',
  'user-access-token': 'access_token',
  'session-key': 'session_key',
  'encrypt-key': 'encrypt_key',
};

/** How long a token server of one's own leaves the value before a new one alive. */
const PUSHED_OVERLAP_MS = 300_000;

/** Whether a kind belongs to one user each, and so is named by an openid. */
export function isUserKind(kind: CredentialKind): boolean {
  return USER_KINDS.has(kind);
}

/** The field of a kind's stored value object that holds the value itself. */
export function valueField(kind: CredentialKind): string {
  return FIELDS[kind];
}

/** Whether values of this credential only ever come in from outside: the app is not managed, or its platform issues none. */
export function isPushed({ app, kind }: CredentialRef): boolean {
  return !app.managed || platformOf(app.platform).plan(kind, app.tokenMode) === undefined;
}

/** Throws CREDENTIAL_UNSUPPORTED when a kind makes no sense on its app's platform. */
export function requireKind({ app, kind }: CredentialRef): void {
  const platform = platformOf(app.platform);
  const fault = platform.kindFault(kind);
  if (fault !== undefined)
    throw new BridgeError('CREDENTIAL_UNSUPPORTED', `${app.platform} has no ${kind}`, { hint: fault });
}

/** How an app-level credential is issued and stored; throws CREDENTIAL_UNSUPPORTED when its platform has no such kind. */
export function planOf(ref: CredentialRef): IssuePlan {
  const { app, kind } = ref;
  const plan = platformOf(app.platform).plan(kind, app.tokenMode);
  if (plan !== undefined && app.managed) return plan;
  requireKind(ref);
  return pushedPlan(kind);
}

/** A value that is pushed in is stored as an issued one is, and never asked for. */
function pushedPlan(kind: CredentialKind): IssuePlan {
  const field = FIELDS[kind];
  const unasked = (): never => {
    throw new BridgeError('INTERNAL', `a ${kind} that is pushed in was asked for`);
  };
  return {
    request: unasked,
    read: unasked,
    toStored: value => ({ [field]: value }),
    fromStored: object => {
      const value = object[field];
      return typeof value === 'string' && value !== '' ? value : undefined;
    },
    renewAheadMs: 0,
    sameUntilRenewal: false,
    overlapMs: PUSHED_OVERLAP_MS,
  };
}

/** The refusal to get what is only pushed in. */
export function pushedIn({ app, kind }: CredentialRef): BridgeError {
  const what = `no ${kind} for ${app.name} (${app.appid})`;
  return app.managed
    ? new BridgeError('CREDENTIAL_UNAVAILABLE', `${what}: ${app.platform} issues none to us`, {
        hint: 'push one in with the set function of uni-open-bridge',
      })
    : new BridgeError(
        'CREDENTIAL_UNAVAILABLE',
        `${what}: the app is not managed here and none was pushed in`,
        {
          hint: 'have your token server push it with the set function of uni-open-bridge, or set "managed": true on the app',
        },
      );
}
