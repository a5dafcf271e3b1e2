import { z } from 'zod';
import { appName } from './sessions.ts';

/** The code of a phone number button, not one of wx.login. */
export const phoneNumberCode = z
  .strictObject({
    appid: appName,
    code: z
      .string()
      .min(1)
      .max(512)
      .describe('event.detail.code of bindgetphonenumber: good once, for 5 minutes'),
  })
  .meta({ id: 'PhoneNumberCode' });

/** The platform's `phone_info`, as it stands. */
export const phoneNumber = z
  .looseObject({
    phoneNumber: z.string().describe('with the country code when it is a foreign one'),
    purePhoneNumber: z.string().describe('without the country code'),
    countryCode: z.string(),
  })
  .meta({ id: 'PhoneNumber' });
