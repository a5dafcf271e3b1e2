import { Agent, type Dispatcher, request } from 'undici';
import { type Clock, deadline } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import { ErrorCodeType, OpenBridgeError, type ToldError } from './errors.ts';
import { NEVER } from './expires-in.ts';
import { methodFor } from './methods.ts';
import type { Backend, Detail, Operation, ResolvedApp } from './operation.ts';
import { APP_HEADER, ERROR_HEADER, UNI_CLOUD_MESSAGE } from './wire.ts';

/** What a bridge elsewhere is reached with. */
export interface RemoteBackendOptions {
  /** Where its functions are, such as `http://127.0.0.1:7200/uni-open-bridge`. */
  readonly url: URL;
  readonly callerKey: Secret | undefined;
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Defaults to an agent of its own. */
  readonly dispatcher?: Dispatcher | undefined;
}

/** Connections kept to the bridge. */
const CONNECTIONS = 32;

/** Answers are a few hundred bytes; anything near this is not a bridge speaking. */
const MOST_ANSWER_BYTES = 256 * 1024;

/** What happens to a connection that was kept while the other side went away. */
const LOST_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const NOTHING: Detail = { value: null, expiresIn: null, state: 'absent', reason: null };

const STATES: ReadonlySet<unknown> = new Set<Detail['state']>(['usable', 'absent', 'login-required']);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Makes the functions' way to a bridge over HTTP, with keep-alive. Throws OpenBridgeError. */
export function createRemote(options: RemoteBackendOptions): Backend {
  const { url } = options;
  const dispatcher = options.dispatcher ?? new Agent({ connections: CONNECTIONS });

  async function send(operation: Operation): Promise<Answer> {
    const { callerKey, timeoutMs, clock } = options;
    const limit = deadline(clock, timeoutMs, () =>
      unreachable(url, `did not answer within ${timeoutMs / 1000} s`),
    );
    try {
      const { statusCode, headers, body } = await request(`${url.href}/${methodFor(operation)}`, {
        dispatcher,
        method: 'POST',
        signal: limit.signal,
        // The deadline is what counts, however the time is spent.
        headersTimeout: 0,
        bodyTimeout: 0,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(callerKey !== undefined && { 'x-bridge-key': callerKey.reveal() }),
        },
        body: JSON.stringify(bodyOf(operation)),
      });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body) {
        size += chunk.length;
        if (size > MOST_ANSWER_BYTES) break;
        chunks.push(chunk);
      }
      return { status: statusCode, headers, text: Buffer.concat(chunks).toString('utf8') };
    } finally {
      limit.clear();
    }
  }

  /** A kept connection may be found closed. Doing it again does no harm, but for an update, which costs a call to the platform. */
  async function sendPatiently(operation: Operation): Promise<Answer> {
    try {
      return await send(operation);
    } catch (error) {
      if (operation.verb === 'update' || !LOST_CONNECTION.has(codeOf(error) ?? '')) throw error;
      return await send(operation);
    }
  }

  return {
    async perform(operation) {
      let answer: Answer;
      try {
        answer = await sendPatiently(operation);
      } catch (error) {
        if (error instanceof OpenBridgeError) throw error;
        const code = codeOf(error);
        throw unreachable(url, `gave no answer${code === undefined ? '' : ` (${code})`}`);
      }
      const body = parse(answer.text);
      const reason = headerOf(answer, ERROR_HEADER);
      if (reason !== undefined) throw new OpenBridgeError(toldIn(body), reason as ErrorCode);
      if (answer.status !== 200 || !isAnswerTo(operation, body)) throw notABridge(url, answer);
      const detail = operation.verb === 'get' ? (body as Detail) : NOTHING;
      return { app: appIn(answer), detail };
    },
    close: () => (options.dispatcher === undefined ? dispatcher.close() : Promise.resolve()),
  };
}

function bodyOf({ verb, key, value, expiresIn, obtain }: Operation): object {
  return {
    ...key,
    ...(verb === 'get' && { detail: true, obtain }),
    ...(verb === 'set' && { value }),
    ...(verb === 'set' && expiresIn !== NEVER && { expiresIn }),
  };
}

/** Whether this is what a bridge answers, as far as everything else that may stand at an address is concerned. */
function isAnswerTo({ verb }: Operation, body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const { errCode, state } = body as { readonly errCode?: unknown; readonly state?: unknown };
  return verb === 'get' ? STATES.has(state) : errCode === 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headerOf({ headers }: Answer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function appIn(answer: Answer): ResolvedApp {
  const [platform = '', appid = ''] = (headerOf(answer, APP_HEADER) ?? '').split(':');
  return { platform, appid };
}

/** What a bridge says of a failure, in either of the forms it may be set to. */
function toldIn(body: unknown): ToldError {
  const { errCode, errMsg, error } = (body ?? {}) as Partial<ToldError> & {
    readonly error?: { readonly message?: string };
  };
  if (errCode !== undefined && errMsg !== undefined) return { errCode, errMsg };
  const [, code = ErrorCodeType.SYSTEM_ERROR, message = ''] =
    UNI_CLOUD_MESSAGE.exec(error?.message ?? '') ?? [];
  return { errCode: /^-?\d+$/.test(code) ? Number(code) : code, errMsg: message };
}

function unreachable(url: URL, what: string): OpenBridgeError {
  const errMsg = `the bridge at ${url.origin} ${what}; check that it runs and that this is the address of its control API`;
  return new OpenBridgeError({ errCode: ErrorCodeType.SYSTEM_ERROR, errMsg }, 'BRIDGE_UNREACHABLE');
}

function notABridge(url: URL, { status, headers }: Answer): OpenBridgeError {
  const type = headers['content-type'] ?? 'no content type';
  const errMsg = `what answers at ${url.href} is not a bridge: HTTP ${status}, ${type}; check the address, the prefix (uniOpenBridge.prefix) and proxies on the way`;
  return new OpenBridgeError({ errCode: ErrorCodeType.SYSTEM_ERROR, errMsg }, 'BRIDGE_UNREACHABLE');
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
