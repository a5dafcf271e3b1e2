import { BridgeError } from '../base/errors.ts';
import type { App } from '../platforms/platform.ts';
import { createAllowList } from './allow-list.ts';
import type { Caller, CallerDirectory, CallerProof } from './callers.ts';
import { mayActAs } from './callers.ts';

/** One call that wants one of our credentials. */
export interface AccessRequest {
  readonly caller: Caller;
  readonly app: App;
  /** Canonical path, without query. */
  readonly path: string;
}

/** What is allowed in an environment, apart from who the callers are. */
export interface AccessRules {
  /** The service switch: off means that no credential of ours is put into any call. */
  readonly enabled: boolean;
  /** Patterns of the paths that may be called with a credential of ours. */
  readonly allow: readonly string[];
}

/** Who may do what in one environment. */
export interface Access {
  /** The caller a request comes from; throws BridgeError CALLER_UNKNOWN otherwise. */
  authenticate(proof: CallerProof): Caller;
  /** See `CallerDirectory`. */
  byKey(key: string): Caller | undefined;
  /** See `CallerDirectory`. */
  entitled(name: string, grounds: string, remoteAddress: string): Caller | undefined;
  /**
   * Returns when the call may have the app's credential. Throws BridgeError SERVICE_OFF,
   * CALLER_FORBIDDEN or PATH_NOT_LISTED, each naming the setting that mends it.
   */
  authorize(request: AccessRequest): void;
  /** Takes new rules over the old ones. Throws TypeError, changing nothing, when a pattern is ill-formed. */
  replace(rules: AccessRules): void;
}

/** Makes the access rules of an environment. Throws TypeError when a pattern is ill-formed. */
export function createAccess(options: AccessRules & { readonly callers: CallerDirectory }): Access {
  const { callers } = options;
  let enabled = options.enabled;
  let listed = createAllowList(options.allow);
  return {
    authenticate: proof => callers.authenticate(proof),
    byKey: key => callers.byKey(key),
    entitled: (name, grounds, remoteAddress) => callers.entitled(name, grounds, remoteAddress),
    authorize({ caller, app, path }) {
      if (!enabled) throw serviceOff();
      if (!mayActAs(caller, app)) throw appForbidden(caller, app);
      if (!listed.matches(path)) throw notListed(path, 'openapi.allow');
      if (caller.allow !== undefined && !caller.allow.matches(path)) {
        throw notListed(path, `callers[${caller.name}].allow`);
      }
    },
    replace(rules) {
      listed = createAllowList(rules.allow);
      enabled = rules.enabled;
    },
  };
}

/** The refusal of a caller that names an app it was not given. */
export function appForbidden(caller: Caller, app: App): BridgeError {
  return new BridgeError(
    'CALLER_FORBIDDEN',
    `caller ${caller.name} may not act as ${app.name} (${app.appid})`,
    {
      hint: `add "${app.name}" to callers[${caller.name}].apps in the configuration, or name another app in from_appid; it takes effect without restart`,
    },
  );
}

/** `URL不在白名单内` is how the hosted service says it, so searches for those words keep working. */
function notListed(path: string, setting: string): BridgeError {
  return new BridgeError('PATH_NOT_LISTED', `URL不在白名单内: ${path} is not listed in ${setting}`, {
    hint: `add "${path}" to ${setting} in the configuration; it takes effect without restart`,
  });
}

function serviceOff(): BridgeError {
  return new BridgeError(
    'SERVICE_OFF',
    'the open API service is switched off, so no credential is put into calls',
    {
      hint: 'set openapi.enabled to true in the configuration (it takes effect without restart), or send an access_token of your own',
    },
  );
}
