import type { JsSdk } from '../../../credentials/js-sdk.ts';
import type { Handler } from '../../control.ts';
import { appFor, type HandlerDeps } from '../deps.ts';

/** What the handlers of `/v1/js-sdk` work with. */
export interface JsSdkHandlerDeps extends HandlerDeps {
  readonly jsSdk: JsSdk;
}

/** POST /v1/js-sdk/page: what wx.config needs. */
export function signPage(deps: JsSdkHandlerDeps): Handler<'signPage'> {
  return async ({ identity, body: { appid, ...page } }) => ({
    answer: await deps.jsSdk.signPage(appFor(deps, identity, appid), page),
  });
}
