import { ok } from '../answers.ts';
import { type AccountApi, need, secondsOf } from '../call.ts';
import { lookUpCode, type RefusalCodes } from './login.ts';

/** A code that was used or is too old is as unknown as any other text. */
const PHONE_REFUSALS: RefusalCodes = { unknown: 40029, used: 40029, expired: 40029, blocked: 40226 };

/** POST /wxa/business/getuserphonenumber, page getPhoneNumber; the code is one-shot and not a login's. */
const getPhoneNumber: AccountApi = call => {
  const { account, fields, now } = call;
  const code = lookUpCode(account, 'phone', need(fields, 'code', 40029), now, PHONE_REFUSALS);
  account.users.codes.spend(code);
  const number = account.users.phoneNumberOf(code.user);
  const watermark = { timestamp: secondsOf(call), appid: account.appid };
  return ok({ phone_info: { phoneNumber: number, purePhoneNumber: number, countryCode: '86', watermark } });
};

export const phoneApis: Record<string, AccountApi> = {
  '/wxa/business/getuserphonenumber': getPhoneNumber,
};
