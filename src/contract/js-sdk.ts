import { z } from 'zod';
import { appName, openidText } from './sessions.ts';

const timestamp = z
  .int()
  .min(1)
  .max(9_999_999_999)
  .optional()
  .describe('seconds since the Unix epoch; now, if left out');

const nonceStr = z
  .string()
  .regex(/^[\w-]{1,32}$/, 'must be 1 to 32 letters, digits, "_" or "-"')
  .optional()
  .describe('a new random one, if left out');

const shortText = z.string().min(1).max(128);

/** A page that is to use the JS-SDK. */
export const pageToSign = z
  .strictObject({
    appid: appName,
    url: z
      .string()
      .max(8192)
      .regex(/^https?:\/\/\S+$/i, 'must be the full address of the page, with http:// or https://')
      .describe('location.href of the page, not encoded again; what follows # is left out of the signature'),
    nonceStr,
    timestamp,
  })
  .meta({ id: 'PageToSign' });

/** What wx.config needs beside jsApiList. */
export const pageSignature = z
  .object({
    appId: z.string(),
    timestamp: z.int(),
    nonceStr: z.string(),
    signature: z.string(),
  })
  .meta({ id: 'PageSignature' });

/** A card that a user is to be offered. */
export const cardToAdd = z
  .strictObject({
    appid: appName,
    cardId: shortText,
    code: shortText.optional().describe('for cards with codes of your own'),
    openid: openidText.optional().describe('the only user who may take it, for cards bound to an openid'),
    nonceStr,
    timestamp,
    fixedBeginTimestamp: z
      .int()
      .min(1)
      .max(9_999_999_999)
      .optional()
      .describe('when the card was taken in a system of yours, in seconds; not signed'),
    outerStr: shortText.optional().describe('where it was taken, told back in the event; not signed'),
  })
  .meta({ id: 'CardToAdd' });

/** One entry of cardList for wx.addCard. */
export const cardEntry = z
  .object({ cardId: z.string(), cardExt: z.string().describe('JSON text, to be passed on as it is') })
  .meta({ id: 'CardEntry' });

/** Which of a user's cards are to be chosen from; what is left out does not narrow the choice. */
export const cardsToChoose = z
  .strictObject({
    appid: appName,
    shopId: shortText.optional(),
    cardType: shortText.optional().describe('such as GROUPON, CASH, DISCOUNT, GIFT, GENERAL_COUPON'),
    cardId: shortText.optional(),
    nonceStr,
    timestamp,
  })
  .meta({ id: 'CardsToChoose' });

/** What wx.chooseCard needs; empty texts stand for what was left out. */
export const cardChoice = z
  .object({
    shopId: z.string(),
    cardType: z.string(),
    cardId: z.string(),
    timestamp: z.int(),
    nonceStr: z.string(),
    signType: z.literal('SHA1'),
    cardSign: z.string(),
  })
  .meta({ id: 'CardChoice' });
