import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type S2sSettings, verifyS2s } from '../access/s2s.ts';
import { replaysInMemory } from '../access/s2s-replays.fixture.ts';
import { Secret } from '../base/secret.ts';
import { createSecureHeaders, type S2sConfig } from './secure-headers.ts';

const KEY = 'q0etb3cl0s8mrlfdqp33ist1ou0r97pg';
const NOW = 1_700_000_000_000;
const sign: S2sConfig = { type: 'sign', signKey: KEY };

test('signs as the module for uniCloud does', () => {
  const data = { dcloudAppid: '__UNI__ABC1234', platform: 'weixin-mp' };
  const headers = createSecureHeaders(() => NOW)({ data, s2s: sign });
  expect(headers).toEqual({
    'Unicloud-S2s-Timestamp': String(NOW),
    'Unicloud-S2s-Signature': 'hmac-sha256 5e45a9610b67c7de1c7e495d848688a748c4881ef866021490d59149a35b745e',
  });
});

test('a connect code is sent as it is', () => {
  const headers = createSecureHeaders(() => NOW)({ s2s: { type: 'connectCode', connectCode: 'code-1' } });
  expect(headers).toEqual({ 'Unicloud-S2s-Authorization': 'CONNECTCODE code-1' });
});

test('what is signed is accepted, once each, however many are signed in one millisecond', async () => {
  const getSecureHeaders = createSecureHeaders(() => NOW);
  const replays = replaysInMemory(() => NOW);
  const settings: S2sSettings = {
    type: 'sign',
    signKey: new Secret(KEY),
    hashMethod: 'hmac-sha256',
    quirks: [],
    toleranceMs: 60_000,
  };
  const data = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 });
  await fc.assert(
    fc.asyncProperty(data, async body => {
      const headers = {
        ...getSecureHeaders({ data: body, s2s: { ...sign } }),
        'Content-Type': 'application/json',
      };
      const request = { method: 'POST', headers, body: JSON.stringify(body), now: NOW };
      await expect(verifyS2s(settings, request, replays)).resolves.toBeUndefined();
      await expect(verifyS2s(settings, request, replays)).rejects.toThrow('used before');
    }),
  );
});

test.each([
  [{ s2s: undefined }, 's2s.type must be'],
  [{ s2s: { type: 'connect' } }, 's2s.type must be'],
  [{ s2s: { type: 'sign' } }, 's2s.signKey must be a non-empty string'],
  [{ s2s: { type: 'sign', signKey: 5 } }, 's2s.signKey must be a non-empty string'],
  [{ s2s: { type: 'connectCode', connectCode: '' } }, 's2s.connectCode must be a non-empty string'],
  [{ s2s: { ...sign, hashMethod: 'sha512' } }, 's2s.hashMethod must be one of md5'],
  [{ s2s: sign, data: 'text' }, 'data must be the object'],
  [{ s2s: sign, data: null }, 'data must be the object'],
])('%o is refused', (options, message) => {
  expect(() => createSecureHeaders(() => NOW)(options as never)).toThrow(new RegExp(message));
});
