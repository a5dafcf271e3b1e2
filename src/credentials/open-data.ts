import { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { App } from '../platforms/platform.ts';
import { decryptOpenData, matchesRawData } from '../platforms/weixin-signatures.ts';
import type { UserSessions } from './credentials.ts';

/** Which session key fitted: the current one, or the one that a login has since replaced. */
export type SessionAge = 'current' | 'previous';

/** Uses the session keys of users on what their mini programs were given, and shows no key to anybody. */
export interface OpenData {
  /**
   * What a mini program was given encrypted; `encryptedData` and `iv` are base64. Its watermark has been
   * checked to name the app. Throws BridgeError: LOGIN_REQUIRED when no session is kept;
   * REQUEST_MALFORMED when the data is no such thing, belongs to another app, or opens with no key that is kept.
   */
  decrypt(
    app: App,
    openid: string,
    input: { readonly encryptedData: string; readonly iv: string },
  ): Promise<{ readonly data: Readonly<Record<string, unknown>>; readonly session: SessionAge }>;
  /**
   * Which session key signed `rawData`, undefined when none that is kept did: then it is not what the
   * platform gave this user. Throws LOGIN_REQUIRED when no session is kept.
   */
  verify(
    app: App,
    openid: string,
    input: { readonly rawData: string; readonly signature: string },
  ): Promise<SessionAge | undefined>;
}

/** Makes it. Data made just before a login still fits, as the key before is tried second while it is kept. */
export function createOpenData({ sessions }: { readonly sessions: Pick<UserSessions, 'keys'> }): OpenData {
  return {
    async decrypt(app, openid, { encryptedData, iv }) {
      for (const { key, session } of aged(await sessions.keys(app, openid))) {
        const data = unlessAnotherKey(() => decryptOpenData(key, { encryptedData, iv, appid: app.appid }));
        if (data !== undefined) return { data, session };
      }
      throw new BridgeError(
        'REQUEST_MALFORMED',
        'encryptedData does not open with iv and the session that is kept of this user',
        {
          hint: 'it was made under another session: call wx.login first, send its code to /v1/sessions/login, then get the data anew; see that iv belongs to it and openid is whose it is',
        },
      );
    },
    async verify(app, openid, { rawData, signature }) {
      const signer = aged(await sessions.keys(app, openid)).find(({ key }) =>
        matchesRawData(key, rawData, signature),
      );
      return signer?.session;
    },
  };
}

function aged(keys: readonly Secret[]): readonly { readonly key: Secret; readonly session: SessionAge }[] {
  return keys.map((key, at) => ({ key, session: at === 0 ? 'current' : 'previous' }));
}

/** Undefined when this key does not open the data but another may; what no key can mend is thrown on. */
function unlessAnotherKey<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'CREDENTIAL_UNAVAILABLE') return undefined;
    throw error;
  }
}
