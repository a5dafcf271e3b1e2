import { expect, test } from 'vitest';
import { isLoginSignature } from './login-signature.ts';

const KEY = 'o0q0otL8aEzpcZL/FT9WsQ==';
// The first is the example of the official page.
const OF_BODY = '654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b';
const OF_NOTHING = '46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128';

test.each([
  ['{"foo":"bar"}', OF_BODY, true],
  ['{"foo":"bar"}', OF_BODY.toUpperCase(), true],
  ['', OF_NOTHING, true],
  ['{}', OF_NOTHING, false],
  ['', OF_BODY, false],
  ['', '', false],
  ['', `${OF_NOTHING} `, false],
])('body %j, signature %s: %s', (body, signature, isRight) => {
  expect(isLoginSignature(signature, KEY, Buffer.from(body))).toBe(isRight);
});
