import { BridgeError } from '../base/errors.ts';
import type { AppValues } from './authority.ts';
import type { CredentialRef, CredentialValues, ValueReading } from './credentials.ts';
import type { EncryptKeys } from './encrypt-keys.ts';
import { isPushed, isUserKind, pushedIn, requireKind } from './plans.ts';
import type { SessionKeys } from './session-keys.ts';
import type { UserRows } from './user-rows.ts';
import type { UserTokens } from './user-tokens.ts';
import { type Held, storedObject } from './vault.ts';

/** What values come from. */
export interface ValueDeps {
  readonly appValues: AppValues;
  readonly rows: UserRows;
  readonly userTokens: UserTokens;
  readonly sessionKeys: SessionKeys;
  readonly encryptKeys: EncryptKeys;
}

/** Makes the one door to whole stored values, whatever their kind. */
export function createCredentialValues(deps: ValueDeps): CredentialValues {
  const { appValues, rows, userTokens, sessionKeys, encryptKeys } = deps;

  async function getApp(ref: CredentialRef, obtain: boolean): Promise<ValueReading> {
    const held = obtain && !isPushed(ref) ? await appValues.hold(ref) : await appValues.peek(ref);
    return held === undefined ? { state: 'absent' } : readingOf(held);
  }

  return {
    async get(ref, { obtain = true } = {}) {
      requireName(ref);
      switch (ref.kind) {
        case 'session-key':
          return sessionKeys.get(ref);
        case 'user-access-token':
          return userTokens.get(ref, obtain);
        case 'encrypt-key':
          return encryptKeys.get(ref, obtain);
        default:
          return getApp(ref, obtain);
      }
    },
    async set(ref, value, expiresAt) {
      requireName(ref);
      switch (ref.kind) {
        case 'session-key':
          return sessionKeys.set(ref, value, expiresAt);
        case 'user-access-token':
          return userTokens.set(ref, value, expiresAt);
        case 'encrypt-key':
          return encryptKeys.set(ref, value, expiresAt);
        default:
          return appValues.put(ref, value, expiresAt);
      }
    },
    async remove(ref) {
      requireName(ref);
      return isUserKind(ref.kind) ? rows.remove(ref) : appValues.remove(ref);
    },
    async update(ref) {
      requireName(ref);
      if (ref.kind === 'encrypt-key') return encryptKeys.update(ref);
      if (isUserKind(ref.kind)) {
        throw new BridgeError('CREDENTIAL_UNSUPPORTED', `a ${ref.kind} is not asked for anew`, {
          hint: 'it comes with a login of its user',
        });
      }
      if (isPushed(ref)) throw pushedIn(ref);
      return appValues.anew(ref);
    },
  };
}

/** Throws when a ref lacks what its kind is named by, or its platform has no such kind. */
function requireName(ref: CredentialRef): void {
  requireKind(ref);
  const userLevel = isUserKind(ref.kind);
  if (userLevel !== (ref.openid !== undefined && ref.openid !== '')) {
    throw new BridgeError(
      'REQUEST_MALFORMED',
      userLevel ? `a ${ref.kind} needs the openid of its user` : `a ${ref.kind} belongs to no user`,
    );
  }
}

function readingOf(held: Held): ValueReading {
  return { state: 'usable', value: storedObject(held), expiresAt: held.credential.expiresAt };
}
