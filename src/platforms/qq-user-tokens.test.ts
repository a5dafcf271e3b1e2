import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { appOf } from './app.fixture.ts';
import { qqUserTokens } from './qq-user-tokens.ts';

const app = appOf({ platform: 'qq-app', appid: '101' });
/** QQ Connect writes the number as text. */
const ANSWER = { access_token: 'A', expires_in: '7776000', refresh_token: 'R', openid: 'o1' };

test('a code is exchanged with the redirect_uri it was asked for with, and JSON is asked for', () => {
  expect(qqUserTokens.exchange(app, { code: 'C', redirectUri: 'https://shop.example/qq' })).toEqual({
    method: 'GET',
    path: '/oauth2.0/token',
    query: {
      grant_type: 'authorization_code',
      client_id: '101',
      client_secret: 'the-secret',
      code: 'C',
      redirect_uri: 'https://shop.example/qq',
      fmt: 'json',
      need_openid: '1',
    },
  });
});

test.each([[undefined], ['']])('a code is not spent with the redirect_uri %j', redirectUri => {
  expect(() => qqUserTokens.exchange(app, { code: 'C', redirectUri })).toThrow(
    expect.objectContaining({
      code: 'REQUEST_MALFORMED',
      hint: expect.stringContaining('redirect_uri'),
    }),
  );
});

test('a refresh wants the secret', () => {
  expect(qqUserTokens.refresh(app, new Secret('R'))).toEqual({
    method: 'GET',
    path: '/oauth2.0/token',
    query: {
      grant_type: 'refresh_token',
      client_id: '101',
      client_secret: 'the-secret',
      refresh_token: 'R',
      fmt: 'json',
      need_openid: '1',
    },
  });
  expect(() => qqUserTokens.refresh({ ...app, secret: undefined }, new Secret('R'))).toThrow(BridgeError);
});

test('reads what an answer brings', () => {
  const grant = qqUserTokens.read(ANSWER);
  expect(grant).toMatchObject({ openid: 'o1', unionid: undefined, snapshot: false, lifeMs: 7_776_000_000 });
  expect(grant.accessToken.reveal()).toBe('A');
  expect(grant.refreshToken?.reveal()).toBe('R');
});

test('a life that is not told is three months', () => {
  expect(qqUserTokens.read({ ...ANSWER, expires_in: undefined }).lifeMs).toBe(7_776_000_000);
});

test('an answer that names nobody leaves the openid empty, and somebody can be asked for', () => {
  expect(qqUserTokens.read({ ...ANSWER, openid: undefined }).openid).toBe('');
  expect(qqUserTokens.identify?.(new Secret('A'))).toEqual({
    method: 'GET',
    path: '/oauth2.0/me',
    query: { access_token: 'A', unionid: '1', fmt: 'json' },
  });
});

test('an answer without a token is not taken', () => {
  expect(() => qqUserTokens.read({ ...ANSWER, access_token: '' })).toThrow('has no access_token');
});

test('a refresh brings a new refresh token, which outlives the access token beside it', () => {
  expect(qqUserTokens.refreshRotates).toBe(true);
  expect(qqUserTokens.refreshLifeMs).toBeGreaterThan(qqUserTokens.read(ANSWER).lifeMs);
});
