import type { Access } from '../access/access.ts';
import type { Caller } from '../access/callers.ts';
import type { App } from '../platforms/platform.ts';
import type { Stage } from './call.ts';

/** Lets only listed calls have a credential of ours. Those that bring their own, or need none, pass. */
export function authorize(access: Access): Stage {
  return next => call => {
    if (call.injects)
      access.authorize({ caller: call.caller as Caller, app: call.app as App, path: call.path });
    return next(call);
  };
}
