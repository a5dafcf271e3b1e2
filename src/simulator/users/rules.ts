import type { AccountType } from '../account-types.ts';
import { fieldsOf, numberOf, oneOf, optional, textOf } from '../checks.ts';

/** How an account's users log in. Times are seconds; defaults in brackets. */
export interface UserOptions {
  /** `any` text is a code, or only codes `issued` through control. [any] */
  codes?: 'any' | 'issued';
  /** Life of an issued code. [300; 600 for web, app and qq-app] */
  codeLifeSeconds?: number;
  /** A login this soon after the session_key was made keeps the key; 0 gives a new one each time. [60] */
  sessionKeepSeconds?: number;
  /** Life of a session_key, counted anew by every login that keeps it. [259 200, three days] */
  sessionLifeSeconds?: number;
  /** Life of an encrypt key. [3600] */
  encryptKeyLifeSeconds?: number;
  /** Life of a user's access_token. [7200; 7 776 000 for qq-app] */
  accessTokenLifeSeconds?: number;
  /** Life of a refresh_token from the user's consent on; nothing prolongs it. [2 592 000; 7 776 000 for qq-app] */
  refreshTokenLifeSeconds?: number;
  /** The scope of codes that were issued without one. [by type: see docs] */
  scope?: string;
  /**
   * Name of the open platform account that the app is bound to. Users get a unionid then, the same
   * in all apps bound to that name. Null: bound to none. [null; one of its own for web and app]
   */
  openPlatform?: string | null;
}

/** User options with every default filled in. */
export type UserRules = Required<UserOptions>;

const USER_KEYS = [
  ...['codes', 'codeLifeSeconds', 'sessionKeepSeconds', 'sessionLifeSeconds', 'encryptKeyLifeSeconds'],
  ...['accessTokenLifeSeconds', 'refreshTokenLifeSeconds', 'scope', 'openPlatform'],
];

const DAY_SECONDS = 86_400;

const DEFAULTS: Readonly<UserRules> = {
  codes: 'any',
  codeLifeSeconds: 300,
  sessionKeepSeconds: 60,
  sessionLifeSeconds: 3 * DAY_SECONDS,
  encryptKeyLifeSeconds: 3600,
  accessTokenLifeSeconds: 7200,
  refreshTokenLifeSeconds: 30 * DAY_SECONDS,
  scope: 'snsapi_base',
  openPlatform: null,
};

/** What every account of a type has unless told otherwise. */
export function defaultRulesOf(type: AccountType, appid: string): UserRules {
  switch (type) {
    case 'web':
      return { ...DEFAULTS, codeLifeSeconds: 600, scope: 'snsapi_login', openPlatform: appid };
    case 'app':
      return { ...DEFAULTS, codeLifeSeconds: 600, scope: 'snsapi_userinfo', openPlatform: appid };
    case 'qq-app':
      return {
        ...DEFAULTS,
        codeLifeSeconds: 600,
        accessTokenLifeSeconds: 90 * DAY_SECONDS,
        refreshTokenLifeSeconds: 90 * DAY_SECONDS,
        scope: 'get_user_info',
      };
    default:
      return DEFAULTS;
  }
}

/** Reads user options over `base`. Throws OptionError naming what is wrong. */
export function readUserRules(value: unknown, name: string, base: UserRules): UserRules {
  const fields = fieldsOf(value, name, USER_KEYS);
  const seconds = (key: keyof UserRules & `${string}Seconds`, min: number): number =>
    optional(fields[key], v => numberOf(v, `${name}.${key}`, { min })) ?? base[key];
  const openPlatform = fields['openPlatform'];
  return {
    codes:
      optional(fields['codes'], v => oneOf(v, `${name}.codes`, ['any', 'issued'] as const)) ?? base.codes,
    codeLifeSeconds: seconds('codeLifeSeconds', 1),
    sessionKeepSeconds: seconds('sessionKeepSeconds', 0),
    sessionLifeSeconds: seconds('sessionLifeSeconds', 1),
    encryptKeyLifeSeconds: seconds('encryptKeyLifeSeconds', 1),
    accessTokenLifeSeconds: seconds('accessTokenLifeSeconds', 1),
    refreshTokenLifeSeconds: seconds('refreshTokenLifeSeconds', 1),
    scope: optional(fields['scope'], v => textOf(v, `${name}.scope`)) ?? base.scope,
    openPlatform:
      openPlatform === null
        ? null
        : (optional(openPlatform, v => textOf(v, `${name}.openPlatform`)) ?? base.openPlatform),
  };
}
