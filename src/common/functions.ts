import type { Log } from '../base/log.ts';
import { asOpenBridgeError } from './errors.ts';
import { checkFallback, createFallbackGet, type Fallback, FallbackThrew } from './fallback.ts';
import type { CredentialKey } from './key.ts';
import { malformed, typeName } from './malformed.ts';
import { METHOD_NAMES, METHODS, type MethodName } from './methods.ts';
import { type Backend, checkOperation, type Detail, flag } from './operation.ts';

/** An application's or a user's access token. */
export interface AccessTokenValue {
  readonly access_token: string;
  readonly [field: string]: unknown;
}

/** A mini program user's session key. */
export interface SessionKeyValue {
  readonly session_key: string;
  readonly [field: string]: unknown;
}

/** One version of a mini program user's key for what the page encrypts. */
export interface EncryptKeyValue {
  readonly encrypt_key: string;
  readonly iv: string;
  readonly [field: string]: unknown;
}

/** A `jsapi` ticket. */
export interface TicketValue {
  readonly ticket: string;
  readonly [field: string]: unknown;
}

/** How a get is to be done. */
export interface GetOptions {
  /** Whether a value that is missing or over is got from the platform. Default true; a fallback takes its place. */
  readonly obtain?: boolean | undefined;
  /** Whether the answer tells more than the value. Default false. */
  readonly detail?: boolean | undefined;
}

/** A value with what remains of its life. */
export interface DetailOf<Value> extends Omit<Detail, 'value'> {
  readonly value: Value | null;
}

/** Resolves to the stored value object, or to null when there is none. Throws OpenBridgeError. */
export interface GetFunction<Value> {
  (
    key: CredentialKey,
    fallback?: Fallback<Value> | null,
    options?: GetOptions & { readonly detail?: false | undefined },
  ): Promise<Value | null>;
  (
    key: CredentialKey,
    fallback: Fallback<Value> | null | undefined,
    options: GetOptions & { readonly detail: true },
  ): Promise<DetailOf<Value>>;
}

/** Stores a value over what is there; `expiresIn` is in seconds, and -1 or nothing means never. Throws OpenBridgeError. */
export type SetFunction<Value> = (key: CredentialKey, value: Value, expiresIn?: number) => Promise<void>;

/** Removes the value, if there is one. Throws OpenBridgeError. */
export type RemoveFunction = (key: CredentialKey) => Promise<void>;

/** Asks the platform now, whatever is stored, and stores what it says. Throws OpenBridgeError. */
export type UpdateFunction = (key: CredentialKey) => Promise<void>;

/** The functions of uni-open-bridge-common, with one bridge behind them. */
export interface OpenBridge {
  readonly getAccessToken: GetFunction<AccessTokenValue>;
  readonly setAccessToken: SetFunction<AccessTokenValue>;
  readonly removeAccessToken: RemoveFunction;
  readonly updateAccessToken: UpdateFunction;
  readonly getUserAccessToken: GetFunction<AccessTokenValue>;
  readonly setUserAccessToken: SetFunction<AccessTokenValue>;
  readonly removeUserAccessToken: RemoveFunction;
  readonly getSessionKey: GetFunction<SessionKeyValue>;
  readonly setSessionKey: SetFunction<SessionKeyValue>;
  readonly removeSessionKey: RemoveFunction;
  readonly getEncryptKey: GetFunction<EncryptKeyValue>;
  readonly setEncryptKey: SetFunction<EncryptKeyValue>;
  readonly removeEncryptKey: RemoveFunction;
  readonly updateEncryptKey: UpdateFunction;
  readonly getTicket: GetFunction<TicketValue>;
  readonly setTicket: SetFunction<TicketValue>;
  readonly removeTicket: RemoveFunction;
  readonly updateTicket: UpdateFunction;
  /** Lets what is under way finish, then frees what is held. Closing twice is closing once. */
  close(): Promise<void>;
}

type AnyFunction = (key: unknown, second?: unknown, third?: unknown) => Promise<unknown>;

/** Makes the functions over whatever does the work. */
export function createFunctions(backend: Backend, log: Log): OpenBridge {
  const withFallback = createFallbackGet({ perform: backend.perform, log });

  const get =
    (method: MethodName): AnyFunction =>
    (key, fallback, options) =>
      told(async () => {
        const { obtain, detail: wantsDetail } = checkOptions(options);
        const operation = checkOperation(method, { key, obtain });
        const ask = checkFallback(fallback);
        const detail = await (ask === undefined
          ? backend.perform(operation).then(outcome => outcome.detail)
          : withFallback(operation, ask));
        return wantsDetail ? detail : detail.value;
      });

  const set =
    (method: MethodName): AnyFunction =>
    (key, value, expiresIn) =>
      told(async () => {
        await backend.perform(checkOperation(method, { key, value, expiresIn }));
      });

  const other =
    (method: MethodName): AnyFunction =>
    key =>
      told(async () => {
        await backend.perform(checkOperation(method, { key }));
      });

  const make = { get, set, remove: other, update: other };
  const functions = Object.fromEntries(METHOD_NAMES.map(name => [name, make[METHODS[name].verb](name)]));
  let closing: Promise<void> | undefined;
  return {
    ...(functions as unknown as Omit<OpenBridge, 'close'>),
    close() {
      closing ??= backend.close();
      return closing;
    },
  };
}

/** Every refusal, the first ones included, comes as a rejection and in one form; what a fallback throws is its caller's. */
async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof FallbackThrew ? error.cause : asOpenBridgeError(error);
  }
}

function checkOptions(options: unknown): { readonly obtain: boolean; readonly detail: boolean } {
  if (options === undefined || options === null) return { obtain: true, detail: false };
  if (typeof options !== 'object' || Array.isArray(options))
    throw malformed(
      `options must be an object, not ${typeName(options)}`,
      'give { detail: true } or { obtain: false }',
    );
  const { obtain, detail } = options as GetOptions;
  return { obtain: flag('obtain', obtain, true), detail: flag('detail', detail, false) };
}
