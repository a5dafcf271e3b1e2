import type { CallerDirectory } from '../../access/callers.ts';
import { BridgeError } from '../../base/errors.ts';
import type { Handler } from '../control.ts';
import type { Revocations } from '../virtual-tokens.ts';

/** GET /v1/callers: who may call, without their keys. */
export function listCallers({ callers }: { readonly callers: CallerDirectory }): Handler<'listCallers'> {
  return async () => ({
    answer: {
      callers: callers.all().map(caller => ({
        name: caller.name,
        apps: caller.apps === undefined ? null : [...caller.apps],
        allow: caller.allow === undefined ? null : [...caller.allow.patterns],
        scopes: [...caller.scopes],
        tokens: caller.tokens,
      })),
    },
  });
}

/** POST /v1/callers/revoke-tokens: takes back every virtual token a caller was given so far. */
export function revokeTokens(deps: {
  readonly callers: CallerDirectory;
  readonly revocations: Revocations;
  readonly now: () => number;
}): Handler<'revokeTokens'> {
  return async ({ body }) => {
    if (!deps.callers.all().some(caller => caller.name === body.caller)) {
      throw new BridgeError('NOT_FOUND', `no caller named ${JSON.stringify(body.caller)} is configured`, {
        hint: 'GET /v1/callers lists them; tokens of a caller that was removed have ended already',
      });
    }
    await deps.revocations.revoke(body.caller);
    return { answer: { caller: body.caller, revokedUntil: new Date(deps.now()).toISOString() } };
  };
}
