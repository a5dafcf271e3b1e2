import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, QQ_APP, startHarness } from '../simulator.fixture.ts';

const DAY_MS = 86_400_000;
const HEX = /^[0-9A-F]{32}$/;

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ accounts: [MP, QQ_APP] });
});
afterEach(() => h.simulator.close());

const CLIENT = { client_id: QQ_APP.appid, client_secret: QQ_APP.secret };
const get = async (path: string, query: Record<string, string>) =>
  h.get(`${path}?${new URLSearchParams(query)}`);
const exchange = (code: string, change: Record<string, string> = {}) =>
  get('/oauth2.0/token', {
    grant_type: 'authorization_code',
    ...CLIENT,
    code,
    redirect_uri: 'https://app.example.com/qq',
    fmt: 'json',
    ...change,
  });
const renew = (token: unknown, change: Record<string, string> = {}) =>
  get('/oauth2.0/token', {
    grant_type: 'refresh_token',
    ...CLIENT,
    refresh_token: String(token),
    fmt: 'json',
    ...change,
  });
const me = (token: unknown, change: Record<string, string> = {}) =>
  get('/oauth2.0/me', { access_token: String(token), fmt: 'json', ...change });

describe('/oauth2.0/token', () => {
  test('form text by default, JSON with fmt=json', async () => {
    const text = await exchange('alice:1', { fmt: '' });
    expect(text.headers.get('content-type')).toBe('text/plain');
    expect(text.bytes.toString()).toMatch(
      /^access_token=[0-9A-F]{32}&expires_in=7776000&refresh_token=[0-9A-F]{32}$/,
    );
    expect((await exchange('alice:2')).json).toEqual({
      access_token: expect.stringMatching(HEX),
      expires_in: 7_776_000,
      refresh_token: expect.stringMatching(HEX),
    });
  });

  test('need_openid=1 adds the openid', async () => {
    const given = h.simulator.users.code(QQ_APP.appid, { user: 'alice' });
    const { json } = await exchange(given.code, { need_openid: '1' });
    expect(json['openid']).toBe(given.openid);
    expect(given.openid).toMatch(HEX);
  });

  test('codes: once, ten minutes, with the redirect_uri they were issued for', async () => {
    const redirectUri = 'https://app.example.com/qq';
    const { code } = h.simulator.users.code(QQ_APP.appid, { user: 'alice', redirectUri });
    const elsewhere = await exchange(code, { redirect_uri: 'https://evil.example' });
    expect(elsewhere.json['error']).toBe(100010);
    expect((await exchange(code)).json['access_token']).toMatch(HEX);
    expect((await exchange(code)).json).toEqual({ error: 100020, error_description: 'code is reused error' });
    const late = h.simulator.users.code(QQ_APP.appid, { user: 'alice' });
    h.simulator.clock.advance(600_000);
    expect((await exchange(late.code)).json).toEqual({
      error: 100019,
      error_description: 'code to access token error',
    });
  });

  test.each([
    ['client_id', '', 100001, 'param client_id is wrong or lost '],
    ['client_secret', '', 100002, 'param client_secret is wrong or lost '],
    ['grant_type', 'x', 100004, 'param grant_type is wrong or lost '],
    ['code', '', 100005, 'param code is wrong or lost '],
    ['client_id', '1', 100008, 'client id is illegal'],
    ['client_id', MP.appid, 100008, 'client id is illegal'],
    ['client_secret', 'x', 100009, 'client secret is illegal'],
    ['code', 'invalid', 100019, 'code to access token error'],
    ['code', 'blocked', 100019, 'code to access token error'],
  ])('%s=%j → %i', async (name, value, error, error_description) => {
    expect((await exchange('alice', { [name]: value })).json).toEqual({ error, error_description });
  });

  test('errors are calls of callback unless fmt=json', async () => {
    const { bytes, headers, status } = await exchange('invalid', { fmt: '' });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html']);
    expect(bytes.toString()).toBe(
      'callback( {"error":100019,"error_description":"code to access token error"} );\n',
    );
  });

  test('the refresh_token is good once; both tokens are new', async () => {
    const first = (await exchange('alice')).json;
    const second = (await renew(first['refresh_token'])).json;
    expect(second).toEqual({
      access_token: expect.stringMatching(HEX),
      expires_in: 7_776_000,
      refresh_token: expect.stringMatching(HEX),
    });
    expect(second['access_token']).not.toBe(first['access_token']);
    expect((await renew(first['refresh_token'])).json['error']).toBe(100022);
    const third = (await renew(second['refresh_token'])).json;
    expect((await me(third['access_token'])).json['openid']).toBe(
      (await me(first['access_token'])).json['openid'],
    );
  });

  test('a chain of refreshes ends three months after the login', async () => {
    let { refresh_token } = (await exchange('alice')).json;
    h.simulator.clock.advance(89 * DAY_MS);
    ({ refresh_token } = (await renew(refresh_token)).json);
    h.simulator.clock.advance(DAY_MS);
    expect((await renew(refresh_token)).json['error']).toBe(100022);
  });

  test('other refusals of a refresh', async () => {
    expect((await renew('')).json['error']).toBe(100006);
    expect((await renew('rubbish')).json['error']).toBe(100022);
    const { refresh_token } = (await exchange('alice')).json;
    expect((await renew(refresh_token, { client_secret: 'x' })).json['error']).toBe(100009);
    h.simulator.addAccount({ ...QQ_APP, appid: '101000002' });
    expect((await renew(refresh_token, { client_id: '101000002' })).json['error']).toBe(100022);
    expect((await renew(refresh_token)).json['access_token']).toMatch(HEX);
  });

  test('POST is a wrong request', async () => {
    expect((await h.post('/oauth2.0/token?fmt=json')).json['error']).toBe(100029);
  });

  test('a frozen secret opens nothing', async () => {
    h.simulator.setAccount(QQ_APP.appid, { frozenSecret: true });
    expect((await exchange('alice')).json['error']).toBe(40243);
  });
});

describe('/oauth2.0/me', () => {
  test('a call of callback by default, JSON with fmt=json', async () => {
    const { access_token } = (await exchange('alice')).json;
    const { json } = await me(access_token);
    expect(json).toEqual({ client_id: QQ_APP.appid, openid: expect.stringMatching(HEX) });
    const script = await me(access_token, { fmt: '' });
    expect(script.bytes.toString()).toBe(
      `callback( {"client_id":"${QQ_APP.appid}","openid":"${json['openid']}"} );\n`,
    );
  });

  test('unionid=1: 100048 unless the app may have unionids', async () => {
    const { access_token } = (await exchange('alice')).json;
    expect((await me(access_token, { unionid: '1' })).json).toEqual({
      error: 100048,
      error_description: 'companyid not set',
    });
    h.simulator.setAccount(QQ_APP.appid, { users: { openPlatform: 'acme' } });
    expect((await me(access_token, { unionid: '1' })).json['unionid']).toMatch(/^UID_[0-9A-F]{32}$/);
    expect((await me(access_token)).json).not.toHaveProperty('unionid');
  });

  test('refusals', async () => {
    expect((await me('')).json).toEqual({
      error: 100007,
      error_description: 'param access token is wrong or lost ',
    });
    expect((await me('rubbish')).json['error']).toBe(100013);
    expect((await me('A'.repeat(32))).json).toEqual({
      error: 100016,
      error_description: 'access token check failed',
    });
    const { access_token } = (await exchange('alice')).json;
    h.simulator.clock.advance(90 * DAY_MS);
    expect((await me(access_token)).json['error']).toBe(100016);
  });

  test('a changed password ends it', async () => {
    const { access_token } = (await exchange('alice')).json;
    h.simulator.users.change(QQ_APP.appid, { user: 'alice', changePassword: true });
    expect((await me(access_token)).json['error']).toBe(100016);
  });
});

test('faults speak the form of the host; calls and errors are counted for the app', async () => {
  h.simulator.faults.add({ kind: 'errcode', errcode: 100016, path: '/oauth2.0/*', times: 2 });
  h.simulator.faults.add({ kind: 'errcode', errcode: -1, appid: QQ_APP.appid, times: 1 });
  expect((await me('x', { fmt: '' })).bytes.toString()).toBe(
    'callback( {"error":100016,"error_description":"access token check failed"} );\n',
  );
  expect((await exchange('alice')).json['error']).toBe(100016);
  expect((await exchange('alice')).json).toEqual({ error: -1, error_description: 'system error' });
  const { access_token } = (await exchange('alice')).json;
  h.simulator.faults.add({ kind: 'revoke', path: '/oauth2.0/me', times: 1 });
  expect((await me(access_token)).json['error']).toBe(100016);
  expect(h.simulator.counters(QQ_APP.appid)).toMatchObject({
    calls: { '/oauth2.0/token': 3, '/oauth2.0/me': 1 },
    errors: { '-1': 1, 100016: 2 },
  });
});
