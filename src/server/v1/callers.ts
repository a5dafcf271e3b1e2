import type { CallerDirectory, CallerKey } from '../../access/callers.ts';
import type { KeyRevocations } from '../../access/key-revocations.ts';
import { BridgeError } from '../../base/errors.ts';
import type { Handler } from '../control.ts';
import type { Revocations } from '../virtual-tokens.ts';

/** GET /v1/callers: who may call, with the fingerprints of their keys. */
export function listCallers({
  callers,
  revokedKeys,
}: {
  readonly callers: CallerDirectory;
  readonly revokedKeys: Pick<KeyRevocations, 'revokedAt'>;
}): Handler<'listCallers'> {
  const shown = ({ keyHash, fingerprint }: CallerKey) => {
    const at = revokedKeys.revokedAt(keyHash);
    return { fingerprint, revokedAt: at === undefined ? null : new Date(at).toISOString() };
  };
  return async () => ({
    answer: {
      callers: callers.all().map(caller => ({
        name: caller.name,
        apps: caller.apps === undefined ? null : [...caller.apps],
        allow: caller.allow === undefined ? null : [...caller.allow.patterns],
        scopes: [...caller.scopes],
        tokens: caller.tokens,
        expires: caller.expiresAt === undefined ? null : new Date(caller.expiresAt).toISOString(),
        keys: callers
          .keys()
          .filter(key => key.caller === caller.name)
          .map(shown),
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
    requireCaller(deps.callers, body.caller);
    await deps.revocations.revoke(body.caller);
    return { answer: { caller: body.caller, revokedUntil: new Date(deps.now()).toISOString() } };
  };
}

/** POST /v1/callers/revoke-key: takes back one key of a caller, or all of them. */
export function revokeKey(deps: {
  readonly callers: CallerDirectory;
  readonly revokedKeys: KeyRevocations;
  readonly now: () => number;
}): Handler<'revokeKey'> {
  const { callers, revokedKeys, now } = deps;
  return async ({ body }) => {
    requireCaller(callers, body.caller);
    const own = callers.keys().filter(({ caller }) => caller === body.caller);
    const { fingerprint } = body;
    const chosen = fingerprint === undefined ? own : own.filter(key => key.fingerprint === fingerprint);
    if (chosen.length === 0)
      throw new BridgeError(
        'NOT_FOUND',
        fingerprint === undefined
          ? `caller ${body.caller} has no key: it is known by its address`
          : `caller ${body.caller} has no key ${fingerprint}`,
        {
          hint:
            fingerprint === undefined
              ? 'take the address out of the configuration'
              : 'GET /v1/callers lists the keys; one that is not configured any more is refused anyway',
        },
      );
    await revokedKeys.revoke(chosen);
    return {
      answer: {
        caller: body.caller,
        revokedAt: new Date(now()).toISOString(),
        revoked: chosen.map(key => key.fingerprint),
        left: own
          .filter(({ keyHash }) => revokedKeys.revokedAt(keyHash) === undefined)
          .map(key => key.fingerprint),
      },
    };
  };
}

/** The keys that a caller's name or a key's fingerprint means; throws NOT_FOUND when it is neither. */
export function keysNamed(callers: CallerDirectory, name: string): readonly CallerKey[] {
  const keys = callers.keys();
  const ofCaller = keys.filter(({ caller }) => caller === name);
  const found = ofCaller.length > 0 ? ofCaller : keys.filter(({ fingerprint }) => fingerprint === name);
  if (found.length > 0) return found;
  throw new BridgeError('NOT_FOUND', `${JSON.stringify(name)} is no caller with a key, and no key`, {
    hint: 'callers list shows the callers and the fingerprints of their keys',
  });
}

function requireCaller(callers: CallerDirectory, name: string): void {
  if (callers.all().some(caller => caller.name === name)) return;
  throw new BridgeError('NOT_FOUND', `no caller named ${JSON.stringify(name)} is configured`, {
    hint: 'GET /v1/callers lists them; keys and tokens of a caller that was removed have ended already',
  });
}
