import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, QQ_MP, startHarness } from '../simulator.fixture.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ accounts: [MP, QQ_MP] });
});
afterEach(() => h.simulator.close());

const getToken = async (change: Record<string, string> = {}) => {
  const query = { grant_type: 'client_credential', appid: QQ_MP.appid, secret: QQ_MP.secret, ...change };
  return (await h.get(`/api/getToken?${new URLSearchParams(query)}`)).json;
};
const check = async (token: unknown, body: object = { appid: QQ_MP.appid, content: 'hello' }) =>
  (await h.post(`/api/json/security/MsgSecCheck?access_token=${token}`, body)).json;
const loginTarget = ({ appid, secret } = QQ_MP, code = 'alice:1') =>
  `/sns/jscode2session?appid=${appid}&secret=${secret}&js_code=${code}&grant_type=authorization_code`;

/** Asks as if the name in the Host header led here; `fetch` would not let it be set. */
function askAs(host: string, target: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const asked = request(`${h.simulator.origin}${target}`, { headers: { host } }, response => {
      resolve(json(response) as Promise<Record<string, unknown>>);
    });
    asked.on('error', reject).end();
  });
}

describe('getToken', () => {
  test('each call gives a new token; the one before works for five more minutes', async () => {
    const first = await getToken();
    expect(first).toEqual({ access_token: expect.any(String), expires_in: 7200 });
    const second = await getToken();
    expect(second['access_token']).not.toBe(first['access_token']);
    expect((await check(first['access_token']))['errCode']).toBe(0);
    h.simulator.clock.advance(300_000);
    expect((await check(first['access_token']))['errcode']).toBe(40001);
    expect((await check(second['access_token']))['errCode']).toBe(0);
    expect(h.simulator.counters(QQ_MP.appid).classic).toEqual({ calls: 2, issued: 2 });
  });

  test.each([
    [{ grant_type: 'x' }, 40002, 'invalid grant_type'],
    [{ appid: 'x' }, 40013, 'invalid appid'],
    [{ appid: MP.appid, secret: MP.secret }, 40013, 'invalid appid'],
    [{ secret: 'x' }, 40001, 'invalid appsecret'],
    [{ secret: '' }, 40001, 'invalid appsecret'],
  ])('%j → %i', async (change, errcode, errmsg) => {
    expect(await getToken(change)).toEqual({ errcode, errmsg });
  });

  test('the classic quota holds', async () => {
    h.simulator.setAccount(QQ_MP.appid, { quotas: { classicPerDay: 1 } });
    await getToken();
    expect((await getToken())['errcode']).toBe(45009);
  });

  test('revoke and the faults of token endpoints work', async () => {
    const { access_token } = await getToken();
    h.simulator.faults.add({ kind: 'revoke', path: '/api/getToken', appid: QQ_MP.appid, times: 1 });
    await getToken();
    expect(h.simulator.state.verdict(String(access_token))).toBe(40001);
    expect(h.simulator.revoke(QQ_MP.appid, 'classic')).toBe(1);
  });
});

describe('jscode2session', () => {
  test('errcode 0 is there on success', async () => {
    expect((await h.get(loginTarget())).json).toEqual({
      errcode: 0,
      errmsg: '',
      openid: expect.stringMatching(/^[0-9A-F]{32}$/),
      session_key: expect.stringMatching(/^[\w+/]{22}==$/),
    });
    expect((await h.get(loginTarget())).json['errcode']).toBe(40029);
  });

  test('an issued code brings the unionid', async () => {
    h.simulator.setAccount(QQ_MP.appid, { users: { openPlatform: 'acme' } });
    const given = h.simulator.users.code(QQ_MP.appid, { user: 'alice' });
    expect(given.unionid).toMatch(/^UID_[0-9A-F]{32}$/);
    const { json } = await h.get(loginTarget(QQ_MP, given.code));
    expect(json).toMatchObject({ openid: given.openid, unionid: given.unionid });
  });

  test('a frozen secret and an address that is not listed', async () => {
    h.simulator.setAccount(QQ_MP.appid, { ipWhitelist: ['192.0.2.1'] });
    expect((await h.get(loginTarget())).json['errcode']).toBe(40164);
    expect((await getToken())['errcode']).toBe(40164);
    h.simulator.setAccount(QQ_MP.appid, { frozenSecret: true });
    expect((await h.get(loginTarget())).json['errcode']).toBe(40243);
    expect((await getToken())['errcode']).toBe(40243);
  });

  test.each([
    [{ ...QQ_MP, secret: 'x' }, 'a', -101222100],
    [QQ_MP, 'invalid', 40029],
    [QQ_MP, 'blocked', 40029],
    [QQ_MP, '', 40029],
  ])('%j %j → %i', async (account, code, errcode) => {
    expect((await h.get(loginTarget(account, code))).json['errcode']).toBe(errcode);
  });
});

describe('one simulator for all hosts', () => {
  test('without a known host, the app decides which platform a path of both is', async () => {
    expect((await h.get(loginTarget(MP))).json).not.toHaveProperty('errcode');
    expect((await h.get(loginTarget(QQ_MP))).json['errcode']).toBe(0);
  });

  test('a known host has its own apps and paths alone', async () => {
    expect((await askAs('api.q.qq.com', loginTarget(QQ_MP)))['errcode']).toBe(0);
    expect((await askAs('api.q.qq.com:443', loginTarget(MP)))['errcode']).toBe(-101222100);
    expect(await askAs('API.weixin.qq.com', loginTarget(MP))).not.toHaveProperty('errcode');
    expect((await askAs('api.weixin.qq.com', loginTarget(QQ_MP)))['errcode']).toBe(40013);
    expect((await askAs('api.weixin.qq.com', '/api/getToken'))['errcode']).toBe(40066);
    expect((await askAs('api.q.qq.com', '/cgi-bin/token'))['errcode']).toBe(40066);
    expect((await askAs('graph.qq.com', '/sns/jscode2session?fmt=json'))['error']).toBe(40066);
  });

  test('the host of an absolute target comes before the header', async () => {
    const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
      const { port, host } = h.simulator;
      const path = 'http://api.q.qq.com/cgi-bin/token';
      const asked = request({ port, host, path, headers: { host: 'api.weixin.qq.com' } }, response => {
        resolve(json(response) as Promise<Record<string, unknown>>);
      });
      asked.on('error', reject).end();
    });
    expect(answer['errcode']).toBe(40066);
  });

  test('a token of one platform is unknown on the other', async () => {
    const { access_token } = await getToken();
    expect((await h.get(`/cgi-bin/getcallbackip?access_token=${access_token}`)).json['errcode']).toBe(40001);
    expect((await check(await h.token(MP)))['errcode']).toBe(40001);
  });
});

test('business calls', async () => {
  const { access_token } = await getToken();
  expect(await check(access_token)).toEqual({ errCode: 0, errMsg: 'ok' });
  expect(await check(access_token, { appid: QQ_MP.appid, content: 'risky' })).toEqual({
    errCode: 87014,
    errMsg: 'risky content',
  });
  expect((await check(access_token, { appid: 'x', content: 'a' }))['errcode']).toBe(40013);
  expect(h.simulator.counters(QQ_MP.appid).errors).toMatchObject({ 87014: 1 });
  const path = `/api/json/subscribe/SendSubscriptionMessage?access_token=${access_token}`;
  expect((await h.post(path, { touser: 'x', template_id: 't' })).json).toEqual({ errcode: 0, errmsg: 'ok' });
  expect((await h.post(path, { touser: 'x' })).json['errcode']).toBe(40037);
});
