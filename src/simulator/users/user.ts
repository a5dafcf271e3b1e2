import { type Usage, unused } from '../quotas.ts';

/** The key of a user's session in an app. Times are milliseconds since the Unix epoch, here and below. */
export interface SessionKey {
  /** 16 bytes in base64. */
  readonly value: string;
  /** 1 for the user's first key, then counting up. */
  readonly serial: number;
  readonly madeAt: number;
  expiresAt: number;
}

/** A key for what a user and the app's server say to each other. */
export interface EncryptKey {
  /** 1 for the user's first key, then counting up. */
  readonly version: number;
  /** 16 bytes in base64. */
  readonly value: string;
  /** 16 characters of ASCII. */
  readonly iv: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** An access_token of a user. */
export interface UserToken {
  readonly value: string;
  expiresAt: number;
  /** When it was revoked before its end. Infinity while it was not. */
  revokedAt: number;
}

/** A user's consent to an app, and its tokens. */
export interface Grant {
  readonly user: User;
  readonly scope: string;
  /** The user saw a snapshot of the page, so its identity here is a throw-away one. */
  readonly snapshot: boolean;
  readonly grantedAt: number;
  /** The end of the refresh_token; nothing prolongs it. */
  readonly refreshExpiresAt: number;
  refreshToken: string;
  /** The latest access_token. */
  token: UserToken;
  /** The user's counts when it consented; a later change voids the consent. */
  readonly passwordChanges: number;
  readonly withdrawals: number;
}

/** A user of one app, and what the platform keeps of it. */
export interface User {
  readonly appid: string;
  readonly openid: string;
  /** What codes and control call the user; undefined when it is known by its openid alone. */
  name: string | undefined;
  /** The unionid that was given through control; else it is derived from the open platform account. */
  givenUnionid: string | undefined;
  /** The phone number that was given through control. */
  givenPhoneNumber: string | undefined;
  /** A high-risk user: its codes are refused with 40226. */
  blocked: boolean;
  session: SessionKey | undefined;
  sessionSerial: number;
  /** The three latest, newest first. */
  encryptKeys: EncryptKey[];
  /** The latest consents, newest first. */
  grants: Grant[];
  /** Access and refresh tokens made so far, for telling their texts apart. */
  tokenSerial: number;
  /** How often the password was changed; consents given before the last time are void. */
  passwordChanges: number;
  /** How often the user withdrew its consent from the app. */
  withdrawals: number;
  readonly logins: Usage;
}

/** A user who has done nothing yet. */
export function createUser(appid: string, openid: string, name: string | undefined): User {
  return {
    appid,
    openid,
    name,
    givenUnionid: undefined,
    givenPhoneNumber: undefined,
    blocked: false,
    session: undefined,
    sessionSerial: 0,
    encryptKeys: [],
    grants: [],
    tokenSerial: 0,
    passwordChanges: 0,
    withdrawals: 0,
    logins: unused(),
  };
}
