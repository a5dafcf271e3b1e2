import type { OpenData } from '../../../credentials/open-data.ts';
import type { Handler } from '../../control.ts';
import { appFor, type HandlerDeps } from '../deps.ts';

/** What the handlers of `/v1/open-data` work with. */
export interface OpenDataDeps extends HandlerDeps {
  readonly openData: OpenData;
}

/** POST /v1/open-data/decrypt: what a mini program was given, decrypted with the session that is kept. */
export function decryptOpenData(deps: OpenDataDeps): Handler<'decryptOpenData'> {
  return async ({ identity, body }) => {
    const { encryptedData, iv, openid } = body;
    const app = appFor(deps, identity, body.appid);
    return { answer: await deps.openData.decrypt(app, openid, { encryptedData, iv }) };
  };
}
