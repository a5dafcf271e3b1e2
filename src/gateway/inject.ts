import { Secret } from '../base/secret.ts';
import type { Authority, Credential } from '../credentials/credentials.ts';
import type { App, Platform } from '../platforms/platform.ts';
import type { Answer, Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { dropParameters } from './query.ts';

/**
 * Puts the app's credential into the query: the one place that does. Without a credential the call does
 * not go out. Other parameters stay byte for byte as they were.
 */
export function inject(authority: Authority): Stage {
  /** Credentials as they stand in a query: encoding one takes longer than all else that is done here. */
  const encoded = new WeakMap<Credential, Secret>();

  const place = (call: Call, credential: Credential): void => {
    let token = encoded.get(credential);
    if (token === undefined) {
      token = new Secret(encodeURIComponent(credential.value.reveal()));
      encoded.set(credential, token);
    }
    call.credential = credential;
    call.outgoingQuery = queryWith(call, token.reveal());
  };

  return next => call => {
    // After a repair the new credential goes out, whoever brought the one before.
    if (call.credential !== undefined) {
      place(call, call.credential);
      return next(call);
    }
    if (!call.injects) {
      call.outgoingQuery = call.query;
      return next(call);
    }
    const ref = { app: call.app as App, kind: 'access-token' } as const;
    const send = (credential: Credential): Answer | Promise<Answer> => {
      place(call, credential);
      return next(call);
    };
    const held = authority.held(ref);
    return held === undefined ? untilFault(call, authority.get(ref)).then(send) : send(held);
  };
}

/** The query as it goes out, with a credential that is encoded already. */
function queryWith(call: Call, token: string): string {
  const { tokenParameter, callerTokenParameters } = call.platform as Platform;
  if (token === '') throw new TypeError('a call was about to go out without its credential');
  const others =
    call.emptyToken || call.token !== undefined
      ? dropParameters(call.query, callerTokenParameters)
      : call.query;
  const placed = `${tokenParameter}=${token}`;
  return others === '' ? placed : `${placed}&${others}`;
}
