import type { Dispatcher } from 'undici';
import { Agent, request } from 'undici';
import { BridgeError } from '../base/errors.ts';
import { describeNetworkError } from './network-error.ts';
import type { App, ErrorRule, Platform, UpstreamId, UpstreamRequest } from './platform.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** Token answers are a few hundred bytes; anything near this is not the platform speaking. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Connections to one origin. Renewal alone has up to 64 calls under way; while a platform hangs these may all
 * be held, and whoever waits for a token needs one too.
 */
const CONNECTIONS = 128;

/** The platform said no: its errcode and errmsg word for word, with our rule for them. */
export interface UpstreamRefusal extends Verdict {
  readonly rule: ErrorRule;
}

/** Either the answer's object, or the platform's refusal. */
export type UpstreamAnswer =
  | { readonly ok: true; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly refusal: UpstreamRefusal };

/** Carries credential requests to a platform. Throws BridgeError UPSTREAM_* when no verdict came back. */
export interface Upstream {
  send(app: App, platform: Platform, request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamAnswer>;
  close(): Promise<void>;
}

/** What an upstream is made of. */
export interface UpstreamOptions {
  /** Origin of each API host, read at every call so that a reload takes effect. */
  readonly origins: () => Readonly<Record<UpstreamId, string>>;
  /** Defaults to an agent of its own, so that token calls never queue behind forwarded traffic. */
  readonly dispatcher?: Dispatcher;
}

/** Makes an upstream over HTTP/1.1 with keep-alive. Redirects are not followed: no token call has one. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const dispatcher = options.dispatcher ?? new Agent({ connections: CONNECTIONS, allowH2: false });
  return {
    async send(_app, platform, { method, path, query, json }, signal) {
      const url = new URL(path, options.origins()[platform.upstream]);
      for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
      const text = await exchange(dispatcher, url, method, json, signal);
      return readAnswer(text, platform, { query, json });
    },
    close: () => (options.dispatcher === undefined ? dispatcher.close() : Promise.resolve()),
  };
}

async function exchange(
  dispatcher: Dispatcher,
  url: URL,
  method: 'GET' | 'POST',
  json: UpstreamRequest['json'],
  signal: AbortSignal,
): Promise<string> {
  try {
    const answer = await request(url, {
      dispatcher,
      method,
      signal,
      headers: { accept: 'application/json', ...(json && { 'content-type': 'application/json' }) },
      body: json === undefined ? null : JSON.stringify(json),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES)
        throw new BridgeError(
          'UPSTREAM_UNREACHABLE',
          'the platform answered a token call with too many bytes',
        );
      chunks.push(chunk);
    }
    if (answer.statusCode !== 200) {
      throw new BridgeError(
        'UPSTREAM_UNREACHABLE',
        `the platform answered a token call with HTTP ${answer.statusCode}`,
      );
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    throw describeNetworkError(error, url.host, signal);
  }
}

/** Business failures come with HTTP 200 and a code of their own; token-type successes have none at all. */
function readAnswer(text: string, platform: Platform, sent: Sent): UpstreamAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new BridgeError(
      'UPSTREAM_UNREACHABLE',
      'the platform answered a token call with something that is not JSON',
    );
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BridgeError(
      'UPSTREAM_UNREACHABLE',
      'the platform answered a token call with JSON that is not an object',
    );
  }
  const object = body as Record<string, unknown>;
  const verdict =
    platform.verdict === undefined
      ? verdictOf(object['errcode'], object['errmsg'])
      : platform.verdict(object);
  if (verdict === undefined) return { ok: true, body: object };
  if (!Number.isInteger(verdict.errcode)) {
    throw new BridgeError(
      'UPSTREAM_UNREACHABLE',
      'the platform answered a token call with an errcode that is not a number',
    );
  }
  const errmsg = withoutEcho(verdict.errmsg, sent);
  return { ok: false, refusal: { ...verdict, errmsg, rule: platform.errorRule(verdict.errcode) } };
}

/** What a request carries. */
type Sent = Pick<UpstreamRequest, 'query' | 'json'>;

/** Fields that hold nothing secret and help whoever reads an errmsg. */
const MAY_BE_REPEATED: ReadonlySet<string> = new Set(['appid', 'client_id', 'grant_type', 'type', 'rid']);
/** Shorter values are no secrets, and would be found in words. */
const SHORTEST_SECRET = 8;

/**
 * An errmsg without what it repeats of the request: secrets, tokens, codes, openids. It goes into the log,
 * the store and our own answers; the platform repeats none of it, but something in its place may.
 */
function withoutEcho(errmsg: string, { query, json }: Sent): string {
  return Object.entries({ ...query, ...json }).reduce((text, [name, value]) => {
    if (MAY_BE_REPEATED.has(name) || typeof value !== 'string' || value.length < SHORTEST_SECRET) return text;
    return text.replaceAll(value, '***').replaceAll(encodeURIComponent(value), '***');
  }, errmsg);
}
