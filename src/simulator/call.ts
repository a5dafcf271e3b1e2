import type { Account } from './accounts.ts';
import type { Answer, JsonObject } from './answers.ts';
import { ApiError } from './errors.ts';
import type { Incoming } from './http.ts';
import type { PathEntry } from './path-entry.ts';
import type { Platform } from './platform.ts';
import type { HeldToken } from './users/user-tokens.ts';

/** One call to the platform while it is handled. */
export interface Call extends Incoming {
  platform: Platform;
  entry: PathEntry;
  /** When it is handled, milliseconds since the Unix epoch. */
  now: number;
  /** The user's access_token, on paths that take one; undefined when it was never issued. */
  userToken: HeldToken | undefined;
}

/** A call whose access_token was found good. */
export interface AccountCall extends Call {
  account: Account;
  /** The JSON body, when the path wants one; else an empty object. */
  fields: JsonObject;
}

/** Answers a path that takes an access_token. May throw ApiError. */
export type AccountApi = (call: AccountCall) => Answer;

/** Answers a path that takes no access_token. May throw ApiError. */
export type OpenApi = (call: Call) => Answer;

/** A field that must be a non-empty string, else the errcode. */
export function need(fields: JsonObject, name: string, errcode: number): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw new ApiError(errcode);
  return value;
}

/** Whole seconds of a time in milliseconds. */
export function secondsOf(call: Pick<Call, 'now'>): number {
  return Math.floor(call.now / 1000);
}
