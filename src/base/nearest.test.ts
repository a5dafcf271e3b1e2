import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const PLATFORMS = ['weixin-mp', 'weixin-h5', 'weixin-web', 'weixin-app', 'qq-mp', 'qq-app'];

test.each([
  ['weixin-mp', 'weixin-mp'],
  ['Weixin-MP', 'weixin-mp'],
  ['mp-weixin', 'weixin-mp'],
  ['app-qq', 'qq-app'],
  ['weixn-h5', 'weixin-h5'],
  ['weixin-appp', 'weixin-app'],
  ['alipay', undefined],
  ['', undefined],
])('%j is taken for %j', (word, meant) => {
  expect(nearest(word, PLATFORMS)).toBe(meant);
});

test('among no candidates none is near', () => {
  expect(nearest('word', [])).toBeUndefined();
});

test('a word with one letter wrong in eight or more is found among words that are far apart', () => {
  const words = ['getAccessToken', 'removeTicket', 'updateEncryptKey'];
  fc.assert(
    fc.property(fc.constantFrom(...words), fc.nat(), fc.constantFrom('_', '7', 'Z'), (word, at, letter) => {
      const place = at % word.length;
      expect(nearest(word.slice(0, place) + letter + word.slice(place + 1), words)).toBe(word);
      expect(nearest(word.slice(0, place) + word.slice(place + 1), words)).toBe(word);
    }),
  );
});
