import { BridgeError } from '../../base/errors.ts';
import type { AppDirectory } from '../../credentials/apps.ts';
import type { Authority } from '../../credentials/credentials.ts';
import type { App } from '../../platforms/platform.ts';
import { type Identity, mayTouch } from '../identity.ts';

/** What the handlers of `/v1` work with. */
export interface HandlerDeps {
  readonly apps: AppDirectory;
  readonly authority: Authority;
  readonly now: () => number;
}

/** The app a request names, if whoever asks may touch it; throws APP_UNKNOWN or CALLER_FORBIDDEN. */
export function appFor(deps: HandlerDeps, identity: Identity | undefined, nameOrAppid: string): App {
  const app = deps.apps.require(nameOrAppid);
  if (identity !== undefined && mayTouch(identity, app)) return app;
  throw new BridgeError('CALLER_FORBIDDEN', `this caller may not act as ${app.name} (${app.appid})`, {
    hint: `add "${app.name}" to the caller's apps in the configuration`,
  });
}
