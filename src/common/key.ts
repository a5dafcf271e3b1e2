import { nearest } from '../base/nearest.ts';
import type { PlatformId } from '../platforms/platform.ts';
import { malformed, typeName } from './malformed.ts';
import type { BridgeKind } from './methods.ts';
import { PLATFORM_MARKS } from './provider-type.ts';

/** Names a credential, as callers write it. */
export interface CredentialKey {
  /** The DCloud appid (`__UNI__…`). Not needed when `appid` is given. */
  readonly dcloudAppid?: string | undefined;
  /** Platform mark, such as `weixin-mp`. */
  readonly platform?: string | undefined;
  /** The same as `platform`, and wins over it. */
  readonly provider?: string | undefined;
  /** The platform's own appid (or the configured name of the app); then nothing else is needed to name the app. */
  readonly appid?: string | undefined;
  /** The user, for user access tokens, session keys and encrypt keys. */
  readonly openid?: string | undefined;
  /** Which of a user's encrypt keys; a whole number, or its decimal digits. */
  readonly version?: number | string | undefined;
}

/** A key whose parts are fit to be used. Parts that the kind has no use for are left out. */
export interface CheckedKey {
  readonly dcloudAppid: string | undefined;
  readonly platform: PlatformId | undefined;
  readonly appid: string | undefined;
  readonly openid: string | undefined;
  readonly version: number | undefined;
}

/** Longest part of a key; the platforms' own ids have 28 to 32 characters. */
const LONGEST_PART = 128;

/** What no id has and what would blur the borders in a stored key: spaces, colons, characters that cannot be seen. */
const UNFIT = /[\s:\p{C}]/u;

const FOR_USERS: ReadonlySet<BridgeKind> = new Set(['user-access-token', 'session-key', 'encrypt-key']);

/**
 * Checks the parts of a key. Which app it means is found out later, by whoever knows the configuration.
 * Throws REQUEST_MALFORMED with a message of its own for each fault; none repeats an openid.
 */
export function checkKey(kind: BridgeKind, key: unknown): CheckedKey {
  if (typeof key !== 'object' || key === null || Array.isArray(key))
    throw malformed(`key must be an object, not ${typeName(key)}`, 'give { dcloudAppid, platform }');
  const parts = key as Readonly<Record<string, unknown>>;
  const appid = text(parts, 'appid');
  const mark = text(parts, 'provider') ?? text(parts, 'platform');
  const platform = mark === undefined ? undefined : checkPlatform(mark);
  const dcloudAppid = text(parts, 'dcloudAppid');
  if (appid === undefined && platform === undefined)
    throw malformed('platform is missing', `give one of ${PLATFORM_MARKS.join(', ')}`);
  if (appid === undefined && dcloudAppid === undefined)
    throw malformed(
      'dcloudAppid is missing',
      'give the DCloud appid (__UNI__…), or name the app by its appid',
    );
  return {
    dcloudAppid,
    platform,
    appid,
    openid: FOR_USERS.has(kind) ? checkOpenid(kind, parts) : undefined,
    version: kind === 'encrypt-key' ? checkVersion(parts['version']) : undefined,
  };
}

/** A part that is given as a fit string; undefined when it is not given. */
function text(parts: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = parts[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw malformed(`${name} must be a string, not ${typeName(value)}`);
  if (value === '') throw malformed(`${name} is empty`);
  if (value !== value.trim()) throw malformed(`${name} has whitespace around it`, 'take the whitespace away');
  if (value.length > LONGEST_PART) throw malformed(`${name} is longer than ${LONGEST_PART} characters`);
  if (UNFIT.test(value))
    throw malformed(
      `${name} holds a space, a colon or a control character`,
      'ids of the platforms have none',
    );
  return value;
}

function checkPlatform(mark: string): PlatformId {
  const known = PLATFORM_MARKS.find(each => each === mark);
  if (known !== undefined) return known;
  const meant = nearest(mark, PLATFORM_MARKS);
  const list = `the platforms are ${PLATFORM_MARKS.join(', ')}`;
  throw malformed(
    `platform ${JSON.stringify(mark)} is unknown`,
    meant === undefined ? list : `did you mean ${meant}? ${list}`,
  );
}

function checkOpenid(kind: BridgeKind, parts: Readonly<Record<string, unknown>>): string {
  const openid = text(parts, 'openid');
  if (openid !== undefined) return openid;
  throw malformed('openid is missing', `a ${kind} belongs to one user: give the user's openid`);
}

function checkVersion(version: unknown): number {
  const advice = 'give the version that the mini program was told with its key, such as 1';
  if (version === undefined || version === null) throw malformed('version is missing', advice);
  const number =
    typeof version === 'string' && /^(0|[1-9]\d{0,15})$/.test(version) ? Number(version) : version;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw malformed('version must be a whole number, or its decimal digits', advice);
}
