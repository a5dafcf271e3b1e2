import type { CallPlatform, UserSessions } from '../../credentials/credentials.ts';
import { createJsSdk } from '../../credentials/js-sdk.ts';
import { createOpenData } from '../../credentials/open-data.ts';
import { createPhoneNumbers } from '../../credentials/phone-number.ts';
import type { Handlers } from '../control.ts';
import type { HandlerDeps } from './deps.ts';
import { signCardsToChoose, signCardToAdd } from './js-sdk/cards.ts';
import { signPage } from './js-sdk/page.ts';
import { decryptOpenData } from './open-data/decrypt.ts';
import { verifyRawData } from './open-data/verify.ts';
import { getPhoneNumber } from './phone-number.ts';
import { checkSession } from './sessions/check.ts';
import { loginUser } from './sessions/login.ts';
import { resetSession } from './sessions/reset.ts';

/** What using credentials on behalf of callers works with. */
export interface SecretlessDeps extends HandlerDeps {
  readonly sessions: UserSessions;
  readonly callPlatform: CallPlatform;
  /** That many random bytes in hex. */
  readonly randomHex: (bytes: number) => string;
}

/** The routes that use session keys, tickets and tokens for callers and show them none. */
export type SecretlessRoute =
  | 'loginUser'
  | 'checkSession'
  | 'resetSession'
  | 'decryptOpenData'
  | 'verifyRawData'
  | 'signPage'
  | 'signCardToAdd'
  | 'signCardsToChoose'
  | 'getPhoneNumber';

/** Their handlers. */
export function secretlessHandlers(deps: SecretlessDeps): Pick<Handlers, SecretlessRoute> {
  const { sessions, callPlatform } = deps;
  const openData = { ...deps, openData: createOpenData({ sessions }) };
  const jsSdk = { ...deps, jsSdk: createJsSdk(deps) };
  return {
    loginUser: loginUser(deps),
    checkSession: checkSession(deps),
    resetSession: resetSession(deps),
    decryptOpenData: decryptOpenData(openData),
    verifyRawData: verifyRawData(openData),
    signPage: signPage(jsSdk),
    signCardToAdd: signCardToAdd(jsSdk),
    signCardsToChoose: signCardsToChoose(jsSdk),
    getPhoneNumber: getPhoneNumber({ ...deps, phoneNumbers: createPhoneNumbers({ callPlatform }) }),
  };
}
