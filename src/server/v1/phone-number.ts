import type { PhoneNumbers } from '../../credentials/phone-number.ts';
import type { Handler } from '../control.ts';
import { appFor, type HandlerDeps } from './deps.ts';

/** POST /v1/phone-number: the number behind the code of a phone number button. */
export function getPhoneNumber(
  deps: HandlerDeps & { readonly phoneNumbers: PhoneNumbers },
): Handler<'getPhoneNumber'> {
  return async ({ identity, body }) => ({
    answer: await deps.phoneNumbers.get(appFor(deps, identity, body.appid), body.code),
  });
}
