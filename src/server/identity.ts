import type { FastifyRequest } from 'fastify';
import { isFromWebPage } from '../access/browser.ts';
import type { Caller, CallerDirectory, CallerScope } from '../access/callers.ts';
import { mayActAs } from '../access/callers.ts';
import { BridgeError } from '../base/errors.ts';
import type { App } from '../platforms/platform.ts';
import type { AdminKeys } from './admin-keys.ts';

/** Who stands behind a control request. */
export type Identity = { readonly type: 'admin' } | { readonly type: 'caller'; readonly caller: Caller };

/** The name of an identity in logs. */
export function actorOf(identity: Identity | undefined): string | undefined {
  return identity?.type === 'caller' ? identity.caller.name : identity?.type;
}

/** What requests are identified with. */
export interface IdentifyDeps {
  readonly admin: AdminKeys;
  readonly callers: CallerDirectory;
  /** Told who it is before it is known whether they may. */
  readonly onIdentity?: ((identity: Identity) => void) | undefined;
}

/** Finds out who asks and whether the route is theirs to call; throws CALLER_UNKNOWN or CALLER_FORBIDDEN. */
export function identify(
  request: FastifyRequest,
  access: 'admin' | { readonly scope: CallerScope },
  deps: IdentifyDeps,
): Identity {
  const entitled = (caller: Caller, scope: CallerScope): Identity => {
    const identity = { type: 'caller', caller } as const;
    deps.onIdentity?.(identity);
    requireScope(caller, scope);
    return identity;
  };
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) {
    if (deps.admin.accepts(bearer)) return { type: 'admin' };
    // Scrapers and many other clients can send a bearer key and no other header.
    const caller = access === 'admin' ? undefined : deps.callers.byKey(bearer);
    if (caller !== undefined && access !== 'admin') return entitled(caller, access.scope);
    throw new BridgeError('CALLER_UNKNOWN', 'the bearer key is not an admin key', {
      hint: 'admin keys are set in admin.keys; with none set, one was made and printed at the first start',
    });
  }
  if (access === 'admin') {
    throw new BridgeError('CALLER_UNKNOWN', 'this needs an admin key', {
      hint: 'send it as authorization: Bearer <admin key>',
    });
  }
  const key = request.headers['x-bridge-key'];
  const caller = deps.callers.authenticate({
    ...(typeof key === 'string' && { key }),
    remoteAddress: request.socket.remoteAddress ?? '',
    fromWebPage: isFromWebPage({
      secFetchSite: request.headers['sec-fetch-site']?.toString(),
      origin: request.headers.origin,
    }),
  });
  return entitled(caller, access.scope);
}

function requireScope(caller: Caller, scope: CallerScope): void {
  if (caller.scopes.has(scope)) return;
  throw new BridgeError('CALLER_FORBIDDEN', `caller ${caller.name} has no scope ${scope}`, {
    hint: `add "${scope}" to callers[${caller.name}].scopes in the configuration`,
  });
}

/** Whether an identity may see and touch an app. */
export function mayTouch(identity: Identity, app: App): boolean {
  return identity.type === 'admin' || mayActAs(identity.caller, app);
}
