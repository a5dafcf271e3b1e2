import { fingerprintOf } from '../../../base/secret.ts';
import type { Handler } from '../../control.ts';
import { appFor, type HandlerDeps } from '../deps.ts';
import { kindOf, present } from './present.ts';

/** POST /v1/credentials/report: passive repair, by compare-and-set on the refused value's fingerprint. */
export function reportCredential(deps: HandlerDeps): Handler<'reportCredential'> {
  return async ({ identity, body }) => {
    const ref = { app: appFor(deps, identity, body.appid), kind: kindOf(body.kind) };
    const fingerprint = body.fingerprint ?? fingerprintOf(body.access_token ?? '');
    const { outcome, reason } = await deps.authority.report(ref, {
      fingerprint,
      errcode: body.errcode,
      observedBy: 'caller',
    });
    const credential = present(await deps.authority.status(ref), deps.now());
    return { answer: { outcome, reason: reason ?? null, credential } };
  };
}
