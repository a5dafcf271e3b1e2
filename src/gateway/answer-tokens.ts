import type { Access } from '../access/access.ts';
import { appForbidden } from '../access/access.ts';
import { type Audit, type AuditEvent, isRefusal } from '../access/audit.ts';
import { CallerExpired } from '../access/caller-expiry.ts';
import { type Caller, groundsOf, isLocalCaller, mayActAs } from '../access/callers.ts';
import type { RateLimits } from '../access/rate-limits.ts';
import { VIRTUAL_LIFE_SECONDS } from '../access/virtual-tokens.ts';
import { BridgeError } from '../base/errors.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { Authority, Credential } from '../credentials/credentials.ts';
import type { App, Platform, PlatformId } from '../platforms/platform.ts';
import type { Answer, Call, Handler, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { requirePace } from './pace.ts';
import { answerAsPlatform, refuseAsPlatform } from './platform-answer.ts';
import { readTokenRequest, type TokenRequest } from './token-request.ts';
import type { GatewayTokens } from './tokens.ts';

/** What answering in the platform's stead needs. */
export interface AnswerTokensOptions {
  readonly platforms: ReadonlyMap<PlatformId, Platform>;
  readonly apps: AppDirectory;
  readonly access: Access;
  readonly authority: Authority;
  readonly tokens: GatewayTokens;
  readonly limits: RateLimits;
  readonly now: () => number;
  readonly audit?: Pick<Audit, 'note'> | undefined;
  /** Whether this bridge follows another: then everybody gets a virtual token, and there is no other. */
  readonly follows: boolean;
}

/**
 * Answers requests for an access_token (`/cgi-bin/token`, `/cgi-bin/stable_token`) from the authority, in
 * the platform's own form, so that an unchanged SDK becomes a client of the authority instead of its
 * rival. As `secret` it may send a caller key or the app's true secret. Requests for an appid that is not
 * configured pass on to the platform untouched; a bridge that follows another refuses them, as it asks for
 * no token, whoever's it is.
 */
export function answerTokens(options: AnswerTokensOptions): Stage {
  const paths = new Set(
    [...options.platforms.values()].flatMap(platform => Object.keys(platform.tokenPaths)),
  );
  return next => call => (paths.has(call.path) ? answerOrPass(call, next, options) : next(call));
}

async function answerOrPass(call: Call, next: Handler, options: AnswerTokensOptions): Promise<Answer> {
  const { apps, platforms } = options;
  const request = await readTokenRequest(call);
  if (typeof request === 'number') return refuseAsPlatform(call, request);
  const app = apps.find(request.appid);
  if (app === undefined || app.appid !== request.appid) {
    if (options.follows) throw appUnknown(request.appid);
    return next(call);
  }
  call.app = app;
  call.platform = platforms.get(app.platform);
  try {
    return await answer(call, app, request, options);
  } catch (error) {
    if (error instanceof BridgeError && isRefusal(error.code))
      options.audit?.note({
        ...refused(call, app, error.code),
        ...(error instanceof CallerExpired && { actor: error.caller }),
      });
    throw error;
  }
}

async function answer(
  call: Call,
  app: App,
  request: TokenRequest,
  options: AnswerTokensOptions,
): Promise<Answer> {
  const { authority, now } = options;
  const holder = options.follows
    ? callerOf(call, request.secret, options.access)
    : holderOf(call, app, request.secret, options.access);
  if (holder === undefined) {
    options.audit?.note(refused(call, app, '40125'));
    return refuseAsPlatform(call, 40125);
  }
  if (request.grantType !== 'client_credential') return refuseAsPlatform(call, 40002);
  const { caller, grounds } = holder;
  call.caller = caller;
  requirePace(options.limits, caller);
  if (caller !== undefined && !mayActAs(caller, app)) throw appForbidden(caller, app);
  if (options.follows && caller !== undefined && grounds !== undefined)
    return giveVirtual(call, app, { caller: caller.name, grounds }, options);
  const virtual = caller?.tokens === 'virtual' && grounds !== undefined;
  if (caller !== undefined && !virtual && !holder.bySecret && !caller.scopes.has('credential:read'))
    throw realForbidden(caller);

  try {
    const credential = await untilFault(call, current(app, request, authority));
    call.credential = credential;
    if (virtual) return giveVirtual(call, app, { caller: caller.name, grounds }, options);
    call.errcode = 0;
    options.audit?.note({
      action: 'token-issued',
      outcome: 'done',
      // Whoever knows the secret and is no caller besides has no name.
      actor: caller?.name ?? 'holder of the secret',
      remoteAddress: call.incoming.remoteAddress,
      kind: 'access-token',
      app,
      credential: credential.value.fingerprint,
      detail: 'real',
    });
    return answerAsPlatform({
      access_token: credential.value.reveal(),
      expires_in: Math.max(1, Math.floor((credential.expiresAt - now()) / 1000)),
    });
  } catch (error) {
    // The platform's own refusal (an IP that is not listed, a frozen secret) is passed on as it came.
    if (!(error instanceof BridgeError) || error.upstream === undefined) throw error;
    call.errcode = error.upstream.errcode;
    return answerAsPlatform(error.upstream);
  }
}

/** A stand-in for the app's token, for one caller. It says itself whose it is; the real one is not shown. */
function giveVirtual(
  call: Call,
  app: App,
  { caller, grounds }: { readonly caller: string; readonly grounds: string },
  { tokens, audit }: AnswerTokensOptions,
): Answer {
  call.errcode = 0;
  audit?.note({
    action: 'token-issued',
    outcome: 'done',
    ...{ actor: caller, remoteAddress: call.incoming.remoteAddress },
    ...{ kind: 'access-token', app, detail: 'virtual' },
  });
  const token = tokens.virtual.issue({ caller, grounds, appid: app.appid });
  return answerAsPlatform({ access_token: token, expires_in: VIRTUAL_LIFE_SECONDS });
}

function refused({ caller, incoming }: Call, app: App, outcome: string): AuditEvent {
  const { remoteAddress } = incoming;
  return {
    action: 'refused',
    outcome,
    ...{ actor: caller?.name, remoteAddress, kind: 'access-token', app, detail: 'token' },
  };
}

/** `force_refresh` says that the client thinks its token bad: replaced once if it is the current one still, never by force. */
async function current(app: App, request: TokenRequest, authority: Authority): Promise<Credential> {
  const ref = { app, kind: 'access-token' } as const;
  const credential = await authority.get(ref);
  if (!request.forceRefresh) return credential;
  const { fingerprint } = credential.value;
  return (await authority.report(ref, { fingerprint, errcode: 40001, observedBy: 'caller' })).credential;
}

interface Holder {
  /** Undefined for somebody who knows the secret and is no caller otherwise. */
  readonly caller: Caller | undefined;
  /** What a virtual token would stand on; undefined for the trusted local caller, who has none. */
  readonly grounds: string | undefined;
  readonly bySecret: boolean;
}

/** Who asks: the owner of the caller key sent as secret, or whoever knows the app's true secret. */
function holderOf(call: Call, app: App, secret: string, access: Access): Holder | undefined {
  const byKey = access.byKey(secret);
  if (byKey !== undefined) return { caller: byKey, grounds: groundsOf(secret), bySecret: false };
  if (app.secret?.matches(secret) !== true) return undefined;
  const caller = callerBeside(call, access);
  const configured =
    caller !== undefined &&
    access.entitled(caller.name, groundsOf(call.key), call.incoming.remoteAddress) !== undefined;
  return { caller, grounds: configured ? groundsOf(call.key) : undefined, bySecret: true };
}

/**
 * Who asks at a bridge that follows another and knows no secrets: the owner of the caller key sent as secret,
 * or else whoever may call without any token. What they are given lets them do no more than that.
 */
function callerOf(call: Call, secret: string, access: Access): Holder | undefined {
  const byKey = access.byKey(secret);
  if (byKey !== undefined) return { caller: byKey, grounds: groundsOf(secret), bySecret: false };
  const caller = callerBeside(call, access);
  if (caller === undefined) return undefined;
  return { caller, grounds: groundsOf(isLocalCaller(caller) ? undefined : call.key), bySecret: false };
}

/** The caller as which the request would pass without the secret, if any. */
function callerBeside(call: Call, access: Access): Caller | undefined {
  try {
    return access.authenticate({
      key: call.key,
      remoteAddress: call.incoming.remoteAddress,
      fromWebPage: call.fromWebPage,
    });
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'CALLER_UNKNOWN' && call.key === undefined)
      return undefined;
    throw error;
  }
}

function appUnknown(appid: string): BridgeError {
  return new BridgeError('APP_UNKNOWN', `no app with the appid ${JSON.stringify(appid)} is configured`, {
    hint: 'add it under "apps" in the configuration, without a secret: this bridge follows another and hands out virtual tokens alone',
  });
}

function realForbidden(caller: Caller): BridgeError {
  return new BridgeError('CALLER_FORBIDDEN', `caller ${caller.name} may not be handed a real access_token`, {
    hint: `set "tokens": "virtual" on callers[${caller.name}] so that it gets a stand-in, or add "credential:read" to its scopes`,
  });
}
