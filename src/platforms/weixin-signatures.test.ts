import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import {
  cardSignature,
  decryptOpenData,
  jsSdkSignature,
  loginStateSignature,
  matchesRawData,
  rawDataSignature,
} from './weixin-signatures.ts';

/** The platform's own example of a signed login state. */
const LOGIN_KEY = new Secret('o0q0otL8aEzpcZL/FT9WsQ==');

test.each([
  ['{"foo":"bar"}', '654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b'],
  ['', '46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128'],
])('the login state signs %j', (message, signature) => {
  expect(loginStateSignature(LOGIN_KEY, message)).toBe(signature);
});

test('a request without a body signs nothing at all', () => {
  expect(loginStateSignature(LOGIN_KEY)).toBe(loginStateSignature(LOGIN_KEY, ''));
  expect(loginStateSignature(LOGIN_KEY)).not.toBe(loginStateSignature(LOGIN_KEY, '{}'));
});

/** The platform's example of data that it signs for a user. */
const RAW_KEY = new Secret('HyVFkGl5F5OQWJZZaNzBBg==');
const RAW_DATA =
  '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}';
const RAW_SIGNATURE = '75e81ceda165f4ffa64f4068af58c64b8f54b88c';

test('the example of rawData', () => {
  expect(rawDataSignature(RAW_KEY, RAW_DATA)).toBe(RAW_SIGNATURE);
  expect(matchesRawData(RAW_KEY, RAW_DATA, RAW_SIGNATURE)).toBe(true);
  expect(matchesRawData(RAW_KEY, RAW_DATA, RAW_SIGNATURE.toUpperCase())).toBe(true);
});

test('rawData is signed as UTF-8', () => {
  // SHA-1 of the UTF-8 bytes, computed with coreutils: printf '%s' '{"nickName":"微信"}K' | sha1sum
  expect(rawDataSignature(new Secret('K'), '{"nickName":"微信"}')).toBe(
    '628864c3e7e3425bb835b0be657d7b225b6df97e',
  );
});

test('anything changed does not match', () => {
  expect(matchesRawData(RAW_KEY, `${RAW_DATA} `, RAW_SIGNATURE)).toBe(false);
  expect(matchesRawData(LOGIN_KEY, RAW_DATA, RAW_SIGNATURE)).toBe(false);
  for (const signature of ['', 'x', RAW_SIGNATURE.slice(1), `${RAW_SIGNATURE}0`, `${RAW_SIGNATURE}\n`]) {
    expect(matchesRawData(RAW_KEY, RAW_DATA, signature)).toBe(false);
  }
});

/** The platform's example of encrypted open data. */
const OPEN_KEY = new Secret('tiihtNczf5v6AKRyjwEUhQ==');
const OPEN_APPID = 'wx4f4bc4dec97d474b';
const OPEN = {
  appid: OPEN_APPID,
  iv: 'r7BXXKkLb8qrSNn05n0qiA==',
  encryptedData:
    'CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==',
};

test('the example of encrypted open data', () => {
  expect(decryptOpenData(OPEN_KEY, OPEN)).toMatchObject({
    openId: 'oGZUI0egBJY1zhBYw2KhdUfwVJJE',
    nickName: 'Band',
    unionId: 'ocMvos6NjeKLIBqg5Mr9QjxrP1FA',
    watermark: { timestamp: 1477314187, appid: OPEN_APPID },
  });
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Encrypts as the platform does, with its key and iv given as bytes. */
function encrypt(key: Uint8Array, iv: Uint8Array, plain: string | Uint8Array): string {
  const cipher = createCipheriv('aes-128-cbc', key, iv);
  return base64(Buffer.concat([cipher.update(plain), cipher.final()]));
}

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('whatever is encrypted for the app is read back', () => {
  fc.assert(
    fc.property(bytes16, bytes16, fc.dictionary(fc.string(), fc.jsonValue()), (key, iv, values) => {
      const data = { ...values, watermark: { appid: 'wx01', timestamp: 1 } };
      const encryptedData = encrypt(key, iv, JSON.stringify(data));
      expect(
        decryptOpenData(new Secret(base64(key)), { encryptedData, iv: base64(iv), appid: 'wx01' }),
      ).toEqual(JSON.parse(JSON.stringify(data)));
    }),
  );
});

test('another key never opens it, and the error says that another key may', () => {
  fc.assert(
    fc.property(bytes16, bytes16, bytes16, (key, other, iv) => {
      fc.pre(base64(key) !== base64(other));
      const plain = JSON.stringify({ a: 1, watermark: { appid: 'wx01' } });
      const encryptedData = encrypt(key, iv, plain);
      const error = faultOf(() =>
        decryptOpenData(new Secret(base64(other)), { encryptedData, iv: base64(iv), appid: 'wx01' }),
      );
      expect(error.code).toBe('CREDENTIAL_UNAVAILABLE');
      expect(error.hint).toContain('another session_key');
    }),
  );
});

function faultOf(work: () => unknown): BridgeError {
  try {
    work();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('expected a BridgeError');
}

const KEY = Buffer.alloc(16, 7);
const IV = Buffer.alloc(16, 9);
const sealed = (plain: string | Uint8Array) => ({
  appid: 'wx01',
  iv: base64(IV),
  encryptedData: encrypt(KEY, IV, plain),
});
const good = sealed('{"watermark":{"appid":"wx01"}}');
const key = new Secret(base64(KEY));

/** Whole blocks, but without the last one, which holds the padding. */
const cut = base64(Buffer.from(sealed('x'.repeat(40)).encryptedData, 'base64').subarray(0, 32));

test.each([
  ['an iv of 15 bytes', { ...good, iv: base64(IV.subarray(1)) }, 'iv is 15 bytes long, not 16'],
  ['an empty iv', { ...good, iv: '' }, 'iv is 0 bytes long'],
  ['an iv that is not base64', { ...good, iv: 'CQkJCQkJCQkJCQkJCQkJC===' }, 'iv is not base64'],
  [
    'an iv whose plus became a blank',
    { ...good, iv: '+QkJCQkJCQkJCQkJCQkJCQ=='.replace('+', ' ') },
    'iv is not base64',
  ],
  ['data that is not base64', { ...good, encryptedData: 'not base64!!' }, 'encryptedData is not base64'],
  ['data for URLs', { ...good, encryptedData: '-_-_'.repeat(8) }, 'encryptedData is not base64'],
  ['data without its padding', { ...good, encryptedData: 'AAA' }, 'encryptedData is not base64'],
  ['no data', { ...good, encryptedData: '' }, 'encryptedData is 0 bytes long'],
  [
    'data that was cut',
    { ...good, encryptedData: base64(KEY.subarray(1)) },
    'encryptedData is 15 bytes long',
  ],
  ['data of another app', { ...good, appid: 'wx02' }, 'encryptedData belongs to wx01, not to wx02'],
  ['data without a watermark', sealed('{"a":1}'), 'carries no watermark'],
  ['a watermark that is none', sealed('{"watermark":"wx01"}'), 'carries no watermark'],
  ['a watermark that names nobody', sealed('{"watermark":{"appid":5}}'), 'carries no watermark'],
] as const)('%s is the fault of who sends it, and no other key will help', (_name, input, message) => {
  const error = faultOf(() => decryptOpenData(key, input));
  expect(error.code).toBe('REQUEST_MALFORMED');
  expect(error.message).toContain(message);
  expect(error.hint).toBeTruthy();
});

test.each([
  ['bad padding', { ...good, encryptedData: cut }],
  ['another iv', { ...good, iv: base64(KEY) }],
  ['text', sealed('hello')],
  ['JSON that is no object', sealed('[1]')],
  ['null', sealed('null')],
  ['bytes that are no text', sealed(Buffer.from('{"a":"\xff","watermark":{"appid":"wx01"}}', 'latin1'))],
])('%s inside gets the same words, lest trying tells one from the other', (_name, input) => {
  const error = faultOf(() => decryptOpenData(key, input));
  const other = faultOf(() => decryptOpenData(new Secret(base64(IV)), good));
  expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', message: other.message, hint: other.hint });
  expect(error.cause).toBeUndefined();
});

test.each([
  ['is not base64', 'canary-canary-canary-c!'],
  ['is too short', 'Y2FuYXJ5'],
  ['is too long', base64(Buffer.alloc(32, 1))],
  ['is empty', ''],
])('a kept session key that %s is told, and not shown', (_name, value) => {
  const error = faultOf(() => decryptOpenData(new Secret(value), good));
  expect(error.code).toBe('CREDENTIAL_UNAVAILABLE');
  expect(error.message).toContain('session_key');
  expect(error.hint).toContain('wx.login');
  if (value !== '') expect(everythingAbout(error)).not.toContain(value);
});

test('no error shows the key, the data or what was inside', () => {
  const canaryKey = randomBytes(16);
  const text = base64(canaryKey);
  const input = {
    appid: 'wx02',
    iv: base64(IV),
    encryptedData: encrypt(canaryKey, IV, '{"phone":"canary-inside","watermark":{"appid":"wx01"}}'),
  };
  const errors = [
    faultOf(() => decryptOpenData(new Secret(text), input)),
    faultOf(() => decryptOpenData(new Secret(text), good)),
  ];
  for (const error of errors) {
    const shown = everythingAbout(error);
    expect(shown).not.toContain(text);
    expect(shown).not.toContain('canary-inside');
    expect(shown).not.toContain(input.encryptedData);
  }
});

/** The example on the page of the JS-SDK. */
const TICKET = new Secret(
  'sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg',
);
const PAGE = {
  noncestr: 'Wm3WZYTPz0wzccnW',
  timestamp: 1414587457,
  url: 'http://mp.weixin.qq.com?params=value',
};
const PAGE_SIGNATURE = '0f9de62fce790f9a083d5c99e95740ceb90c27ed';

test('the example of a page', () => {
  expect(jsSdkSignature(TICKET, PAGE)).toBe(PAGE_SIGNATURE);
});

test.each(['#', '#top', '#/route?a=1', '#a#b'])('a fragment such as %s is not signed', fragment => {
  expect(jsSdkSignature(TICKET, { ...PAGE, url: PAGE.url + fragment })).toBe(PAGE_SIGNATURE);
});

test('everything else of the address is signed as it is', () => {
  for (const url of [`${PAGE.url}&b=%E5%BE%AE`, `${PAGE.url}/`, PAGE.url.replace('http:', 'https:')]) {
    expect(jsSdkSignature(TICKET, { ...PAGE, url })).not.toBe(PAGE_SIGNATURE);
  }
  const encoded = jsSdkSignature(TICKET, { ...PAGE, url: `${PAGE.url}&b=%E5%BE%AE` });
  expect(jsSdkSignature(TICKET, { ...PAGE, url: `${PAGE.url}&b=微` })).not.toBe(encoded);
});

/** The example on the page of cards. */
const CARD_TICKET = new Secret('ojZ8YtyVyr30HheH3CM73y7h4jJE');
const CARD = ['1434008071', '1404896688', 'pjZ8Yt1XGILfi-FUsewpnnolGgZk', '123'];

test('the example of a card, in any order of its values', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(CARD, { minLength: CARD.length }), values => {
      expect(cardSignature(CARD_TICKET, values)).toBe('f137ab68b7f8112d20ee528ab6074564e2796250');
    }),
  );
});

test('an empty value signs nothing', () => {
  expect(cardSignature(CARD_TICKET, ['', ...CARD, ''])).toBe(cardSignature(CARD_TICKET, CARD));
});
