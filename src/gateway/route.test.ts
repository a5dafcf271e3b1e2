import { describe, expect, test } from 'vitest';
import { hashCallerKey } from '../access/callers.ts';
import { BridgeError } from '../base/errors.ts';
import {
  appOf,
  callerOf,
  callThrough,
  gatewayBefore,
  NEWS,
  SHOP,
  SPARE,
  tokenQuery,
} from './gateway.fixture.ts';
import { exchangeBytes } from './wire.fixture.ts';

describe('routing', () => {
  test.each([
    'api.weixin.qq.com',
    'API.weixin.QQ.com:80',
    '127.0.0.1:7280',
    'localhost',
    '10.0.0.2',
    'bridge',
    'bridge.internal',
    '[::1]:7280',
  ])('Host %s reaches the platform', async host => {
    const { gw, up } = await gatewayBefore();
    expect(await callThrough(gw, '/wxa/x', { headers: { host } })).toMatchObject({ status: 200 });
    expect(up.seen).toHaveLength(1);
  });

  test('no Host at all will do', async () => {
    const { gw } = await gatewayBefore();
    expect(await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  test('the host of an absolute target wins over Host, and other sites are not relayed', async () => {
    const { gw, up } = await gatewayBefore();
    const get = (target: string): Promise<string> =>
      exchangeBytes(gw.port, `GET ${target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    expect(await get('http://api.weixin.qq.com/wxa/x?a')).toMatch(/^HTTP\/1\.1 200 /);
    expect(up.seen[0]?.url).toBe(`/wxa/x?${tokenQuery(gw)}&a`);
    expect(await get('http://www.example.com/wxa/x')).toMatch(
      /^HTTP\/1\.1 404 [\s\S]*no general proxy and does not relay www\.example\.com/,
    );
    expect(await get('http://127.0.0.1/wxa/x')).toMatch(/^HTTP\/1\.1 200 /);
    expect(up.seen).toHaveLength(2);
  });

  test('from_appid names the app by appid or name', async () => {
    const { gw, up } = await gatewayBefore();
    await callThrough(gw, `/wxa/x?from_appid=${SPARE.appid}`);
    expect(up.seen[0]?.url).toBe(`/wxa/x?${tokenQuery(gw, SPARE)}`);
    await callThrough(gw, '/cgi-bin/x?a&from_appid=news');
    expect(up.seen[1]?.url).toBe(`/cgi-bin/x?${tokenQuery(gw, NEWS)}&a`);
    expect(gw.records[1]).toMatchObject({ app: 'news', appid: NEWS.appid, platform: 'weixin-h5' });
  });

  test('an unknown app is refused, naming those there are', async () => {
    const { gw, up } = await gatewayBefore();
    const answer = await callThrough(gw, '/wxa/x?from_appid=wxnobody');
    expect(answer.status).toBe(404);
    expect(answer.json()['errmsg']).toMatch(/wxnobody.*shop.*spare/);
    expect(up.seen).toHaveLength(0);
  });

  test('without a default app a call must name one', async () => {
    const { gw } = await gatewayBefore({ apps: [{ ...SHOP, default: false }, SPARE] });
    expect(await callThrough(gw, '/wxa/x')).toMatchObject({
      status: 404,
      text: expect.stringContaining('from_appid=<appid>'),
    });
    expect(await callThrough(gw, '/wxa/x?from_appid=shop')).toMatchObject({ status: 200 });
    expect(await callThrough(gw, '/sns/userinfo')).toMatchObject({ status: 200 });
  });

  test('a call to a host of QQ never carries a token of WeChat', async () => {
    const { gw, up } = await gatewayBefore({ apps: [SHOP] });
    const headers = { host: 'api.q.qq.com' };
    expect(await callThrough(gw, '/api/json/security/ImgSecCheck', { headers })).toMatchObject({
      status: 404,
      text: expect.stringContaining('from_appid'),
    });
    expect(await callThrough(gw, '/api/json/x?from_appid=shop', { headers })).toMatchObject({
      status: 404,
      text: expect.stringContaining('weixin-mp'),
    });
    await callThrough(gw, '/api/json/x?access_token=MINE', { headers });
    expect(up.seen.map(({ url }) => url)).toEqual(['/api/json/x?access_token=MINE']);
    expect(gw.records.at(-1)).toMatchObject({ app: undefined, platform: 'qq-mp' });
  });

  test('a call to a host of QQ carries the token of the QQ app', async () => {
    const qq = appOf('qq', '1100000001', 'qq-mp');
    const { gw, up } = await gatewayBefore({ apps: [SHOP, qq] });
    await callThrough(gw, '/api/json/x', { headers: { host: 'api.q.qq.com' } });
    expect(up.seen[0]?.url).toBe(`/api/json/x?${tokenQuery(gw, qq)}`);
  });

  test('of a mini program and a website app, which is issued no token, the mini program is meant', async () => {
    const { gw, up } = await gatewayBefore({
      apps: [appOf('site', 'wx00000000000000e1', 'weixin-web'), SPARE],
    });
    await callThrough(gw, '/wxa/x');
    expect(up.seen[0]?.url).toBe(`/wxa/x?${tokenQuery(gw, SPARE)}`);
  });

  test('without any app a call is refused with the step to take', async () => {
    const { gw } = await gatewayBefore({ apps: [] });
    expect(await callThrough(gw, '/wxa/x')).toMatchObject({
      status: 404,
      text: expect.stringContaining('under \\"apps\\"'),
    });
  });
});

describe('callers', () => {
  const callers = [
    callerOf('orders', { keys: [hashCallerKey('orders-key')], apps: ['spare'], allow: ['/wxa/*'] }),
    callerOf('both', { keys: [hashCallerKey('both-key')], apps: ['spare', NEWS.appid] }),
    callerOf('reader', { keys: [hashCallerKey('reader-key')], scopes: ['credential:read'] }),
    callerOf('machine', { addresses: ['127.0.0.0/8'] }),
  ];
  const as = (key: string) => ({ headers: { 'X-Bridge-Key': key } });

  test('are known by key, which goes no further, or by address', async () => {
    const { gw, up } = await gatewayBefore({ callers });
    expect(await callThrough(gw, '/wxa/x', as('orders-key'))).toMatchObject({ status: 200 });
    expect(await callThrough(gw, '/cgi-bin/x')).toMatchObject({ status: 200 });
    expect(gw.records.map(each => each.caller)).toEqual(['orders', 'machine']);
    expect(JSON.stringify(up.seen)).not.toContain('orders-key');
  });

  test('with a wrong key are refused, whatever their address', async () => {
    const { gw, up } = await gatewayBefore({ callers });
    const answer = await callThrough(gw, '/wxa/x', as('wrong-canary'));
    expect(answer).toMatchObject({ status: 401 });
    expect(answer.json()).toMatchObject({
      error_type: 'CallerError',
      errmsg: expect.stringContaining('x-bridge-key'),
    });
    expect(answer.text + gw.log.text()).not.toContain('wrong-canary');
    expect(up.seen).toHaveLength(0);
  });

  test('that may use one app only act as that one by default', async () => {
    const { gw, up } = await gatewayBefore({ callers });
    await callThrough(gw, '/wxa/x', as('orders-key'));
    expect(up.seen[0]?.url).toBe(`/wxa/x?${tokenQuery(gw, SPARE)}`);
  });

  test('may not act as other apps, nor call other paths, nor call at all without the right to', async () => {
    const { gw, up } = await gatewayBefore({ callers });
    expect(await callThrough(gw, '/wxa/x?from_appid=shop', as('orders-key'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('85105'),
    });
    expect(await callThrough(gw, '/cgi-bin/x', as('orders-key'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('callers[orders].allow'),
    });
    expect(await callThrough(gw, '/wxa/x', as('both-key'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('from_appid'),
    });
    expect(await callThrough(gw, '/wxa/x', as('reader-key'))).toMatchObject({
      status: 403,
      text: expect.stringContaining('callers[reader].scopes'),
    });
    expect(up.seen).toHaveLength(0);
  });
});

describe('budgets', () => {
  test('are taken for paths that have one, with the operator’s share for operators', async () => {
    const taken: unknown[] = [];
    const { gw, up } = await gatewayBefore({
      callers: [
        callerOf('operator', { keys: [hashCallerKey('op')], scopes: ['call', 'operate'] }),
        callerOf('anyone', { keys: [hashCallerKey('any')] }),
      ],
      takeBudget: async (app, rule, operator) => {
        taken.push([app.name, rule.name, operator]);
        if (!operator)
          throw new BridgeError('BUDGET_EXHAUSTED', 'clear_quota is used up', { retryAfterMs: 60_000 });
      },
    });
    const clear = (key: string, query = '') =>
      callThrough(gw, `/cgi-bin/clear_quota${query}`, {
        method: 'POST',
        body: '{}',
        headers: { 'x-bridge-key': key },
      });
    expect(await clear('op')).toMatchObject({ status: 200 });
    expect(await clear('any')).toMatchObject({ status: 429, headers: { 'retry-after': '60' } });
    expect(taken).toEqual([
      ['shop', 'clear-quota', true],
      ['shop', 'clear-quota', false],
    ]);
    expect(await clear('any', '?access_token=MINE')).toMatchObject({ status: 200 });
    await callThrough(gw, '/wxa/x', { headers: { 'x-bridge-key': 'any' } });
    expect(taken).toHaveLength(2);
    expect(up.seen).toHaveLength(3);
  });
});
