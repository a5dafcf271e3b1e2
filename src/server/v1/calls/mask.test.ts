import { expect, test } from 'vitest';
import { Secret } from '../../../base/secret.ts';
import { maskSecrets } from './mask.ts';

const token = new Secret('80_canary+/token==');

test.each([
  ['/wxa/x?access_token=abc&lang=zh', '/wxa/x?access_token=***&lang=zh'],
  ['/wxa/x?lang=zh&access_token=abc', '/wxa/x?lang=zh&access_token=***'],
  [
    'https://h/sns/jscode2session?appid=wx&secret=s&js_code=c',
    'https://h/sns/jscode2session?appid=wx&secret=***&js_code=***',
  ],
  ['access_token=abc#x', 'access_token=***#x'],
  ['/x?ACCESS_TOKEN=abc', '/x?ACCESS_TOKEN=***'],
  ['/x?my_access_token_hint=abc', '/x?my_access_token_hint=abc'],
  ['{"errcode":0,"session_key": "a\\"b","openid":"o"}', '{"errcode":0,"session_key": "***","openid":"o"}'],
  ['{"errcode":40001,"code":"0a1"}', '{"errcode":40001,"code":"***"}'],
  ['the token 80_canary+/token== stands free', 'the token *** stands free'],
  ['/x?t=80_canary%2B%2Ftoken%3D%3D', '/x?t=***'],
  ['', ''],
])('%s', (text, masked) => {
  expect(maskSecrets(text, token)).toBe(masked);
});

test('a token that has been renewed since is known by its fingerprint', () => {
  const former = new Secret('79_canary-of_the-day-before');
  const told = `{"b":"${former.reveal()}","u":"/x?t=${former.reveal()}&a=1"} 79_canary-of_another-day`;
  expect(maskSecrets(told, token, former.fingerprint)).toBe(
    '{"b":"***","u":"/x?t=***&a=1"} 79_canary-of_another-day',
  );
});
