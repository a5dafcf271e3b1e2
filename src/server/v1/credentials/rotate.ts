import type { Handler } from '../../control.ts';
import { appFor, type HandlerDeps } from '../deps.ts';
import { kindOf, present } from './present.ts';

/** POST /v1/credentials/rotate: an operator's replacement, now. */
export function rotateCredential(deps: HandlerDeps): Handler<'rotateCredential'> {
  return async ({ identity, body }) => {
    const ref = { app: appFor(deps, identity, body.appid), kind: kindOf(body.kind) };
    const { outcome } = await deps.authority.rotate(ref);
    return { answer: { ...present(await deps.authority.status(ref), deps.now()), outcome } };
  };
}
