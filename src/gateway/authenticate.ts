import type { Access } from '../access/access.ts';
import type { Audit } from '../access/audit.ts';
import { CallerExpired } from '../access/caller-expiry.ts';
import type { Caller } from '../access/callers.ts';
import { looksVirtual } from '../access/virtual-tokens.ts';
import { BridgeError } from '../base/errors.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { Answer, Call, Handler, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { refuseAsPlatform } from './platform-answer.ts';
import type { GatewayTokens } from './tokens.ts';

/** What finding out who calls needs. */
export interface AuthenticateOptions {
  readonly access: Access;
  readonly apps: AppDirectory;
  readonly tokens: GatewayTokens;
  /** Told of callers whose time is over. */
  readonly audit?: Pick<Audit, 'note'> | undefined;
}

/**
 * Finds out who is calling and whether they may use the gateway at all: by virtual token, by key, by
 * address, or as the holder of a real token that was ours to give.
 */
export function authenticate(options: AuthenticateOptions): Stage {
  const { access } = options;
  return next => call => {
    if (call.token !== undefined && looksVirtual(call.token))
      return byVirtualToken(call, call.token, next, options);
    let caller: Caller;
    try {
      caller = access.authenticate({
        key: call.key,
        remoteAddress: call.incoming.remoteAddress,
        fromWebPage: call.fromWebPage,
      });
    } catch (error) {
      if (error instanceof CallerExpired) throw audited(error, call, options);
      if (call.token === undefined || call.key !== undefined || call.fromWebPage) throw error;
      return asTokenHolder(call, call.token, next, options);
    }
    call.caller = caller;
    requireCallScope(caller);
    return next(call);
  };
}

/** Operators see in the audit log that somebody still tries. */
function audited(error: CallerExpired, { incoming }: Call, { audit }: AuthenticateOptions): CallerExpired {
  const { remoteAddress } = incoming;
  audit?.note({
    action: 'refused',
    outcome: error.code,
    ...{ actor: error.caller, remoteAddress, detail: 'gateway' },
  });
  return error;
}

function requireCallScope(caller: Caller): void {
  if (caller.scopes.has('call')) return;
  throw new BridgeError('CALLER_FORBIDDEN', `caller ${caller.name} may not call through the gateway`, {
    hint: `add "call" to callers[${caller.name}].scopes in the configuration`,
  });
}

/** A virtual token names caller and app. One that no longer counts is refused as the platform refuses, so that an SDK asks anew. */
async function byVirtualToken(
  call: Call,
  token: string,
  next: Handler,
  options: AuthenticateOptions,
): Promise<Answer> {
  const { access, apps, tokens } = options;
  const opened = tokens.virtual.open(token);
  if (!opened.ok) return refuseAsPlatform(call, opened.because === 'expired' ? 42001 : 40014);
  const { claim } = opened;
  let caller: Caller | undefined;
  try {
    caller = access.entitled(claim.caller, claim.grounds, call.incoming.remoteAddress);
  } catch (error) {
    throw error instanceof CallerExpired ? audited(error, call, options) : error;
  }
  const app = apps.find(claim.appid);
  if (
    caller === undefined ||
    app === undefined ||
    (await untilFault(call, tokens.isRevoked(claim.caller, claim.issuedAt)))
  ) {
    return refuseAsPlatform(call, 40001);
  }
  call.caller = caller;
  requireCallScope(caller);
  if (call.appNamed !== undefined && apps.find(call.appNamed) !== app) {
    throw new BridgeError(
      'CALLER_FORBIDDEN',
      `this virtual token stands for ${app.name} (${app.appid}) alone`,
      {
        hint: 'leave from_appid out, or ask for a token of that account',
      },
    );
  }
  call.virtualFor = app;
  return next(call);
}

/**
 * Whoever holds a token of ours may send it through us: it would work without us as well. Any other is
 * refused as the platform refuses, because an SDK whose token we replaced meanwhile must ask anew.
 */
async function asTokenHolder(
  call: Call,
  token: string,
  next: Handler,
  { tokens }: AuthenticateOptions,
): Promise<Answer> {
  const ref = await untilFault(call, tokens.recognize(fingerprintOf(token)));
  if (ref === undefined) {
    call.failure = 'CALLER_UNKNOWN';
    return refuseAsPlatform(
      call,
      40001,
      '; the gateway did not give this token, and no x-bridge-key was sent',
    );
  }
  call.caller = {
    name: `holder of a token of ${ref.app.name}`,
    apps: new Set([ref.app.appid]),
    allow: undefined,
    scopes: new Set(['call']),
    tokens: 'real',
  };
  return next(call);
}
