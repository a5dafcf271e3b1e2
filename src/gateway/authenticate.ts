import type { Access } from '../access/access.ts';
import { BridgeError } from '../base/errors.ts';
import type { Stage } from './call.ts';

/** Finds out who is calling, by key or by address, and whether they may use the gateway at all. */
export function authenticate(access: Access): Stage {
  return next => call => {
    const { remoteAddress } = call.incoming;
    const caller = access.authenticate({ key: call.key, remoteAddress, fromWebPage: call.fromWebPage });
    call.caller = caller;
    if (!caller.scopes.has('call')) {
      throw new BridgeError('CALLER_FORBIDDEN', `caller ${caller.name} may not call through the gateway`, {
        hint: `add "call" to callers[${caller.name}].scopes in the configuration`,
      });
    }
    return next(call);
  };
}
