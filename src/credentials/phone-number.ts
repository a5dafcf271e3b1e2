import { BridgeError } from '../base/errors.ts';
import { incompleteAnswer, textIn } from '../platforms/answer-fields.ts';
import type { App } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { CallPlatform } from './credentials.ts';
import { refusedCall } from './refused-call.ts';

const CODE_HINT =
  'have the user press the phone number button again: its code (event.detail.code, not one of wx.login) works once and for 5 minutes';

/** The platform's `phone_info`, as it stands. */
export interface PhoneInfo {
  readonly [field: string]: unknown;
  /** With the country code when it is a foreign one. */
  readonly phoneNumber: string;
  readonly purePhoneNumber: string;
  readonly countryCode: string;
}

/** Phone numbers of users. Source: the platform's page getPhoneNumber. */
export interface PhoneNumbers {
  /**
   * The number behind the code of a phone number button, which works once. Throws BridgeError
   * CREDENTIAL_UNSUPPORTED when the app's platform has no such codes, and what the platform refuses as
   * `refusedCall` words it.
   */
  get(app: App, code: string): Promise<PhoneInfo>;
}

/** Makes it. */
export function createPhoneNumbers({ callPlatform }: { readonly callPlatform: CallPlatform }): PhoneNumbers {
  return {
    async get(app, code) {
      const request = platformOf(app.platform).sessions?.phoneNumber;
      if (request === undefined) {
        throw new BridgeError(
          'CREDENTIAL_UNSUPPORTED',
          `${app.name} (${app.platform}) has no codes for phone numbers`,
          { hint: 'only mini programs of WeChat (weixin-mp) have them; name one of those' },
        );
      }
      const answer = await callPlatform(app, accessToken => request(accessToken, code));
      if (!answer.ok) throw refusedCall(app, answer.refusal, CODE_HINT);
      return readPhoneInfo(answer.body['phone_info']);
    },
  };
}

function readPhoneInfo(info: unknown): PhoneInfo {
  if (typeof info !== 'object' || info === null) throw incompleteAnswer('phone_info');
  const fields = info as Readonly<Record<string, unknown>>;
  return {
    ...fields,
    phoneNumber: textIn(fields, 'phoneNumber'),
    purePhoneNumber: textIn(fields, 'purePhoneNumber'),
    countryCode: textIn(fields, 'countryCode'),
  };
}
