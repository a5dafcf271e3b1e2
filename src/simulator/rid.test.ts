import { expect, test } from 'vitest';
import { maskSecrets } from './rid.ts';

test.each([
  [
    '/oauth2.0/token?client_id=1&client_secret=canary&code=canary',
    '/oauth2.0/token?client_id=1&client_secret=***&code=***',
  ],
  [
    '/sns/oauth2/refresh_token?appid=a&refresh_token=canary',
    '/sns/oauth2/refresh_token?appid=a&refresh_token=***',
  ],
  ['{"session_key":"can\\"ary","openid":"o"}', '{"session_key":"***","openid":"o"}'],
  ['{"encrypt_key": "canary"}', '{"encrypt_key": "***"}'],
])('%s is logged as %s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked);
});
