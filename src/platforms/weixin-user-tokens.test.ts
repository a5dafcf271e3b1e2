import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { appOf } from './app.fixture.ts';
import { weixinUserTokens } from './weixin-user-tokens.ts';

const app = appOf({ platform: 'weixin-h5' });
const ANSWER = {
  access_token: 'A',
  expires_in: 7200,
  refresh_token: 'R',
  openid: 'o1',
  scope: 'snsapi_userinfo',
};

test('a code is exchanged with the secret', () => {
  expect(weixinUserTokens.exchange(app, { code: 'C', redirectUri: 'https://x/' })).toEqual({
    method: 'GET',
    path: '/sns/oauth2/access_token',
    query: { appid: 'wx01', secret: 'the-secret', code: 'C', grant_type: 'authorization_code' },
  });
});

test('a refresh needs no secret, and none is sent', () => {
  const request = {
    method: 'GET',
    path: '/sns/oauth2/refresh_token',
    query: { appid: 'wx01', grant_type: 'refresh_token', refresh_token: 'R' },
  };
  expect(weixinUserTokens.refresh(app, new Secret('R'))).toEqual(request);
  expect(weixinUserTokens.refresh(appOf({ secret: undefined, managed: false }), new Secret('R'))).toEqual(
    request,
  );
});

test('an exchange without a secret says what is missing', () => {
  expect(() => weixinUserTokens.exchange(appOf({ secret: undefined }), { code: 'C' })).toThrow(
    'has no secret',
  );
});

test('reads what an answer brings', () => {
  const grant = weixinUserTokens.read(ANSWER);
  expect(grant).toMatchObject({
    openid: 'o1',
    unionid: undefined,
    scope: 'snsapi_userinfo',
    snapshot: false,
    lifeMs: 7_200_000,
  });
  expect(grant.accessToken.reveal()).toBe('A');
  expect(grant.refreshToken?.reveal()).toBe('R');
  expect(weixinUserTokens.read({ ...ANSWER, unionid: 'u1', is_snapshotuser: 1 })).toMatchObject({
    unionid: 'u1',
    snapshot: true,
  });
});

test.each([[undefined], [0], [null], ['']])('is_snapshotuser %j is no throw-away identity', value => {
  expect(weixinUserTokens.read({ ...ANSWER, is_snapshotuser: value }).snapshot).toBe(false);
});

test('without a refresh token there is none to use', () => {
  const { refresh_token: _, ...rest } = ANSWER;
  expect(weixinUserTokens.read(rest).refreshToken).toBeUndefined();
  expect(weixinUserTokens.read({ ...ANSWER, refresh_token: '' }).refreshToken).toBeUndefined();
});

test.each(['openid', 'access_token'])('an answer without %s is not taken', field => {
  for (const value of [undefined, null, '', 5, {}]) {
    const read = (): unknown => weixinUserTokens.read({ ...ANSWER, [field]: value });
    expect(read).toThrow(BridgeError);
    expect(read).toThrow(`the platform's answer has no ${field}`);
  }
});

test('refresh tokens end 30 days after login, come what may', () => {
  expect(weixinUserTokens.refreshLifeMs).toBe(30 * 86_400_000);
  expect(weixinUserTokens.refreshRotates).toBe(false);
  expect(weixinUserTokens.identify).toBeUndefined();
  expect([...weixinUserTokens.loginAgainCodes].sort()).toEqual([40030, 42002, 42007]);
});
