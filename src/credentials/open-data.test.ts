import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { App } from '../platforms/platform.ts';
import { createOpenData, type OpenData } from './open-data.ts';

const OPENID = 'oGZUI0egBJY1zhBYw2KhdUfwVJJE';

/** The platform's published example. */
const PUBLISHED = {
  appid: 'wx4f4bc4dec97d474b',
  sessionKey: 'tiihtNczf5v6AKRyjwEUhQ==',
  iv: 'r7BXXKkLb8qrSNn05n0qiA==',
  encryptedData:
    'CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+' +
    '3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6' +
    '/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs' +
    '8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns' +
    '/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG' +
    '20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==',
};

/** The platform's published example of signed data. */
const SIGNED = {
  sessionKey: 'HyVFkGl5F5OQWJZZaNzBBg==',
  rawData:
    '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}',
  signature: '75e81ceda165f4ffa64f4068af58c64b8f54b88c',
};

const ANOTHER_KEY = 'o0q0otL8aEzpcZL/FT9WsQ==';

function appOf(appid: string): App {
  return {
    name: 'shop',
    platform: 'weixin-mp',
    appid,
    secret: new Secret('secret-of-the-app'),
    managed: true,
    dcloudAppid: undefined,
    default: false,
    tokenMode: 'stable',
    renews: [],
  };
}

const SHOP = appOf(PUBLISHED.appid);

/** Open data over sessions that keep these keys, the current one first. */
function over(...keys: readonly string[]): OpenData {
  return createOpenData({ sessions: { keys: async () => keys.map(key => new Secret(key)) } });
}

/** What a mini program would be given, encrypted under a session key. */
function encrypted(sessionKey: string, text: string): { encryptedData: string; iv: string } {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv);
  const data = Buffer.concat([cipher.update(text), cipher.final()]);
  return { encryptedData: data.toString('base64'), iv: iv.toString('base64') };
}

async function failureOf(pending: Promise<unknown>): Promise<BridgeError> {
  const error = await pending.then(
    () => undefined,
    caught => caught,
  );
  if (error instanceof BridgeError) return error;
  throw new Error('it did not fail with a BridgeError', { cause: error });
}

describe('decrypting open data', () => {
  it("decrypts the platform's example", async () => {
    expect(await over(PUBLISHED.sessionKey).decrypt(SHOP, OPENID, PUBLISHED)).toEqual({
      session: 'current',
      data: expect.objectContaining({
        openId: OPENID,
        nickName: 'Band',
        unionId: 'ocMvos6NjeKLIBqg5Mr9QjxrP1FA',
        watermark: { timestamp: 1477314187, appid: PUBLISHED.appid },
      }),
    });
  });

  it('tries the key of the session before second, and says so', async () => {
    const { session, data } = await over(ANOTHER_KEY, PUBLISHED.sessionKey).decrypt(SHOP, OPENID, PUBLISHED);
    expect(session).toBe('previous');
    expect(data['openId']).toBe(OPENID);
  });

  it('gives back whatever was encrypted, under either key', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.boolean(),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        async (fields, underPrevious, bytes) => {
          const key = Buffer.from(bytes).toString('base64');
          const given = { ...fields, watermark: { timestamp: 1, appid: SHOP.appid } };
          const keys = underPrevious ? [ANOTHER_KEY, key] : [key, ANOTHER_KEY];
          const opened = await over(...keys).decrypt(SHOP, OPENID, encrypted(key, JSON.stringify(given)));
          expect(opened.data).toEqual(JSON.parse(JSON.stringify(given)));
          expect(opened.session).toBe(underPrevious && key !== ANOTHER_KEY ? 'previous' : 'current');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('says what to do when no key that is kept opens it, and shows none', async () => {
    const error = await failureOf(over(ANOTHER_KEY, SIGNED.sessionKey).decrypt(SHOP, OPENID, PUBLISHED));
    expect(error.code).toBe('REQUEST_MALFORMED');
    expect(error.hint).toContain('/v1/sessions/login');
    for (const key of [ANOTHER_KEY, SIGNED.sessionKey]) expect(everythingAbout(error)).not.toContain(key);
  });

  it('has the same words for bad padding and for text that is no JSON', async () => {
    const badPadding = await failureOf(over(ANOTHER_KEY).decrypt(SHOP, OPENID, PUBLISHED));
    const noJson = await failureOf(
      over(ANOTHER_KEY).decrypt(SHOP, OPENID, encrypted(ANOTHER_KEY, 'this is no JSON')),
    );
    expect({ ...noJson, message: noJson.message }).toEqual({ ...badPadding, message: badPadding.message });
  });

  it('refuses data of another app, without trying further keys', async () => {
    const error = await failureOf(
      over(PUBLISHED.sessionKey, ANOTHER_KEY).decrypt(appOf('wx00000000000000a1'), OPENID, PUBLISHED),
    );
    expect(error).toMatchObject({
      code: 'REQUEST_MALFORMED',
      message: expect.stringContaining(PUBLISHED.appid),
    });
  });

  it.each([
    ['iv of 15 bytes', { iv: randomBytes(15).toString('base64') }, 'iv is 15 bytes'],
    ['iv that is no base64', { iv: 'r7BXXKkLb8qrSNn05n0qi' }, 'iv is not base64'],
    ['data whose + became a space', { encryptedData: 'CiyL U1A' }, 'encryptedData is not base64'],
    ['half a block', { encryptedData: randomBytes(24).toString('base64') }, 'whole number of blocks'],
  ])('names what is wrong with %s', async (_what, change, message) => {
    const error = await failureOf(
      over(PUBLISHED.sessionKey).decrypt(SHOP, OPENID, { ...PUBLISHED, ...change }),
    );
    expect(error).toMatchObject({ code: 'REQUEST_MALFORMED', message: expect.stringContaining(message) });
  });

  it('tells as it is that no session is kept', async () => {
    const missing = new BridgeError('CREDENTIAL_UNAVAILABLE', 'no session_key', { hint: 'log in' });
    const openData = createOpenData({ sessions: { keys: () => Promise.reject(missing) } });
    await expect(openData.decrypt(SHOP, OPENID, PUBLISHED)).rejects.toBe(missing);
    await expect(openData.verify(SHOP, OPENID, SIGNED)).rejects.toBe(missing);
  });
});

describe('verifying raw data', () => {
  it("accepts the platform's example under either key", async () => {
    expect(await over(SIGNED.sessionKey).verify(SHOP, OPENID, SIGNED)).toBe('current');
    expect(await over(ANOTHER_KEY, SIGNED.sessionKey).verify(SHOP, OPENID, SIGNED)).toBe('previous');
    const upper = { ...SIGNED, signature: SIGNED.signature.toUpperCase() };
    expect(await over(SIGNED.sessionKey).verify(SHOP, OPENID, upper)).toBe('current');
  });

  it.each([
    ['another key', ANOTHER_KEY, SIGNED],
    [
      'a changed character',
      SIGNED.sessionKey,
      { ...SIGNED, rawData: SIGNED.rawData.replace('Band', 'Bond') },
    ],
    ['a changed signature', SIGNED.sessionKey, { ...SIGNED, signature: `0${SIGNED.signature.slice(1)}` }],
    ['a signature that is none', SIGNED.sessionKey, { ...SIGNED, signature: '' }],
  ])('does not accept %s', async (_what, key, data) => {
    expect(await over(key).verify(SHOP, OPENID, data)).toBeUndefined();
  });
});
