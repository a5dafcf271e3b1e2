import type { Authority } from '../credentials/credentials.ts';
import type { App, Platform } from '../platforms/platform.ts';
import type { Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { dropParameters } from './query.ts';

/**
 * Puts the app's credential into the query: the one place that does. Without a credential the call does
 * not go out. Other parameters stay byte for byte as they were.
 */
export function inject(authority: Authority): Stage {
  return next => call => {
    // After a repair the new credential goes out, whoever brought the one before.
    if (call.credential !== undefined) {
      place(call);
      return next(call);
    }
    if (!call.injects) {
      call.outgoingQuery = call.query;
      return next(call);
    }
    return untilFault(call, authority.get({ app: call.app as App, kind: 'access-token' })).then(
      credential => {
        call.credential = credential;
        place(call);
        return next(call);
      },
    );
  };
}

function place(call: Call): void {
  const { tokenParameter, callerTokenParameters } = call.platform as Platform;
  const token = call.credential?.value.reveal();
  if (token === undefined || token === '')
    throw new TypeError('a call was about to go out without its credential');
  const others =
    call.emptyToken || call.token !== undefined
      ? dropParameters(call.query, callerTokenParameters)
      : call.query;
  const placed = `${tokenParameter}=${encodeURIComponent(token)}`;
  call.outgoingQuery = others === '' ? placed : `${placed}&${others}`;
}
