import type { ValueObject } from '../credentials/credentials.ts';
import { checkExpiresIn } from './expires-in.ts';
import { type CheckedKey, checkKey } from './key.ts';
import { malformed, typeName } from './malformed.ts';
import { METHODS, type Method, type MethodName } from './methods.ts';
import { checkValue } from './value.ts';

/** What a function is asked to do, as callers of any kind write it: nothing of it is checked yet. */
export interface OperationInput {
  readonly key: unknown;
  readonly value?: unknown;
  readonly expiresIn?: unknown;
  readonly obtain?: unknown;
}

/** What a function is asked to do, fit to be done. */
export interface Operation extends Method {
  readonly key: CheckedKey;
  /** For get: whether a value that is missing is got from the platform. */
  readonly obtain: boolean;
  /** For set. */
  readonly value: ValueObject | undefined;
  /** For set: seconds, or -1 for never. */
  readonly expiresIn: number;
}

/** What is known of a credential after an operation. All but a get leave it without a value. */
export interface Detail {
  readonly value: ValueObject | null;
  /** Whole seconds left of its life, -1 when it never expires, null when there is none or nobody knows. */
  readonly expiresIn: number | null;
  readonly state: 'usable' | 'absent' | 'login-required';
  /** Why there is no value, where more can be said than that there is none. */
  readonly reason: string | null;
}

/** The app a key turned out to mean. */
export interface ResolvedApp {
  readonly platform: string;
  readonly appid: string;
}

/** What an operation came to. */
export interface Outcome {
  readonly app: ResolvedApp;
  readonly detail: Detail;
}

/** Does what it is asked, here or on a bridge elsewhere. */
export interface Backend {
  perform(operation: Operation): Promise<Outcome>;
  close(): Promise<void>;
}

/**
 * Checks what a function is asked: the one place that says what is acceptable, for the library and for
 * HTTP. Throws BridgeError REQUEST_MALFORMED.
 */
export function checkOperation(method: MethodName, input: OperationInput): Operation {
  const { verb, kind } = METHODS[method];
  const key = checkKey(kind, input.key);
  return {
    verb,
    kind,
    key,
    obtain: flag('obtain', input.obtain, true),
    value: verb === 'set' ? checkValue(kind, input.value) : undefined,
    expiresIn: checkExpiresIn(verb === 'set' ? input.expiresIn : undefined),
  };
}

/** A switch that may be left out. */
export function flag(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined || value === null) return byDefault;
  if (typeof value === 'boolean') return value;
  throw malformed(`${name} must be true or false, not ${typeName(value)}`);
}
