import type { Log } from '../base/log.ts';
import type { ValueObject } from '../credentials/credentials.ts';
import { asOpenBridgeError, ErrorCodeType, type FailureReason, OpenBridgeError } from './errors.ts';
import { checkExpiresIn } from './expires-in.ts';
import { malformed, typeName } from './malformed.ts';
import type { BridgeKind } from './methods.ts';
import type { Backend, Detail, Operation, Outcome } from './operation.ts';
import { checkValue } from './value.ts';

/** The key a fallback is given: a copy of the caller's, with what it turned out to mean. */
export interface ResolvedKey {
  readonly dcloudAppid?: string;
  /** The app's platform mark. */
  readonly platform?: string;
  /** The same as `platform`. */
  readonly provider?: string;
  /** The platform's own appid; missing only while the bridge cannot be asked. */
  readonly appid?: string;
  readonly openid?: string;
  readonly version?: number;
}

/** What a fallback brings. */
export interface FallbackResult<Value = ValueObject> {
  /** null when there is none. */
  readonly value: Value | null;
  /** Life in seconds, -1 for never; without it the value is handed on and not stored. */
  readonly duration?: number | undefined;
}

/** Gets a value that is nowhere stored, in the place of the built-in way. */
export type Fallback<Value = ValueObject> = (
  key: ResolvedKey,
) => FallbackResult<Value> | Promise<FallbackResult<Value>>;

/** What a get with a fallback works with. */
export interface FallbackDeps {
  readonly perform: Backend['perform'];
  readonly log: Log;
}

/** Carries what a caller's fallback threw to where it is handed on as it was. */
export class FallbackThrew extends Error {
  constructor(cause: unknown) {
    super('a fallback threw', { cause });
  }
}

/** Reasons for which there is no telling what is stored, so that the fallback is all there is. */
const AWAY: ReadonlySet<FailureReason> = new Set(['STORE_UNAVAILABLE', 'BRIDGE_UNREACHABLE']);

/** A fallback that is one; undefined for the built-in way. Throws REQUEST_MALFORMED for anything else. */
export function checkFallback(fallback: unknown): Fallback | undefined {
  if (fallback === undefined || fallback === null) return undefined;
  if (typeof fallback === 'function') return fallback as Fallback;
  throw malformed(
    `fallback must be an async function, not ${typeName(fallback)}`,
    'give null for the built-in way; options come after it',
  );
}

/**
 * Makes the get that asks a caller's fallback when nothing is stored, and stores what it brings. Of several
 * that miss the same credential in this process one asks its fallback first; the others then look again,
 * so that a fallback which stores is asked once.
 */
export function createFallbackGet({ perform, log }: FallbackDeps) {
  const running = new Map<string, Promise<unknown>>();

  /** What is stored; undefined when it cannot be asked. */
  async function look(operation: Operation): Promise<Outcome | undefined> {
    try {
      return await perform({ ...operation, obtain: false });
    } catch (error) {
      const failure = asOpenBridgeError(error);
      if (!AWAY.has(failure.reason)) throw failure;
      log.warn({ reason: failure.reason }, 'what is stored cannot be read; asking the fallback');
      return undefined;
    }
  }

  async function ask(fallback: Fallback, operation: Operation, found: Outcome | undefined): Promise<Detail> {
    const { value, expiresIn } = checkResult(
      operation.kind,
      await call(fallback, resolvedKey(operation, found)),
    );
    if (value === null) return { value, expiresIn: null, state: 'absent', reason: null };
    const detail = { value, state: 'usable', reason: null } as const;
    if (expiresIn === undefined) return { ...detail, expiresIn: null };
    await keep({ ...operation, verb: 'set', value, expiresIn });
    return { ...detail, expiresIn: Math.floor(expiresIn) };
  }

  /** Stores what a fallback brought. While that cannot be done the caller is served all the same. */
  async function keep(operation: Operation): Promise<void> {
    try {
      await perform(operation);
    } catch (error) {
      const failure = asOpenBridgeError(error);
      if (!AWAY.has(failure.reason)) throw failure;
      log.warn({ reason: failure.reason }, 'what the fallback brought cannot be stored');
    }
  }

  return async (operation: Operation, fallback: Fallback): Promise<Detail> => {
    let found = await look(operation);
    if (found?.detail.state === 'usable') return found.detail;
    const name = JSON.stringify([operation.kind, found?.app, operation.key]);
    const ahead = running.get(name);
    if (ahead !== undefined) {
      await ahead;
      found = await look(operation);
      if (found?.detail.state === 'usable') return found.detail;
    }
    const asked = ask(fallback, operation, found);
    const over = asked.then(noop, noop);
    running.set(name, over);
    try {
      return await asked;
    } finally {
      if (running.get(name) === over) running.delete(name);
    }
  };
}

function noop(): void {}

async function call(fallback: Fallback, key: ResolvedKey): Promise<unknown> {
  try {
    return await fallback(key);
  } catch (error) {
    throw new FallbackThrew(error);
  }
}

/** Checks what a fallback brought, as what is set is checked. */
function checkResult(
  kind: BridgeKind,
  result: unknown,
): { readonly value: ValueObject | null; readonly expiresIn: number | undefined } {
  if (typeof result !== 'object' || result === null || Array.isArray(result))
    throw invalid(`the fallback must resolve to { value, duration }, not to ${typeName(result)}`);
  const { value, duration } = result as { readonly value?: unknown; readonly duration?: unknown };
  if (value === null) return { value, expiresIn: undefined };
  if (value === undefined)
    throw invalid(
      'the fallback must resolve to { value, duration }, and there is no value: give null for none',
    );
  try {
    return {
      value: checkValue(kind, value, "the fallback's value"),
      expiresIn: duration === undefined ? undefined : checkExpiresIn(duration, "the fallback's duration"),
    };
  } catch (error) {
    throw invalid(asOpenBridgeError(error).message);
  }
}

function invalid(errMsg: string): OpenBridgeError {
  return new OpenBridgeError({ errCode: ErrorCodeType.SYSTEM_ERROR, errMsg }, 'FALLBACK_INVALID');
}

function resolvedKey({ key }: Operation, found: Outcome | undefined): ResolvedKey {
  const { dcloudAppid, openid, version } = key;
  const platform = found?.app.platform ?? key.platform;
  const appid = found?.app.appid ?? key.appid;
  return {
    ...(dcloudAppid !== undefined && { dcloudAppid }),
    ...(platform !== undefined && { platform, provider: platform }),
    ...(appid !== undefined && { appid }),
    ...(openid !== undefined && { openid }),
    ...(version !== undefined && { version }),
  };
}
