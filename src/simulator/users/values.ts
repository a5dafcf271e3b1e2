import type { AccountType } from '../account-types.ts';
import type { MintedKind, OnMint } from '../options.ts';
import type { Derived } from '../random.ts';
import { type Site, siteOfType } from '../sites.ts';
import type { User } from './user.ts';

const CODE_LENGTH = 32;

/** The texts of one account's users and their credentials, each in the form that its platform gives it. */
export interface UserValues {
  openid(name: string): string;
  unionid(openPlatform: string, user: User): string;
  phoneNumber(user: User): string;
  code(serial: number): string;
  sessionKey(user: User): (serial: number) => string;
  encryptKey(user: User): (version: number) => { value: string; iv: string };
  tokens(user: User): { access(serial: number): string; refresh(serial: number): string };
}

/** What a user is the same by in all apps. */
const personOf = ({ name, openid }: User): string => name ?? openid;

/** Makes the texts from the seed, and tells of each; `type` is asked at each use. */
export function createUserValues(
  appid: string,
  type: () => AccountType,
  derived: Derived,
  onMint: OnMint,
): UserValues {
  const minted = (kind: MintedKind, value: string): string => {
    onMint(kind, value);
    return value;
  };
  const siteIs = (site: Site): boolean => siteOfType(type()) === site;
  const upperHex = (...parts: (string | number)[]): string => derived.hex(32, ...parts).toUpperCase();
  return {
    openid: name =>
      minted('openid', siteIs('weixin') ? derived.openid(appid, name) : upperHex('openid', appid, name)),
    unionid(openPlatform, user) {
      const parts = ['unionid', openPlatform, personOf(user)];
      const unionid = siteIs('weixin') ? `o${derived.text(27, ...parts)}` : `UID_${upperHex(...parts)}`;
      return minted('unionid', unionid);
    },
    phoneNumber(user) {
      const digits = derived.bytes(2, 'phone', personOf(user)).readUInt16BE(0) % 10_000;
      return minted('phone-number', `1380000${String(digits).padStart(4, '0')}`);
    },
    code: serial =>
      minted(
        'code',
        siteIs('weixin') ? derived.text(CODE_LENGTH, 'code', appid, serial) : upperHex('code', appid, serial),
      ),
    sessionKey: user => serial => {
      const parts = ['session_key', appid, user.openid, serial] as const;
      // Keys of QQ have been seen to be 16 letters and digits in base64, those of WeChat any 16 bytes.
      const bytes = siteIs('weixin') ? derived.bytes(16, ...parts) : Buffer.from(derived.hex(16, ...parts));
      return minted('session-key', bytes.toString('base64'));
    },
    encryptKey: user => version => ({
      value: minted(
        'encrypt-key',
        derived.bytes(16, 'encrypt_key', appid, user.openid, version).toString('base64'),
      ),
      iv: derived.hex(16, 'iv', appid, user.openid, version),
    }),
    tokens(user) {
      const make = (kind: MintedKind, name: string) => (serial: number) => {
        const parts = [name, appid, user.openid, serial] as const;
        return minted(kind, siteIs('weixin') ? derived.token(...parts) : upperHex(...parts));
      };
      return { access: make('user-access-token', 'user'), refresh: make('refresh-token', 'refresh') };
    },
  };
}
