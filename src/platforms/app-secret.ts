import { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { App } from './platform.ts';

/**
 * The app's secret, for a request that needs it. Throws BridgeError when there is none:
 * CREDENTIAL_UNAVAILABLE for an app whose credentials are pushed in, CONFIG_INVALID for any other.
 */
export function secretOf(app: App): Secret {
  if (app.secret !== undefined) return app.secret;
  const what = `${app.name} (${app.appid}) has no secret, so nothing can be had from the platform for it`;
  throw app.managed
    ? new BridgeError('CONFIG_INVALID', what, { hint: `set apps[${app.name}].secret in the configuration` })
    : new BridgeError('CREDENTIAL_UNAVAILABLE', what, {
        hint: `its "managed" is false: push the value in from the token server that has it, or set "managed": true and a secret on apps[${app.name}]`,
      });
}
