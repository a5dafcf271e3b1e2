import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { callThrough, gatewayBefore, SHOP, SPARE, tokenQuery } from './gateway.fixture.ts';
import { exchangeBytes, valuesOf } from './wire.fixture.ts';

describe('injecting', () => {
  test('a call without a token gets one, and the answer comes back as it was', async () => {
    const { gw, up } = await gatewayBefore();
    const answer = await callThrough(gw, '/wxa/msg_sec_check?a=1', {
      method: 'POST',
      body: '{"x":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(answer).toMatchObject({ status: 200, text: '{"errcode":0,"errmsg":"ok"}' });
    expect(up.seen[0]).toMatchObject({
      method: 'POST',
      url: `/wxa/msg_sec_check?${tokenQuery(gw)}&a=1`,
      body: Buffer.from('{"x":1}'),
    });
    expect(valuesOf(up.seen[0]?.headers ?? [], 'host')).toEqual([new URL(up.origin).host]);
  });

  test('an empty access_token counts as none', async () => {
    const { gw, up } = await gatewayBefore();
    for (const query of [
      'access_token=&a=%20b',
      'a=%20b&access%5ftoken',
      'a=%20b&cloudbase_access_token=&access_token=',
    ]) {
      await callThrough(gw, `/wxa/x?${query}`);
      expect(up.seen.at(-1)?.url).toBe(`/wxa/x?${tokenQuery(gw)}&a=%20b`);
    }
  });

  test('whatever else is in the query passes byte for byte, with exactly one token and no from_appid', async () => {
    const { gw, up } = await gatewayBefore();
    const other = fc.stringMatching(/^[!-"$%'-~]{0,10}$/).filter(text => !/^[^=]*(?:_|%)/.test(text));
    await fc.assert(
      fc.asyncProperty(
        fc.array(other, { maxLength: 4 }),
        fc.array(other, { maxLength: 4 }),
        fc.boolean(),
        async (before, after, named) => {
          const query = [...before, ...(named ? [`from_appid=${SPARE.appid}`] : []), ...after].join('&');
          const raw = await exchangeBytes(
            gw.port,
            `GET /wxa/x?${query} HTTP/1.1\r\nConnection: close\r\n\r\n`,
          );
          expect(raw).toMatch(/^HTTP\/1\.1 200 /);
          const rest = [...before, ...after].join('&');
          const token = tokenQuery(gw, named ? SPARE : SHOP);
          expect(up.seen.at(-1)?.url).toBe(`/wxa/x?${token}${rest === '' ? '' : `&${rest}`}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('without a credential nothing goes out', async () => {
    const { gw, up } = await gatewayBefore();
    gw.authority.failure = new BridgeError(
      'CREDENTIAL_UNAVAILABLE',
      'no access_token for shop (wx00000000000000a1)',
      {
        upstream: { errcode: 40125, errmsg: 'invalid appsecret rid: 65a1b2c3-0f0f0f0f-1a2b3c4d' },
        hint: 'set the right secret',
        retryAfterMs: 1500,
      },
    );
    const answer = await callThrough(gw, '/wxa/x');
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.json()).toMatchObject({
      errcode: 40125,
      error_code: '40125',
      error_type: 'SafeLinkError',
      errmsg: expect.stringMatching(/shop.*40125 invalid appsecret.*set the right secret/),
    });
    expect(up.seen).toHaveLength(0);
  });

  test('an authority that fails unforeseen does not tell callers how', async () => {
    const { gw, up } = await gatewayBefore();
    gw.authority.failure = new Error('secret detail');
    const answer = await callThrough(gw, '/wxa/x');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret detail');
    expect(gw.log.lines.find(line => line.level === 'error')).toMatchObject({
      fields: { seqid: answer.headers['x-openapi-seqid'] },
    });
    expect(up.seen).toHaveLength(0);
  });
});

describe("a caller's own token", () => {
  test.each([
    'access_token=MINE&a=1',
    'a=1&cloudbase_access_token=MINE',
    'access%5Ftoken=MINE',
    'access_token=&cloudbase_access_token=MINE',
  ])('is left alone and needs no listing: %s', async query => {
    const { gw, up } = await gatewayBefore({ allow: [], enabled: false });
    expect(await callThrough(gw, `/wxa/x?${query}`)).toMatchObject({ status: 200 });
    expect(up.seen[0]?.url).toBe(`/wxa/x?${query}`);
    expect(gw.records[0]).toMatchObject({ injected: false, credential: undefined });
  });

  test('is not repaired: a refusal passes as it is', async () => {
    const body = '{"errcode":40001,"errmsg":"invalid credential"}';
    const { gw, up } = await gatewayBefore({}, (_req, res) => res.end(body));
    expect(await callThrough(gw, '/wxa/x?access_token=MINE')).toMatchObject({ status: 200, text: body });
    expect(up.seen).toHaveLength(1);
    expect(gw.authority.reports).toHaveLength(0);
    expect(gw.records[0]).toMatchObject({ errcode: 40001, replayed: false });
  });

  test('keeps its meaning with any from_appid, which goes no further', async () => {
    const { gw, up } = await gatewayBefore();
    await callThrough(gw, '/wxa/x?from_appid=wxunknown&access_token=MINE');
    expect(up.seen[0]?.url).toBe('/wxa/x?access_token=MINE');
  });

  test('given twice is refused', async () => {
    const { gw, up } = await gatewayBefore();
    expect(await callThrough(gw, '/wxa/x?access_token=A&access%5Ftoken=B')).toMatchObject({ status: 400 });
    expect(await callThrough(gw, '/wxa/x?from_appid=A&from_appid=B')).toMatchObject({ status: 400 });
    expect(up.seen).toHaveLength(0);
  });
});

describe('paths', () => {
  test('that take no token pass untouched and unlisted', async () => {
    const { gw, up } = await gatewayBefore({ allow: [] });
    const target = '/sns/jscode2session?appid=a&secret=s&js_code=c&access_token=';
    expect(await callThrough(gw, target)).toMatchObject({ status: 200 });
    expect(up.seen[0]?.url).toBe(target);
  });

  test('of third-party platforms are refused clearly', async () => {
    const { gw, up } = await gatewayBefore();
    const answer = await callThrough(gw, '/cgi-bin/component/api_query_auth', { method: 'POST' });
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({
      errcode: 990503,
      errmsg: expect.stringContaining('component_access_token'),
    });
    expect(up.seen).toHaveLength(0);
  });

  test('of services that are not offered are refused clearly', async () => {
    const { gw, up } = await gatewayBefore();
    const answer = await callThrough(gw, '/_/pay/unifiedorder?access_token=x', { method: 'POST' });
    expect(answer.status).toBe(404);
    expect(answer.json()).toMatchObject({
      errcode: 990404,
      errmsg: expect.stringContaining('/_/pay/unifiedorder'),
    });
    expect(up.seen).toHaveLength(0);
  });

  test('that are not listed are refused in both dialects', async () => {
    const { gw, up } = await gatewayBefore({ allow: ['/wxa/x'] });
    const answer = await callThrough(gw, '/wxa/y?openid=secret');
    expect(answer.status).toBe(403);
    const seqid = answer.headers['x-openapi-seqid'];
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json()).toEqual({
      errcode: 85107,
      errmsg: expect.stringMatching(/URL不在白名单内.*add "\/wxa\/y" to openapi\.allow/),
      request_id: seqid,
      error_type: 'SafeLinkError',
      error_code: '85107',
      error_message: answer.json()['errmsg'],
    });
    expect(up.seen).toHaveLength(0);
    gw.access.replace({ enabled: true, allow: ['/wxa/y'] });
    expect(await callThrough(gw, '/wxa/y')).toMatchObject({ status: 200 });
    gw.access.replace({ enabled: false, allow: ['/wxa/y'] });
    expect(await callThrough(gw, '/wxa/y')).toMatchObject({ status: 403 });
  });
});
