import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { checkKey } from './key.ts';
import type { BridgeKind } from './methods.ts';
import { PLATFORM_MARKS } from './provider-type.ts';

const APP = { dcloudAppid: '__UNI__SHOP01', platform: 'weixin-mp' };
const NONE = { appid: undefined, openid: undefined, version: undefined };

test('a key of an application', () => {
  expect(checkKey('access-token', APP)).toEqual({ ...APP, ...NONE });
  expect(checkKey('access-token', { dcloudAppid: APP.dcloudAppid, provider: 'weixin-mp' })).toEqual({
    ...APP,
    ...NONE,
  });
});

test('provider wins over platform', () => {
  expect(checkKey('ticket', { ...APP, provider: 'weixin-h5', platform: 'weixin-mp' }).platform).toBe(
    'weixin-h5',
  );
  expect(checkKey('ticket', { ...APP, provider: 'weixin-h5', platform: 'nonsense' }).platform).toBe(
    'weixin-h5',
  );
  expect(checkKey('ticket', { ...APP, provider: null }).platform).toBe('weixin-mp');
});

test('an appid alone names an app', () => {
  const key = checkKey('access-token', { appid: 'wx1' });
  expect(key).toEqual({ ...NONE, appid: 'wx1', dcloudAppid: undefined, platform: undefined });
});

test('what a kind has no use for is left out, whatever it is', () => {
  const key = { ...APP, openid: 7, version: 'nonsense' };
  expect(checkKey('access-token', key)).toEqual({ ...APP, ...NONE });
  expect(checkKey('session-key', { ...key, openid: 'o1' })).toEqual({ ...APP, ...NONE, openid: 'o1' });
});

test.each([
  [1, 1],
  [0, 0],
  ['10', 10],
  ['0', 0],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
])('version %o is %o', (version, number) => {
  expect(checkKey('encrypt-key', { ...APP, openid: 'o1', version }).version).toBe(number);
});

describe('is refused', () => {
  const USER = { ...APP, openid: 'o1', version: 1 };
  test.each<[string, BridgeKind, unknown, string]>([
    ['no key', 'access-token', undefined, 'key must be an object, not undefined'],
    ['null', 'access-token', null, 'key must be an object, not null'],
    ['an array', 'access-token', [], 'key must be an object, not an array'],
    ['a string', 'access-token', '__UNI__SHOP01', 'key must be an object, not a string'],
    ['an empty key', 'access-token', {}, 'platform is missing'],
    ['no platform', 'access-token', { dcloudAppid: 'x' }, 'platform is missing'],
    ['no dcloudAppid', 'access-token', { platform: 'weixin-mp' }, 'dcloudAppid is missing'],
    ['an empty dcloudAppid', 'access-token', { ...APP, dcloudAppid: '' }, 'dcloudAppid is empty'],
    [
      'a number for a dcloudAppid',
      'access-token',
      { ...APP, dcloudAppid: 5 },
      'dcloudAppid must be a string, not a number',
    ],
    [
      'space around it',
      'access-token',
      { ...APP, dcloudAppid: ' x' },
      'dcloudAppid has whitespace around it',
    ],
    ['a line break after it', 'session-key', { ...USER, openid: 'o1\n' }, 'openid has whitespace around it'],
    [
      'a colon',
      'session-key',
      { ...USER, openid: 'o:1' },
      'openid holds a space, a colon or a control character',
    ],
    ['a control character', 'session-key', { ...USER, openid: 'o\u00001' }, 'openid holds'],
    ['a character that cannot be seen', 'session-key', { ...USER, openid: 'o\u200b1' }, 'openid holds'],
    [
      'a long part',
      'session-key',
      { ...USER, openid: 'o'.repeat(129) },
      'openid is longer than 128 characters',
    ],
    ['an unknown platform', 'access-token', { ...APP, platform: 'alipay' }, 'platform "alipay" is unknown'],
    ['an empty provider', 'access-token', { ...APP, provider: '' }, 'provider is empty'],
    ['no openid', 'user-access-token', APP, 'openid is missing'],
    ['an empty openid', 'session-key', { ...APP, openid: '' }, 'openid is empty'],
    ['null for an openid', 'encrypt-key', { ...APP, openid: null, version: 1 }, 'openid is missing'],
    ['no version', 'encrypt-key', { ...APP, openid: 'o1' }, 'version is missing'],
    ['null for a version', 'encrypt-key', { ...USER, version: null }, 'version is missing'],
    ['a version below 0', 'encrypt-key', { ...USER, version: -1 }, 'version must be a whole number'],
    ['a broken version', 'encrypt-key', { ...USER, version: 1.5 }, 'version must be a whole number'],
    ['a version beyond numbers', 'encrypt-key', { ...USER, version: '9999999999999999' }, 'version must be'],
    ['words for a version', 'encrypt-key', { ...USER, version: 'latest' }, 'version must be a whole number'],
    ['a version with a zero before it', 'encrypt-key', { ...USER, version: '01' }, 'version must be'],
    ['a version with space', 'encrypt-key', { ...USER, version: ' 1' }, 'version must be'],
    ['NaN for a version', 'encrypt-key', { ...USER, version: Number.NaN }, 'version must be a whole number'],
  ])('%s', (_, kind, key, message) => {
    const error = thrownBy(() => checkKey(kind, key));
    expect(error.code).toBe('REQUEST_MALFORMED');
    expect(error.message).toContain(message);
  });

  test('a platform as the client-side mark has it, with the right one named', () => {
    expect(thrownBy(() => checkKey('ticket', { ...APP, platform: 'mp-weixin' })).hint).toContain(
      'did you mean weixin-mp?',
    );
    const { hint } = thrownBy(() => checkKey('ticket', { ...APP, platform: 'alipay' }));
    for (const mark of PLATFORM_MARKS) expect(hint).toContain(mark);
  });

  test('an openid that is not fit, without being shown', () => {
    const error = thrownBy(() => checkKey('session-key', { ...USER, openid: 'canary openid' }));
    expect(`${error.message} ${error.hint}`).not.toContain('canary');
  });
});

test('whatever is given is either refused in our words or gives parts that a stored key can hold', () => {
  const part = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...PLATFORM_MARKS),
    fc.jsonValue(),
  );
  const key = fc.oneof(
    fc.record(
      { dcloudAppid: part, platform: part, provider: part, appid: part, openid: part, version: part },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const kind = fc.constantFrom<BridgeKind>(
    'access-token',
    'session-key',
    'encrypt-key',
    'user-access-token',
    'ticket',
  );
  fc.assert(
    fc.property(kind, key, (of, given) => {
      let checked: ReturnType<typeof checkKey>;
      const before = JSON.stringify(given);
      try {
        checked = checkKey(of, given);
      } catch (error) {
        expect(error).toBeInstanceOf(BridgeError);
        return;
      } finally {
        expect(JSON.stringify(given)).toBe(before);
      }
      for (const text of [checked.dcloudAppid, checked.appid, checked.openid]) {
        if (text !== undefined) expect(text).toMatch(/^[^\s:]{1,128}$/);
      }
      expect(checked.openid === undefined).toBe(of === 'access-token' || of === 'ticket');
      expect(checked.version === undefined).toBe(of !== 'encrypt-key');
    }),
    { numRuns: 2000 },
  );
});

function thrownBy(act: () => unknown): BridgeError {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error;
  }
  throw new Error('it was not refused');
}
