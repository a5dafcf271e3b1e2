import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { appOf } from './app.fixture.ts';
import type { SessionPlan } from './platform.ts';
import { platformOf } from './platforms.ts';
import { weixinSessions } from './weixin-sessions.ts';

/** Every session is of a mini program, of WeChat or of QQ. */
function sessionsOf(id: 'weixin-mp' | 'qq-mp'): SessionPlan {
  const { sessions } = platformOf(id);
  if (sessions === undefined) throw new Error('no sessions');
  return sessions;
}

const input = {
  openid: 'o1',
  accessToken: new Secret('T'),
  sessionKey: new Secret('o0q0otL8aEzpcZL/FT9WsQ=='),
};
const SIGNED = {
  access_token: 'T',
  openid: 'o1',
  signature: '46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128',
  sig_method: 'hmac_sha256',
};

test.each(['weixin-mp', 'qq-mp'] as const)('%s exchanges a login code', id => {
  const sessions = sessionsOf(id);
  expect(sessions.exchange(appOf({ platform: id }), 'C')).toEqual({
    method: 'GET',
    path: '/sns/jscode2session',
    query: { appid: 'wx01', secret: 'the-secret', js_code: 'C', grant_type: 'authorization_code' },
  });
  expect(() => sessions.exchange(appOf({ secret: undefined, managed: false }), 'C')).toThrow(BridgeError);
  const grant = sessions.read({ openid: 'o1', session_key: 'K', errcode: 0, errmsg: '' });
  expect(grant).toMatchObject({ openid: 'o1', unionid: undefined });
  expect(grant.sessionKey.reveal()).toBe('K');
  expect(sessions.read({ openid: 'o1', session_key: 'K', unionid: 'u1' }).unionid).toBe('u1');
  expect(() => sessions.read({ openid: 'o1' })).toThrow('has no session_key');
  expect(() => sessions.read({ session_key: 'K' })).toThrow('has no openid');
});

test.each([
  ['check', '/wxa/checksession'],
  ['reset', '/wxa/resetusersessionkey'],
  ['encryptKeys', '/wxa/business/getuserencryptkey'],
] as const)('%s is signed, with everything in the query and no body', (name, path) => {
  expect(weixinSessions[name]?.(input)).toEqual({ method: 'GET', path, query: SIGNED });
});

test('a reset brings the new session key', () => {
  expect(weixinSessions.readReset?.({ errcode: 0, openid: 'o1', session_key: 'K2' }).reveal()).toBe('K2');
  expect(() => weixinSessions.readReset?.({ errcode: 0 })).toThrow('has no session_key');
});

test('a phone number is asked for with the code in the body', () => {
  expect(weixinSessions.phoneNumber?.(new Secret('T'), 'C')).toEqual({
    method: 'POST',
    path: '/wxa/business/getuserphonenumber',
    query: { access_token: 'T' },
    json: { code: 'C' },
  });
});

const KEY = {
  encrypt_key: 'VI6BpyrK9XH4i4AIGe86tg==',
  version: 10,
  expire_in: 3597,
  iv: '6003f73ec441c386',
  create_time: 1616572301,
};

test('encrypt keys come newest first, and one that is over has no life left', () => {
  const keys = weixinSessions.readEncryptKeys?.({
    errcode: 0,
    key_info_list: [KEY, { ...KEY, version: 9, expire_in: 0, encrypt_key: 'old' }],
  });
  expect(keys).toMatchObject([
    { iv: '6003f73ec441c386', version: 10, lifeMs: 3_597_000 },
    { version: 9, lifeMs: 0 },
  ]);
  expect(keys?.map(key => key.encryptKey.reveal())).toEqual([KEY.encrypt_key, 'old']);
  expect(JSON.stringify(keys)).not.toContain(KEY.encrypt_key);
});

test.each([[undefined], [-5], ['soon'], [null], [Number.POSITIVE_INFINITY]])(
  'expire_in %j is a life of 0',
  expire_in => {
    expect(weixinSessions.readEncryptKeys?.({ key_info_list: [{ ...KEY, expire_in }] })).toMatchObject([
      { lifeMs: 0 },
    ]);
  },
);

test.each([
  ['no list', {}],
  ['something else than a list', { key_info_list: {} }],
  ['an entry that is none', { key_info_list: [null] }],
  ['an entry without a key', { key_info_list: [{ ...KEY, encrypt_key: '' }] }],
  ['an entry without an iv', { key_info_list: [{ ...KEY, iv: undefined }] }],
  ['an entry without a version', { key_info_list: [{ ...KEY, version: undefined }] }],
  ['a version that is no whole number', { key_info_list: [{ ...KEY, version: 1.5 }] }],
])('an answer with %s is not taken', (_name, answer) => {
  expect(() => weixinSessions.readEncryptKeys?.(answer)).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_UNREACHABLE' }),
  );
});

test('a user without keys has none', () => {
  expect(weixinSessions.readEncryptKeys?.({ key_info_list: [] })).toEqual([]);
});

test('which codes speak of the session key', () => {
  expect([...weixinSessions.sessionRefusedCodes].sort()).toEqual([87007, 87009]);
});

test('QQ offers nothing beyond the exchange', () => {
  const sessions = sessionsOf('qq-mp');
  expect(Object.keys(sessions).sort()).toEqual(['exchange', 'read', 'sessionRefusedCodes']);
  expect(sessions.sessionRefusedCodes.size).toBe(0);
});
