import type { Account } from './accounts.ts';
import type { Answer, JsonObject } from './answers.ts';
import type { CatalogEntry } from './catalog.ts';
import { ApiError } from './errors.ts';
import type { Incoming } from './http.ts';
import type { Platform } from './platform.ts';

/** One call to the platform while it is handled. */
export interface Call extends Incoming {
  platform: Platform;
  entry: CatalogEntry;
  /** When it is handled, milliseconds since the Unix epoch. */
  now: number;
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

/** Whole seconds of the call's time. */
export function secondsOf(call: Call): number {
  return Math.floor(call.now / 1000);
}
