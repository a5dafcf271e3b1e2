import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { type Audit, asRefused, outcomeOf } from '../../access/audit.ts';
import { CallerExpired } from '../../access/caller-expiry.ts';
import { asBridgeError, BridgeError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { fingerprintOf } from '../../base/secret.ts';
import { auditedTrial, auditedWork } from '../../common/audit.ts';
import { METHODS, type MethodName } from '../../common/methods.ts';
import { checkOperation, flag, type Operation } from '../../common/operation.ts';
import { perform } from '../../common/perform.ts';
import { resolve } from '../../common/resolve.ts';
import { APP_HEADER, ERROR_HEADER } from '../../common/wire.ts';
import type { AppDirectory } from '../../credentials/apps.ts';
import type { CredentialRef, CredentialValues } from '../../credentials/credentials.ts';
import { actorOf } from '../identity.ts';
import { DONE, type ErrorStyle, failureOf } from './answer.ts';
import { type AuthenticateDeps, createAuthenticate, type Grantee } from './authenticate.ts';
import { lifeIn, readBody } from './body.ts';
import { methodOf } from './method.ts';

/** Room for the longest value object in UTF-8, and for the key beside it. */
const BODY_LIMIT = 128 * 1024;

/** What the functions over HTTP are made of. */
export interface UniOpenBridgeDeps extends AuthenticateDeps {
  readonly apps: AppDirectory;
  readonly values: CredentialValues;
  readonly audit: Audit;
  /** Read at every request, so that a reload takes effect. */
  readonly errors: () => ErrorStyle;
  readonly log: Log;
}

/** What is known of a request by the time it is logged. */
interface Access {
  readonly method: MethodName;
  grantee?: Grantee;
  /** Name of who it is, known before whether they may. */
  actor?: string | undefined;
  operation?: Operation;
  ref?: CredentialRef;
}

/**
 * The functions of uni-open-bridge over HTTP, `POST <prefix>/<method>`, as a plugin to be registered under
 * that prefix. A get answers the bare value object or null, or all that is known with `detail`; the others
 * answer errCode 0. Failures are told as `errors` says, with the program's own word in `x-bridge-error`.
 */
export function createUniOpenBridge(deps: UniOpenBridgeDeps): FastifyPluginAsync {
  const { apps, values, audit, now, errors, log } = deps;
  const authenticate = createAuthenticate(deps);
  const accesses = new WeakMap<FastifyRequest, Access>();

  async function handle(request: FastifyRequest, reply: FastifyReply, access: Access): Promise<FastifyReply> {
    const { method } = access;
    const { verb } = METHODS[method];
    const body = readBody(request.body, request.headers['content-type']);
    const grantee = await authenticate(
      request,
      verb === 'get' ? 'credential:read' : 'credential:write',
      body,
      identity => {
        access.actor = actorOf(identity);
      },
    );
    access.grantee = grantee;
    access.actor = grantee.name;
    const { value, obtain, detail: wantsDetail } = body;
    const expiresIn = verb === 'set' ? lifeIn(body) : undefined;
    const operation = checkOperation(method, { key: body, value, expiresIn, obtain });
    access.operation = operation;
    const inDetail = flag('detail', wantsDetail, false);
    const ref = resolve(apps, operation, app => grantee.mayTouch(app));
    access.ref = ref;
    if (!grantee.mayTouch(ref.app)) throw appForbidden(grantee, ref);
    const detail = await perform({ values, now }, ref, operation);
    log.info(describe(request, access, verb === 'get' ? detail.state : 'done'), 'credential access');
    const work = auditedWork(ref, operation, detail);
    const event = { ...work, actor: grantee.name, remoteAddress: request.socket.remoteAddress };
    if (verb === 'get') audit.note(event);
    else await audit.record(event);
    reply.header(APP_HEADER, `${ref.app.platform}:${ref.app.appid}`);
    if (verb !== 'get') return send(reply, 200, DONE);
    return send(reply, 200, inDetail ? detail : detail.value);
  }

  /** A request that means nothing concerns no credential; one that is refused is told of in any case. */
  function noteFailure(request: FastifyRequest, access: Access, error: BridgeError): void {
    const { method, ref, operation, actor } = access;
    const event = asRefused({
      ...auditedTrial(method, ref, operation, outcomeOf(error)),
      actor,
      remoteAddress: request.socket.remoteAddress,
    });
    if (ref !== undefined || event.action === 'refused') audit.note(event);
  }

  return async scope => {
    readAsBytes(scope);
    scope.addHook('onRequest', async (request, reply) => {
      // Before anything of a body is read.
      accesses.set(request, { method: methodOf(request, reply, scope.prefix) });
    });
    const route = (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const access = accesses.get(request);
      if (access === undefined) throw new TypeError('a request whose method was not looked at');
      return handle(request, reply, access);
    };
    for (const url of ['/', '/*']) scope.all(url, { bodyLimit: BODY_LIMIT }, route);

    scope.setErrorHandler((error, request, reply) => {
      const told = fromFastify(error);
      const { status, body } = failureOf(told, errors());
      const access = accesses.get(request);
      if (access !== undefined) {
        if (error instanceof CallerExpired) access.actor = error.caller;
        noteFailure(request, access, told);
      }
      const fields = describe(request, access, told.code);
      if (told.traits.status >= 500) log.error({ ...fields, err: error }, 'credential access failed');
      else log.warn({ ...fields, reason: told.message }, 'credential access refused');
      if (told.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(told.retryAfterMs / 1000));
      reply.header(ERROR_HEADER, told.code).header('x-request-id', request.id);
      return send(reply, status, body);
    });
  };
}

/** Bodies are read as bytes: what is signed is what was sent, and the faults of JSON are told in our words. */
function readAsBytes(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** null is written out, as a get of nothing answers it. Nobody on the way may keep a credential (RFC 6749, 5.1). */
function send(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(body));
}

/** What is logged of an access: neither value nor user, but by fingerprint. */
function describe(request: FastifyRequest, access: Access | undefined, outcome: string): object {
  const openid = access?.operation?.key.openid;
  return {
    request_id: request.id,
    ...(access !== undefined && { method: access.method, kind: METHODS[access.method].kind }),
    app: access?.ref?.app.name,
    ...(openid !== undefined && { user: fingerprintOf(openid) }),
    caller: access?.grantee?.name,
    remote_address: request.socket.remoteAddress,
    outcome,
  };
}

function appForbidden(grantee: Grantee, { app }: CredentialRef): BridgeError {
  return new BridgeError(
    'CALLER_FORBIDDEN',
    `caller ${grantee.name} may not act as ${app.name} (${app.appid})`,
    { hint: `add "${app.name}" to callers[${grantee.name}].apps in the configuration` },
  );
}

/** Fastify's own refusals in our words. */
function fromFastify(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  const status = Number((error as { readonly statusCode?: unknown }).statusCode ?? 500);
  if (status === 413)
    return new BridgeError('REQUEST_TOO_LARGE', `the request body is larger than ${BODY_LIMIT} bytes`);
  if (status >= 400 && status < 500) return new BridgeError('REQUEST_MALFORMED', (error as Error).message);
  return asBridgeError(error);
}
