import { isLocalCaller } from '../../../access/callers.ts';
import { BridgeError } from '../../../base/errors.ts';
import type { Identity } from '../../identity.ts';

/** The caller whose calls alone whoever asks may see; undefined when it may see all. */
export function confinedTo(identity: Identity | undefined): string | undefined {
  if (identity === undefined) throw new TypeError('calls are never shown to everybody');
  return identity.type === 'admin' || isLocalCaller(identity.caller) ? undefined : identity.caller.name;
}

/** The caller to look for, given whom the request names. Throws CALLER_FORBIDDEN when that is somebody else's business. */
export function callerWanted(identity: Identity | undefined, named: string | undefined): string | undefined {
  const own = confinedTo(identity);
  if (own === undefined || named === undefined || named === own) return own ?? named;
  throw new BridgeError('CALLER_FORBIDDEN', `caller ${own} may see its own calls only`, {
    hint: 'leave caller out, or ask with an admin key',
  });
}
