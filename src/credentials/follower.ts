import { BridgeError } from '../base/errors.ts';
import type { Upstream } from '../platforms/upstream.ts';
import type { AppValues } from './authority.ts';
import type { Budgets } from './budget.ts';
import type { Authority, CallPlatform, CredentialValues, UserSessions } from './credentials.ts';

/**
 * What a bridge that follows another has in the place of credentials: nothing. It could not issue one if it
 * wanted to, as its way to the platform refuses whatever is asked; and it uses none that its database may
 * hold from an earlier life, as nothing here reads one.
 */

/** What somebody wanted of a follower's credentials. */
type Wanted = 'read' | 'change' | 'session' | 'platform';

const REFUSALS: Readonly<Record<Wanted, readonly [message: string, hint: string]>> = {
  read: [
    'this bridge follows another and hands out no credentials: they never leave the bridge that is followed',
    'call the platform through the gateway of this bridge without a token; the bridge that is followed puts it in',
  ],
  change: [
    'this bridge follows another and changes no credentials',
    'set, replace or report them at the bridge that is followed',
  ],
  session: [
    'this bridge follows another and keeps no sessions of users',
    'ask the bridge that is followed, as a caller with the scope session:use',
  ],
  platform: [
    'this bridge follows another and never asks the platform itself',
    'ask the bridge that is followed',
  ],
};

/** The refusal of what a bridge that follows another does not do. */
export function followerReadOnly(wanted: Wanted): BridgeError {
  const [message, hint] = REFUSALS[wanted];
  return new BridgeError('FOLLOWER_READ_ONLY', message, { hint });
}

/** A way to the platform that nothing passes. */
export function refusingUpstream(): Upstream {
  return { send: refuse('platform'), close: async () => {} };
}

/** Credentials of which there are none. Asking throws FOLLOWER_READ_ONLY; renewal finds nothing to do. */
export function followerCredentials() {
  const read = refuse('read');
  const change = refuse('change');
  const session = refuse('session');
  const authority: Authority = {
    get: read,
    held: () => undefined,
    report: change,
    rotate: change,
    renew: async () => 'fresh',
    keep: async () => 'fresh',
    status: read,
  };
  const values: CredentialValues = { get: read, set: change, remove: change, update: change };
  const sessions: UserSessions = { login: session, check: session, reset: session, keys: session };
  const callPlatform: CallPlatform = refuse('platform');
  const budgets: Budgets = { take: change, require: change, state: read };
  const appValues: AppValues = { peek: read, hold: read, put: change, remove: change, anew: change };
  return {
    authority: { ...authority, budgets, values: appValues, retire: change, idle: async () => {} },
    ...{ values, sessions, callPlatform },
  };
}

function refuse(wanted: Wanted): () => Promise<never> {
  return async () => {
    throw followerReadOnly(wanted);
  };
}
