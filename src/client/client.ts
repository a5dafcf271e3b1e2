import type { z } from 'zod';
import { errorBody } from '../contract/errors.ts';
import { ROUTES, type Route, type RouteName } from '../contract/routes.ts';

/** How a client reaches a bridge's control API. */
export interface ClientOptions {
  /** Such as `http://127.0.0.1:7200`. */
  readonly url: string;
  /** For administrators; sent as a bearer key. */
  readonly adminKey?: string | undefined;
  /** For callers; sent as `x-bridge-key`. */
  readonly callerKey?: string | undefined;
  /** Defaults to the global fetch. */
  readonly fetch?: typeof fetch;
  /** Longest wait for an answer, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
}

type PartOf<
  Name extends RouteName,
  Part extends 'params' | 'query' | 'body',
> = (typeof ROUTES)[Name] extends {
  readonly [P in Part]: infer Schema extends z.ZodType;
}
  ? z.input<Schema>
  : unknown;

/** What stands in the path, in the query and in the body of a request, in one object. */
type Parts<Name extends RouteName> = PartOf<Name, 'params'> & PartOf<Name, 'query'> & PartOf<Name, 'body'>;

type Input<Name extends RouteName> =
  unknown extends Parts<Name>
    ? []
    : Record<never, never> extends Parts<Name>
      ? [input?: Parts<Name>]
      : [input: Parts<Name>];

/** One method for each route of the contract. */
export type Client = {
  readonly [Name in RouteName]: (...input: Input<Name>) => Promise<z.output<(typeof ROUTES)[Name]['answer']>>;
};

/** A bridge said no, or could not be reached. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly errcode: number | undefined;
  readonly requestId: string | undefined;

  constructor(
    message: string,
    status: number,
    details: { errcode?: number; requestId?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.status = status;
    this.errcode = details.errcode;
    this.requestId = details.requestId;
  }
}

/**
 * A typed client of the control API.
 *
 * @example
 * const bridge = createClient({ url: 'http://127.0.0.1:7200', callerKey });
 * await bridge.reportCredential({ appid: 'wx0000000000000001', fingerprint, errcode: 40001 });
 */
export function createClient(options: ClientOptions): Client {
  const names = Object.keys(ROUTES) as RouteName[];
  const methods = names.map(name => [
    name,
    (input?: Readonly<Record<string, unknown>>) => call(options, ROUTES[name], input),
  ]);
  return Object.fromEntries(methods) as Client;
}

/** Divides an input among path, query and body. */
function address(
  route: Route,
  base: string,
  input: Readonly<Record<string, unknown>> = {},
): { readonly url: URL; readonly body: unknown } {
  const inPath = new Set(Object.keys(route.params?.shape ?? {}));
  const inQuery = new Set(Object.keys(route.query?.shape ?? {}));
  const url = new URL(
    route.url.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input[name]))),
    base,
  );
  for (const name of inQuery) if (input[name] !== undefined) url.searchParams.set(name, String(input[name]));
  const rest = Object.entries(input).filter(([name]) => !inPath.has(name) && !inQuery.has(name));
  return { url, body: route.body && Object.fromEntries(rest) };
}

async function call(
  options: ClientOptions,
  route: Route,
  input: Readonly<Record<string, unknown>> | undefined,
): Promise<unknown> {
  const { url, adminKey, callerKey, timeoutMs = 30_000 } = options;
  const { url: target, body } = address(route, url, input);
  const send = options.fetch ?? fetch;
  let response: Response;
  try {
    response = await send(target, {
      method: route.method,
      headers: {
        ...(adminKey !== undefined && { authorization: `Bearer ${adminKey}` }),
        ...(callerKey !== undefined && { 'x-bridge-key': callerKey }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw new ClientError(`no answer from the bridge at ${new URL(url).origin}: is it running there?`, 0, {
      cause,
    });
  }
  const answer: unknown = await (response.ok && route.text !== undefined
    ? response.text()
    : response.json()
  ).catch(() => undefined);
  const told = errorBody.safeParse(answer);
  // Not being ready is an answer too, with status 503; an error is none, even where any object would fit.
  const answered =
    response.ok || (response.status === 503 && !told.success && route.answer.safeParse(answer).success);
  if (answered) return route.answer.parse(answer);
  if (!told.success) throw new ClientError(`the bridge answered HTTP ${response.status}`, response.status);
  throw new ClientError(told.data.errmsg, response.status, {
    errcode: told.data.errcode,
    requestId: told.data.request_id,
  });
}
