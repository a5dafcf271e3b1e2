import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AccountOptions } from '../index.ts';
import { APP, type Harness, MP, OA, startHarness, WEB } from '../simulator.fixture.ts';

const DAY_MS = 86_400_000;

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ accounts: [MP, OA, WEB, APP] });
});
afterEach(() => h.simulator.close());

const exchange = (code: string, { appid, secret }: AccountOptions = OA) =>
  h.get(
    `/sns/oauth2/access_token?appid=${appid}&secret=${secret}&code=${code}&grant_type=authorization_code`,
  );
const refresh = (token: unknown, appid = OA.appid) =>
  h.get(`/sns/oauth2/refresh_token?appid=${appid}&grant_type=refresh_token&refresh_token=${token}`);
const userinfo = (token: unknown, openid: unknown) =>
  h.get(`/sns/userinfo?access_token=${token}&openid=${openid}&lang=zh_CN`);
const check = (token: unknown, openid: unknown) => h.get(`/sns/auth?access_token=${token}&openid=${openid}`);

/** The tokens of a user who consents to the full profile. */
async function consent(account = OA, scope = 'snsapi_userinfo') {
  const { code } = h.simulator.users.code(account.appid, { user: 'alice', scope });
  const { json } = await exchange(code, account);
  return {
    openid: String(json['openid']),
    access: String(json['access_token']),
    refresh: String(json['refresh_token']),
  };
}

describe('the code', () => {
  test('OAuth of an official account; its user token is no app token', async () => {
    const { json } = await exchange('c1');
    expect(json).toMatchObject({ expires_in: 7200, scope: 'snsapi_base' });
    expect((await exchange('c1')).json['errcode']).toBe(40163);
    const user = `access_token=${json['access_token']}&openid=${json['openid']}`;
    expect((await h.get(`/sns/auth?${user}`)).json['errcode']).toBe(0);
    expect((await h.get(`/cgi-bin/getcallbackip?${user}`)).json['errcode']).toBe(40001);
    expect((await refresh(json['refresh_token'])).json['refresh_token']).toBe(json['refresh_token']);
  });

  test('a code that was issued: once, and within its life', async () => {
    const given = h.simulator.users.code(OA.appid, { openid: 'oX', unionid: 'uX', scope: 'snsapi_userinfo' });
    expect(given.expiresIn).toBe(300);
    expect((await exchange(given.code)).json).toEqual({
      access_token: expect.stringMatching(/^\d\d_[\w-]{133}$/),
      expires_in: 7200,
      refresh_token: expect.stringMatching(/^\d\d_[\w-]{133}$/),
      openid: 'oX',
      scope: 'snsapi_userinfo',
      unionid: 'uX',
    });
    expect((await exchange(given.code)).json['errcode']).toBe(40163);
    const late = h.simulator.users.code(OA.appid, { openid: 'oX' });
    h.simulator.clock.advance(300_000);
    expect((await exchange(late.code)).json).toEqual({
      errcode: 42003,
      errmsg: expect.stringMatching(/^oauth_code expired rid: /),
    });
  });

  test.each([
    ['web', WEB, 'snsapi_login'],
    ['app', APP, 'snsapi_userinfo'],
  ])('%s: ten minutes, its own scope, always a unionid', async (_, account, scope) => {
    const given = h.simulator.users.code(account.appid, { user: 'alice' });
    expect(given.expiresIn).toBe(600);
    h.simulator.clock.advance(599_999);
    const { json } = await exchange(given.code, account);
    expect(json).toMatchObject({ scope, unionid: given.unionid, openid: given.openid });
    expect((await userinfo(json['access_token'], json['openid'])).json).toMatchObject({
      openid: given.openid,
      nickname: 'alice',
      unionid: given.unionid,
    });
  });

  test('a bare openid scope shows no unionid and no profile', async () => {
    const { code } = h.simulator.users.code(OA.appid, { user: 'alice', unionid: 'uX' });
    const { json } = await exchange(code);
    expect([json['scope'], json['unionid']]).toEqual(['snsapi_base', undefined]);
    expect((await userinfo(json['access_token'], json['openid'])).json['errcode']).toBe(48001);
  });

  test('a snapshot user is marked', async () => {
    const { code } = h.simulator.users.code(OA.appid, {
      user: 'alice',
      scope: 'snsapi_userinfo',
      snapshot: true,
    });
    expect((await exchange(code)).json['is_snapshotuser']).toBe(1);
    expect((await exchange('bob:1')).json).not.toHaveProperty('is_snapshotuser');
  });

  test.each([
    ['invalid', OA, 40029],
    ['blocked', OA, 40226],
    ['', OA, 41008],
    ['c', { ...OA, secret: 'x' }, 40125],
    ['c', { ...OA, appid: '' }, 41002],
    ['c', MP, 48001],
  ])('%j of %j → %i', async (code, account, errcode) => {
    expect((await exchange(code, account)).json['errcode']).toBe(errcode);
  });

  test('a minute has its limit', async () => {
    h.simulator.setAccount(OA.appid, { quotas: { oauthPerMinute: 2 } });
    const { json } = await exchange('a');
    expect((await exchange('b')).json['errcode']).toBeUndefined();
    expect((await exchange('c')).json['errcode']).toBe(45011);
    expect((await refresh(json['refresh_token'])).json['errcode']).toBeUndefined();
    h.simulator.clock.advance(60_000);
    expect((await exchange('c')).json['errcode']).toBeUndefined();
  });
});

describe('the refresh_token', () => {
  test('while the access_token lives it is kept and its clock set back', async () => {
    const { access, refresh: token, openid } = await consent();
    h.simulator.clock.advance(7_199_000);
    expect((await refresh(token)).json).toEqual({
      access_token: access,
      expires_in: 7200,
      refresh_token: token,
      openid,
      scope: 'snsapi_userinfo',
    });
    h.simulator.clock.advance(7_199_999);
    expect((await check(access, openid)).json['errcode']).toBe(0);
    h.simulator.clock.advance(1);
    expect((await check(access, openid)).json['errcode']).toBe(42001);
  });

  test('afterwards there is a new one, and the dead one stays dead', async () => {
    const { access, refresh: token, openid } = await consent();
    h.simulator.clock.advance(7_200_000);
    const { json } = await refresh(token);
    expect(json).toMatchObject({ expires_in: 7200, refresh_token: token, openid });
    expect(json['access_token']).not.toBe(access);
    expect((await check(json['access_token'], openid)).json['errcode']).toBe(0);
    expect((await check(access, openid)).json['errcode']).toBe(42001);
  });

  test('thirty days, whatever was refreshed', async () => {
    const { refresh: token } = await consent();
    h.simulator.clock.advance(29 * DAY_MS);
    expect((await refresh(token)).json['refresh_token']).toBe(token);
    h.simulator.clock.advance(DAY_MS - 1);
    expect((await refresh(token)).json['refresh_token']).toBe(token);
    h.simulator.clock.advance(1);
    expect((await refresh(token)).json).toEqual({
      errcode: 42002,
      errmsg: expect.stringMatching(/^refresh_token expired rid: /),
    });
  });

  test('refusals', async () => {
    const { refresh: token, access } = await consent();
    expect((await refresh('rubbish')).json['errcode']).toBe(40030);
    expect((await refresh(access)).json['errcode']).toBe(40030);
    expect((await refresh(token, WEB.appid)).json['errcode']).toBe(40030);
    expect((await refresh('')).json['errcode']).toBe(41003);
    expect((await refresh(token, 'wx9')).json['errcode']).toBe(40013);
    expect((await refresh(token, '')).json['errcode']).toBe(41002);
    const path = `/sns/oauth2/refresh_token?appid=${OA.appid}&refresh_token=${token}`;
    expect((await h.get(path)).json['errcode']).toBe(40002);
  });

  test('a changed password voids what came before: 42007', async () => {
    const before = await consent();
    h.simulator.users.change(OA.appid, { openid: before.openid, changePassword: true });
    expect((await refresh(before.refresh)).json['errcode']).toBe(42007);
    expect((await check(before.access, before.openid)).json['errcode']).toBe(42007);
    expect(h.simulator.state.userVerdict(before.access)).toBe(42007);
    const after = await consent();
    expect((await refresh(after.refresh)).json['access_token']).toBe(after.access);
  });

  test('a withdrawn consent: 40030 and 40001', async () => {
    const { refresh: token, access, openid } = await consent();
    h.simulator.users.change(OA.appid, { user: 'alice', withdrawConsent: true });
    expect((await refresh(token)).json['errcode']).toBe(40030);
    expect((await check(access, openid)).json['errcode']).toBe(40001);
  });

  test('lives of your choice', async () => {
    h.simulator.setAccount(OA.appid, {
      users: { accessTokenLifeSeconds: 10, refreshTokenLifeSeconds: 20 },
    });
    const { code } = h.simulator.users.code(OA.appid, { user: 'alice' });
    const { json } = await exchange(code);
    expect(json['expires_in']).toBe(10);
    h.simulator.clock.advance(20_000);
    expect((await refresh(json['refresh_token'])).json['errcode']).toBe(42002);
  });
});

describe('the access_token', () => {
  test.each(['/sns/auth', '/sns/userinfo'])('%s refuses what is no user’s', async path => {
    const { access, openid } = await consent();
    const other = await consent(WEB, 'snsapi_login');
    const ask = async (query: string) => (await h.get(`${path}?${query}`)).json['errcode'];
    expect(await ask(`openid=${openid}`)).toBe(41001);
    expect(await ask(`access_token=${access}`)).toBe(41009);
    expect(await ask(`access_token=rubbish&openid=${openid}`)).toBe(40014);
    expect(await ask(`access_token=${await h.token(OA)}&openid=${openid}`)).toBe(40001);
    expect(await ask(`access_token=${other.access}&openid=${openid}`)).toBe(40003);
    expect(await ask(`access_token=${access}&openid=oX`)).toBe(40003);
  });

  test('the profile', async () => {
    const { access, openid } = await consent();
    expect((await userinfo(access, openid)).json).toEqual({
      openid,
      nickname: 'alice',
      sex: 0,
      province: '',
      city: '',
      country: '',
      headimgurl: '',
      privilege: [],
    });
  });

  test('a user token is no app’s token on any path that takes one', async () => {
    const { access } = await consent();
    expect((await h.get(`/cgi-bin/user/get?access_token=${access}`)).json['errcode']).toBe(40001);
    expect((await h.get(`/cgi-bin/ticket/getticket?type=jsapi&access_token=${access}`)).json['errcode']).toBe(
      40001,
    );
  });

  test('a revoke fault kills the token of the call, and a refresh gives another', async () => {
    const { access, refresh: token, openid } = await consent();
    h.simulator.faults.add({ kind: 'revoke', path: '/sns/userinfo', appid: OA.appid, times: 1 });
    expect((await userinfo(access, openid)).json['errcode']).toBe(40001);
    expect((await check(access, openid)).json['errcode']).toBe(40001);
    const { json } = await refresh(token);
    expect(json['access_token']).not.toBe(access);
    expect((await userinfo(json['access_token'], openid)).json['openid']).toBe(openid);
  });

  test('website and mobile apps have tokens of their own as well', async () => {
    for (const account of [WEB, APP]) {
      const token = `access_token=${await h.token(account)}`;
      expect((await h.get(`/cgi-bin/ticket/getticket?type=jsapi&${token}`)).json['errcode']).toBe(0);
      expect((await h.get(`/cgi-bin/getcallbackip?${token}`)).json['errcode']).toBe(48001);
    }
  });

  test('calls with it are counted for its app', async () => {
    const { access, openid } = await consent();
    await check(access, openid);
    expect(h.simulator.counters(OA.appid).calls).toMatchObject({
      '/sns/oauth2/access_token': 1,
      '/sns/auth': 1,
    });
  });
});
