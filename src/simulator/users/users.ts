import { type BoundedMap, createBoundedMap } from '../bounded.ts';
import type { AccountSettings } from '../options.ts';
import { siteOfType } from '../sites.ts';
import { type Code, type CodeBook, type CodeUse, createCodeBook } from './codes.ts';
import { latestEncryptKey, renewEncryptKey } from './encrypt-keys.ts';
import { type GrantRules, openGrant, refreshGrant, rotateGrant } from './grants.ts';
import type { UserRules } from './rules.ts';
import { logIn, resetSession } from './session-keys.ts';
import { createUser, type EncryptKey, type Grant, type SessionKey, type User } from './user.ts';
import type { UserTokens } from './user-tokens.ts';
import type { UserValues } from './values.ts';

/** How many users of an account are remembered, those that came first forgotten first. */
const REMEMBERED_USERS = 100_000;

/** What a client asks for when it is given a code. */
export interface CodeWish {
  use: CodeUse;
  scope?: string | undefined;
  snapshot?: boolean | undefined;
  redirectUri?: string | undefined;
}

/** The users of one account and their credentials. */
export interface AccountUsers {
  readonly codes: CodeBook;
  /** Users known so far. */
  readonly size: number;
  list(): User[];
  find(openid: string): User | undefined;
  /** The user with this openid, made on first use. */
  withOpenid(openid: string): User;
  /** The user of this name, made on first use; its openid depends on the seed, the appid and the name. */
  named(name: string): User;
  /** Undefined when the account is bound to no open platform and none was given through control. */
  unionidOf(user: User): string | undefined;
  phoneNumberOf(user: User): string;
  /** Gives the user's client a one-shot code. */
  issueCode(user: User, wish: CodeWish, now: number): Code;
  logIn(user: User, now: number): SessionKey;
  resetSession(user: User, current: SessionKey, now: number): SessionKey;
  latestEncryptKey(user: User, now: number): EncryptKey;
  renewEncryptKey(user: User, now: number): EncryptKey;
  /** Makes the tokens that a code is exchanged for. */
  consent(code: Code, now: number): Grant;
  /** Refreshes the consent's tokens by the rule of its platform. */
  refresh(grant: Grant, now: number): void;
}

/** Makes an account's users; `settings` is asked at each use, so that the rules can change at any time. */
export function createAccountUsers(
  appid: string,
  settings: () => AccountSettings,
  values: UserValues,
  tokens: UserTokens,
): AccountUsers {
  const users: BoundedMap<User> = createBoundedMap(REMEMBERED_USERS);
  const rules = (): UserRules => settings().users;
  const encryptKeyLifeMs = (): number => rules().encryptKeyLifeSeconds * 1000;
  let codesIssued = 0;

  function add(openid: string, name: string | undefined): User {
    const user = createUser(appid, openid, name);
    users.set(openid, user);
    return user;
  }

  function named(name: string): User {
    const openid = values.openid(name);
    const user = users.get(openid) ?? add(openid, name);
    user.name ??= name;
    return user;
  }

  function grantRules(): GrantRules {
    const { accessTokenLifeSeconds, refreshTokenLifeSeconds } = rules();
    return { accessLifeMs: accessTokenLifeSeconds * 1000, refreshLifeMs: refreshTokenLifeSeconds * 1000 };
  }

  const codes = createCodeBook(named);
  return {
    codes,
    get size() {
      return users.size;
    },
    list: () => users.values(),
    find: openid => users.get(openid),
    withOpenid: openid => users.get(openid) ?? add(openid, undefined),
    named,
    unionidOf(user) {
      const { openPlatform } = rules();
      if (user.givenUnionid !== undefined) return user.givenUnionid;
      return openPlatform === null ? undefined : values.unionid(openPlatform, user);
    },
    phoneNumberOf: user => user.givenPhoneNumber ?? values.phoneNumber(user),
    issueCode(user, { use, scope, snapshot = false, redirectUri }, now) {
      codesIssued += 1;
      const value = values.code(codesIssued);
      const expiresAt = now + rules().codeLifeSeconds * 1000;
      const code: Code = { value, use, user, expiresAt, used: false, scope, snapshot, redirectUri };
      codes.issue(code);
      return code;
    },
    logIn(user, now) {
      const { sessionKeepSeconds, sessionLifeSeconds } = rules();
      const lives = { keepMs: sessionKeepSeconds * 1000, lifeMs: sessionLifeSeconds * 1000 };
      return logIn(user, now, lives, values.sessionKey(user));
    },
    resetSession: (user, current, now) => resetSession(user, current, now, values.sessionKey(user)),
    latestEncryptKey: (user, now) => latestEncryptKey(user, now, encryptKeyLifeMs(), values.encryptKey(user)),
    renewEncryptKey: (user, now) => renewEncryptKey(user, now, encryptKeyLifeMs(), values.encryptKey(user)),
    consent({ user, scope = rules().scope, snapshot }, now) {
      const grant = openGrant(user, { scope, snapshot }, now, grantRules(), values.tokens(user));
      tokens.remember(grant);
      return grant;
    },
    refresh(grant, now) {
      const refresh = siteOfType(settings().type) === 'qq-connect' ? rotateGrant : refreshGrant;
      refresh(grant, now, grantRules(), values.tokens(grant.user));
      tokens.remember(grant);
    },
  };
}
