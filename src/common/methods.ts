import { BridgeError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { CredentialKind } from '../platforms/platform.ts';

/** The kinds of credentials that uni-open-bridge has functions for. */
export type BridgeKind = Exclude<CredentialKind, 'card-ticket'>;

/** What a function does with a credential. */
export type Verb = 'get' | 'set' | 'remove' | 'update';

/** One function: what it does, with which kind. */
export interface Method {
  readonly verb: Verb;
  readonly kind: BridgeKind;
}

/** Every function, under its name in the library and in the path of the HTTP form. */
export const METHODS = {
  getAccessToken: { verb: 'get', kind: 'access-token' },
  setAccessToken: { verb: 'set', kind: 'access-token' },
  removeAccessToken: { verb: 'remove', kind: 'access-token' },
  updateAccessToken: { verb: 'update', kind: 'access-token' },
  getUserAccessToken: { verb: 'get', kind: 'user-access-token' },
  setUserAccessToken: { verb: 'set', kind: 'user-access-token' },
  removeUserAccessToken: { verb: 'remove', kind: 'user-access-token' },
  getSessionKey: { verb: 'get', kind: 'session-key' },
  setSessionKey: { verb: 'set', kind: 'session-key' },
  removeSessionKey: { verb: 'remove', kind: 'session-key' },
  getEncryptKey: { verb: 'get', kind: 'encrypt-key' },
  setEncryptKey: { verb: 'set', kind: 'encrypt-key' },
  removeEncryptKey: { verb: 'remove', kind: 'encrypt-key' },
  updateEncryptKey: { verb: 'update', kind: 'encrypt-key' },
  getTicket: { verb: 'get', kind: 'ticket' },
  setTicket: { verb: 'set', kind: 'ticket' },
  removeTicket: { verb: 'remove', kind: 'ticket' },
  updateTicket: { verb: 'update', kind: 'ticket' },
} as const satisfies Readonly<Record<string, Method>>;

/** Name of a function. */
export type MethodName = keyof typeof METHODS;

/** Names of all functions. */
export const METHOD_NAMES = Object.keys(METHODS) as MethodName[];

/** The function that does this with that kind. Throws TypeError when there is none. */
export function methodFor({ verb, kind }: Method): MethodName {
  const found = METHOD_NAMES.find(name => METHODS[name].verb === verb && METHODS[name].kind === kind);
  if (found === undefined) throw new TypeError(`there is no function to ${verb} a ${kind}`);
  return found;
}

/** The function of that name, upper and lower case as written; throws NOT_FOUND naming the nearest one. */
export function methodNamed(name: string): MethodName {
  if (Object.hasOwn(METHODS, name)) return name as MethodName;
  const meant = nearest(name, METHOD_NAMES);
  throw new BridgeError('NOT_FOUND', `there is no method ${JSON.stringify(name.slice(0, 60))}`, {
    hint: meant === undefined ? `the methods are ${METHOD_NAMES.join(', ')}` : `did you mean ${meant}?`,
  });
}
