import type { Handler } from '../../control.ts';
import { appFor } from '../deps.ts';
import type { OpenDataDeps } from './decrypt.ts';

/** POST /v1/open-data/verify: whether plain data is what the platform gave this user. */
export function verifyRawData(deps: OpenDataDeps): Handler<'verifyRawData'> {
  return async ({ identity, body }) => {
    const { rawData, signature, openid } = body;
    const app = appFor(deps, identity, body.appid);
    const session = await deps.openData.verify(app, openid, { rawData, signature });
    return { answer: { valid: session !== undefined, session: session ?? null } };
  };
}
