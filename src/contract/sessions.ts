import { z } from 'zod';

/** How an app is named in a request. */
export const appName = z.string().min(1).max(128).describe('appid or configured name of the app');

/** The platforms write openids with letters, digits, `_` and `-` alone. */
export const openidText = z
  .string()
  .regex(/^[\w-]{1,128}$/, 'must be an openid: 1 to 128 letters, digits, "_" or "-"')
  .describe('the user, as the login named it');

/** A login code as a mini program or a browser brought it. */
export const loginRequest = z
  .strictObject({
    appid: appName,
    code: z
      .string()
      .min(1)
      .max(512)
      .describe('from wx.login, or the code that the authorisation page sent back; good for one login'),
    redirect_uri: z
      .url()
      .max(2048)
      .optional()
      .describe('what the code was asked for with; QQ Connect wants it again'),
  })
  .meta({ id: 'LoginRequest' });

/** Who logged in. The session key or token that came with it stays here. */
export const login = z
  .object({
    openid: z.string(),
    unionid: z.string().nullable().describe('null when the app is bound to no open platform account'),
    scope: z.string().nullable().describe('what the user agreed to; null for mini programs'),
    snapshot: z
      .boolean()
      .describe(
        'a throw-away identity, given to users who only look at a page: do not make an account of it',
      ),
  })
  .meta({ id: 'Login' });

/** Names the session of one user in one app. */
export const sessionSelector = z
  .strictObject({ appid: appName, openid: openidText })
  .meta({ id: 'SessionSelector' });

/** The platform's word on the session that is kept. */
export const sessionVerdict = z
  .object({
    valid: z.boolean(),
    errcode: z.number().int().describe("the platform's: 0, or why it is not valid"),
    errmsg: z.string(),
  })
  .meta({ id: 'SessionVerdict' });

export const sessionReset = z.strictObject({}).meta({ id: 'SessionReset' });

/** Which of the two session keys that are kept fitted. */
export const sessionAge = z
  .enum(['current', 'previous'])
  .describe('previous: the data was made before the latest login');
