import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import { type S2sHash, s2sDigest, s2sPayload } from './s2s-payload.ts';

const SIGN_KEY = new Secret('q0etb3cl0s8mrlfdqp33ist1ou0r97pg');

test.each([
  [{}, ''],
  [{ b: 2, a: 1, arr: [1, 2] }, 'a=1&b=2'],
  [{ dcloudAppid: '__UNI__ABC1234', platform: 'weixin-mp' }, 'dcloudAppid=__UNI__ABC1234&platform=weixin-mp'],
  [{ value: { access_token: 'T' }, expiresIn: 7200 }, 'expiresIn=7200'],
  [{ none: null, missing: undefined, yes: true, no: false, empty: '' }, 'empty=&no=false&yes=true'],
  [{ Z: 1, a: 2, _: 3, 10: 4, 9: 5 }, '10=4&9=5&Z=1&_=3&a=2'],
  [{ '\ud83d\ude00': 1, '\uffff': 2 }, '\ud83d\ude00=1&\uffff=2'],
  [{ a: 'x&b=y z%20ä' }, 'a=x&b=y z%20ä'],
  [{ big: 1e21, small: 1.5, zero: -0 }, 'big=1e+21&small=1.5&zero=0'],
])('the payload of %j is %j', (data, payload) => {
  expect(s2sPayload(data)).toBe(payload);
});

const scalar = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean());
const nested = fc.oneof(fc.array(scalar), fc.dictionary(fc.string(), scalar), fc.constant(null));

test('only top-level scalars count, in whatever order they are given', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(scalar, nested)), fc.nat(), (data, turn) => {
      const entries = Object.entries(data);
      const at = entries.length === 0 ? 0 : turn % entries.length;
      const turned = Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)]);
      const scalars = Object.fromEntries(entries.filter(([, value]) => typeof value !== 'object'));
      expect(s2sPayload(turned)).toBe(s2sPayload(scalars));
    }),
  );
});

test('every scalar is in it, by the names in ascending order', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.stringMatching(/^[^&=]*$/)), data => {
      const payload = s2sPayload(data);
      const pairs = payload === '' ? [] : payload.split('&').map(pair => pair.split('='));
      expect(Object.fromEntries(pairs)).toEqual({ ...data });
      const names = pairs.map(([name = '']) => name);
      expect(names).toEqual([...names].sort());
    }),
  );
});

test.each<[S2sHash, string]>([
  ['md5', '47935a0283e141644aa5045cdfa51d83'],
  ['sha1', 'aff9b936fd7c478e2c35d7b529d961152b6ffee5'],
  ['sha256', 'af0ab0ba174b67219ebd946a5a7e0f5892a6e820fcee64cc4672089582fc0fc2'],
  ['hmac-sha256', '5c02499d2c45876ceb60635311f2368f672964f0555c08d05d76cb6361d92dd4'],
])('the documented example, with %s', (hash, digest) => {
  const payload = s2sPayload({ b: 2, a: 1, arr: [1, 2, 3] });
  expect(s2sDigest(hash, SIGN_KEY, '1677743381925', payload)).toBe(digest);
});

test.each([
  [
    { dcloudAppid: '__UNI__ABC1234', platform: 'weixin-mp' },
    '5e45a9610b67c7de1c7e495d848688a748c4881ef866021490d59149a35b745e',
  ],
  [
    {
      dcloudAppid: '__UNI__ABC1234',
      platform: 'weixin-mp',
      value: { access_token: 'T' },
      expiresIn: 7200,
    },
    'dfbc7797ea3ab47556e2444a091133180a985069360ca0e9f0500adcf91cd522',
  ],
])('a call of uni-open-bridge: %j', (data, digest) => {
  expect(s2sDigest('hmac-sha256', SIGN_KEY, '1700000000000', s2sPayload(data))).toBe(digest);
});
