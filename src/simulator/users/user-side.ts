/**
 * What happens on the user's side and no server call can cause: a client is given a code, data or a
 * key, a user changes the password. The same options come through control over HTTP.
 */
import type { Account } from '../accounts.ts';
import type { JsonObject } from '../answers.ts';
import { type Fields, fieldsOf, flagOf, OptionError, oneOf, optional, textOf } from '../checks.ts';
import type { Derived } from '../random.ts';
import type { CodeUse } from './codes.ts';
import { encryptOpenData, type OpenData } from './open-data.ts';
import { liveSession } from './session-keys.ts';
import type { User } from './user.ts';

/** Which user of the account: exactly one of the two. A user is known from its first mention on. */
export interface UserChoice {
  /** A name, which gives the openid: the same name is the same user. */
  user?: string;
  openid?: string;
}

export interface CodeOptions extends UserChoice {
  /** `login` from wx.login, `oauth` from an authorization page, `phone` from a phone number button. Default by type. */
  use?: CodeUse;
  /** The user's unionid from here on. */
  unionid?: string;
  /** The user's phone number from here on. */
  phoneNumber?: string;
  /** What the user consented to, such as snsapi_userinfo. Default: the account's usual scope. */
  scope?: string;
  /** The user saw a snapshot of the page: `is_snapshotuser` is 1. */
  snapshot?: boolean;
  /** QQ Connect: the redirect_uri that must come with the code again. */
  redirectUri?: string;
}

/** A code as a client gets it. */
export interface IssuedCode {
  code: string;
  openid: string;
  unionid: string | null;
  /** Seconds. */
  expiresIn: number;
}

export interface OpenDataOptions extends UserChoice {
  /** What to encrypt, without the watermark. Default: the profile of wx.getUserInfo. */
  data?: JsonObject;
}

export interface LatestUserKeyOptions extends UserChoice {
  /** Make a new key even if the newest is still good. */
  renew?: boolean;
}

/** What getLatestUserKey gives a mini program. */
export interface LatestUserKey {
  encryptKey: string;
  iv: string;
  version: number;
  /** Seconds since the Unix epoch. */
  expireTime: number;
}

export interface UserChange extends UserChoice {
  unionid?: string;
  phoneNumber?: string;
  /** A high-risk user's codes are refused with 40226. */
  blocked?: boolean;
  /** The session_key is no longer good: 87007. */
  expireSession?: true;
  /** The user changed its password: all its OAuth tokens get 42007. */
  changePassword?: true;
  /** The user withdrew its consent: its access_tokens get 40001, its refresh_tokens 40030. */
  withdrawConsent?: true;
}

const CHOICE_KEYS = ['appid', 'user', 'openid'];
const USES = ['login', 'oauth', 'phone'] as const;

function chosen({ users }: Account, fields: Fields): User {
  const name = optional(fields['user'], v => textOf(v, 'user'));
  const openid = optional(fields['openid'], v => textOf(v, 'openid'));
  if (name !== undefined && openid === undefined) return users.named(name);
  if (openid !== undefined && name === undefined) return users.withOpenid(openid);
  throw new OptionError('either user or openid must name the user');
}

function usualUse({ settings }: Account): CodeUse {
  return settings.type === 'mp' || settings.type === 'qq-mp' ? 'login' : 'oauth';
}

function requireUse(account: Account, use: CodeUse): CodeUse {
  const { type } = account.settings;
  const usual = usualUse(account);
  if (use === usual || (use === 'phone' && type === 'mp')) return use;
  throw new OptionError(
    `use must be ${type === 'mp' ? 'login or phone' : usual} for an account of type ${type}`,
  );
}

/** Gives a client a code. Throws OptionError. */
export function issueCode(account: Account, options: unknown, now: number): IssuedCode {
  const known = [...CHOICE_KEYS, 'use', 'unionid', 'phoneNumber', 'scope', 'snapshot', 'redirectUri'];
  const fields = fieldsOf(options, 'the code', known);
  const text = (key: string): string | undefined => optional(fields[key], v => textOf(v, key));
  const use = optional(fields['use'], v => oneOf(v, 'use', USES)) ?? usualUse(account);
  const wish = {
    use: requireUse(account, use),
    scope: text('scope'),
    redirectUri: text('redirectUri'),
    snapshot: optional(fields['snapshot'], v => flagOf(v, 'snapshot')),
  };
  const unionid = text('unionid');
  const phoneNumber = text('phoneNumber');
  const user = chosen(account, fields);
  user.givenUnionid = unionid ?? user.givenUnionid;
  user.givenPhoneNumber = phoneNumber ?? user.givenPhoneNumber;
  const { value, expiresAt } = account.users.issueCode(user, wish, now);
  return {
    code: value,
    openid: user.openid,
    unionid: account.users.unionidOf(user) ?? null,
    expiresIn: (expiresAt - now) / 1000,
  };
}

/** The profile of wx.getUserInfo, as far as anyone may read it. */
function profileOf({ name = 'user' }: User): JsonObject {
  return { nickName: name, gender: 0, language: 'zh_CN', city: '', province: '', country: '', avatarUrl: '' };
}

/** Gives a mini program data under its user's session_key. Throws OptionError when the user has none. */
export function makeOpenData(account: Account, options: unknown, now: number, derived: Derived): OpenData {
  const fields = fieldsOf(options, 'the open data', [...CHOICE_KEYS, 'data']);
  const given = optional(fields['data'], v => fieldsOf(v, 'data', Object.keys(Object(v))));
  const user = chosen(account, fields);
  const session = liveSession(user, now);
  if (session === undefined) {
    throw new OptionError(`the user ${user.openid} has no session_key now; log it in first`);
  }
  const unionId = account.users.unionidOf(user);
  const raw = given ?? profileOf(user);
  const secret = given ?? { openId: user.openid, ...(unionId === undefined ? {} : { unionId }), ...raw };
  const watermark = { timestamp: Math.floor(now / 1000), appid: account.appid };
  account.data.serial += 1;
  const iv = derived.bytes(16, 'open data', account.appid, account.data.serial);
  return encryptOpenData(session.value, iv, { ...secret, watermark }, raw);
}

/** Plays getLatestUserKey of a mini program. Throws OptionError. */
export function latestUserKey(account: Account, options: unknown, now: number): LatestUserKey {
  const fields = fieldsOf(options, 'the request', [...CHOICE_KEYS, 'renew']);
  const renew = optional(fields['renew'], v => flagOf(v, 'renew')) ?? false;
  if (account.settings.type !== 'mp') {
    throw new OptionError(`encrypt keys belong to accounts of type mp, not ${account.settings.type}`);
  }
  const user = chosen(account, fields);
  const key = renew ? account.users.renewEncryptKey(user, now) : account.users.latestEncryptKey(user, now);
  const { value, iv, version, expiresAt } = key;
  return { encryptKey: value, iv, version, expireTime: Math.floor(expiresAt / 1000) };
}

/** Changes a user. Throws OptionError. */
export function changeUser(account: Account, options: unknown, now: number): User {
  const flags = ['expireSession', 'changePassword', 'withdrawConsent'] as const;
  const known = [...CHOICE_KEYS, 'unionid', 'phoneNumber', 'blocked', ...flags];
  const fields = fieldsOf(options, 'the change', known);
  for (const flag of flags) optional(fields[flag], v => oneOf(v, flag, [true]));
  const unionid = optional(fields['unionid'], v => textOf(v, 'unionid'));
  const phoneNumber = optional(fields['phoneNumber'], v => textOf(v, 'phoneNumber'));
  const blocked = optional(fields['blocked'], v => flagOf(v, 'blocked'));
  const user = chosen(account, fields);
  user.givenUnionid = unionid ?? user.givenUnionid;
  user.givenPhoneNumber = phoneNumber ?? user.givenPhoneNumber;
  user.blocked = blocked ?? user.blocked;
  const session = liveSession(user, now);
  if (fields['expireSession'] === true && session !== undefined) session.expiresAt = now;
  if (fields['changePassword'] === true) user.passwordChanges += 1;
  if (fields['withdrawConsent'] === true) user.withdrawals += 1;
  return user;
}
