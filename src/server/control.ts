import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { fastify } from 'fastify';
import type { z } from 'zod';
import { CallerExpired } from '../access/caller-expiry.ts';
import type { CallerDirectory } from '../access/callers.ts';
import { asBridgeError, BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { errorBodyOf } from '../contract/errors.ts';
import { openapiDocument } from '../contract/openapi.ts';
import { ROUTES, type Route, type RouteName } from '../contract/routes.ts';
import type { AdminKeys } from './admin-keys.ts';
import { actorOf, type Identity, identify } from './identity.ts';
import { createQueryReader } from './query.ts';

/** The control API takes small JSON only. */
const BODY_LIMIT = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;

type PartOf<
  Name extends RouteName,
  Part extends 'params' | 'query' | 'body',
> = (typeof ROUTES)[Name] extends {
  readonly [P in Part]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

/** What a handler is given: the checked parts of the request and who asks. Public routes come without an identity. */
export interface ControlRequest<Name extends RouteName> {
  readonly params: PartOf<Name, 'params'>;
  readonly query: PartOf<Name, 'query'>;
  readonly body: PartOf<Name, 'body'>;
  readonly identity: Identity | undefined;
  /** The peer's address as the socket gives it. */
  readonly remoteAddress: string;
}

/** A handler's answer, checked at compile time against the contract. A number replaces the status 200. */
export type Handler<Name extends RouteName> = (
  request: ControlRequest<Name>,
) => Promise<{ readonly status?: number; readonly answer: z.input<(typeof ROUTES)[Name]['answer']> }>;

/** One handler for each route of the contract. */
export type Handlers = { readonly [Name in RouteName]: Handler<Name> };

/** A request that was turned away before its handler. */
export interface Refusal {
  readonly route: RouteName;
  readonly error: BridgeError;
  /** Name of who it was, where that is known. */
  readonly actor: string | undefined;
  readonly remoteAddress: string;
}

/** What the control server is made of. */
export interface ControlDeps {
  readonly handlers: Handlers;
  /** Whether the configuration opens a route to everybody; asked at every request. */
  readonly isOpen: (route: RouteName) => boolean;
  readonly admin: AdminKeys;
  readonly callers: CallerDirectory;
  /** Told of everybody who may not do what they ask for. */
  readonly onRefusal: (refusal: Refusal) => void;
  readonly version: string;
  /** The functions of uni-open-bridge, which have a form of their own (`createUniOpenBridge`). */
  readonly uniOpenBridge: { readonly prefix: string; readonly routes: FastifyPluginAsync };
  readonly newRequestId: () => string;
  readonly log: Log;
}

/** Builds the control server; the caller makes it listen. Every route comes from the contract. */
export function createControl({
  handlers,
  isOpen,
  admin,
  callers,
  onRefusal,
  version,
  uniOpenBridge,
  newRequestId,
  log,
}: ControlDeps): FastifyInstance {
  const server = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: newRequestId,
    logger: false,
    // What still comes on connections that end is answered like everything else.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
  });

  const document = openapiDocument(version);
  server.get('/v1/openapi.json', () => document);

  for (const name of Object.keys(ROUTES) as RouteName[]) {
    const route: Route = ROUTES[name];
    const handler = handlers[name] as (request: object) => ReturnType<Handler<RouteName>>;
    const readQuery = route.query && createQueryReader(route.query);
    server.route({
      method: route.method,
      url: route.url,
      async handler(request, reply) {
        const remoteAddress = request.socket.remoteAddress ?? '';
        const identity =
          route.access === 'public' || isOpen(name)
            ? undefined
            : identified(request, name, route.access, remoteAddress);
        const params = route.params && checked(route.params, request.params, 'path');
        const query = route.query && checked(route.query, readQuery?.(request.query), 'query');
        const body = route.body && checked(route.body, request.body, 'request body');
        const { status = 200, answer } = await handler({ params, query, body, identity, remoteAddress });
        reply.code(status);
        if (route.text !== undefined) reply.type(route.text);
        return answer;
      },
    });
  }

  function identified(
    request: FastifyRequest,
    name: RouteName,
    access: Exclude<Route['access'], 'public'>,
    remoteAddress: string,
  ): Identity {
    let known: Identity | undefined;
    const onIdentity = (identity: Identity): void => {
      known = identity;
    };
    try {
      return identify(request, access, { admin, callers, onIdentity });
    } catch (thrown) {
      const actor = thrown instanceof CallerExpired ? thrown.caller : actorOf(known);
      onRefusal({ route: name, error: asBridgeError(thrown), actor, remoteAddress });
      throw thrown;
    }
  }

  server.register(uniOpenBridge.routes, { prefix: uniOpenBridge.prefix });

  server.setNotFoundHandler(request => {
    throw new BridgeError('NOT_FOUND', `there is no ${request.method} ${pathOf(request)} here`, {
      hint: 'GET /v1/openapi.json lists what there is',
    });
  });

  server.setErrorHandler((error, request, reply) => {
    const told = fromFastify(error);
    const { status } = told.traits;
    const fields = { request_id: request.id, method: request.method, path: pathOf(request), code: told.code };
    if (status >= 500) log.error({ ...fields, err: error }, 'control request failed');
    else log.debug({ ...fields, reason: told.message }, 'control request refused');
    if (told.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(told.retryAfterMs / 1000));
    reply.code(status).send(errorBodyOf(told, request.id));
  });
  return server;
}

function checked(schema: z.ZodType, value: unknown, part: 'path' | 'query' | 'request body'): unknown {
  const outcome = schema.safeParse(value);
  if (outcome.success) return outcome.data;
  const faults = outcome.error.issues.map(issue => `${issue.path.join('.') || part}: ${issue.message}`);
  const json = part === 'request body' ? 'send JSON with content-type application/json; ' : '';
  throw new BridgeError('REQUEST_MALFORMED', `the ${part} does not fit: ${faults.join('; ')}`, {
    hint: `${json}GET /v1/openapi.json describes it`,
  });
}

/** Fastify's own refusals (bad JSON, too large, wrong media type) in our words. */
function fromFastify(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  const status = Number((error as { statusCode?: unknown }).statusCode ?? 500);
  if (status === 413)
    return new BridgeError('REQUEST_TOO_LARGE', `the request body is larger than ${BODY_LIMIT} bytes`);
  if (status >= 400 && status < 500) return new BridgeError('REQUEST_MALFORMED', (error as Error).message);
  return asBridgeError(error);
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}
