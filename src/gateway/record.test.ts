import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { callThrough, createTestAuthority, gatewayBefore, SHOP, upstreamsAt } from './gateway.fixture.ts';
import { createGateway } from './gateway.ts';
import type { CallRecord } from './record.ts';

describe('recording', () => {
  const RID = '65a1b2c3-0f0f0f0f-1a2b3c4d';

  test('every answer has an id of its own, and a record under it', async () => {
    const { gw } = await gatewayBefore({ allow: ['/wxa/x'] }, (_req, res) => {
      res.setHeader('x-openapi-seqid', 'of-another-gateway');
      res.setHeader('content-encoding', 'gzip');
      res.end(gzipSync(`{"errcode":48001,"errmsg":"api unauthorized, rid: ${RID}"}`));
    });
    const one = await callThrough(gw, '/wxa/x?openid=o', { method: 'POST', body: 'abc' });
    const two = await callThrough(gw, '/wxa/y');
    const ids = [one, two].map(each => each.headers['x-openapi-seqid']);
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toMatch(/^[0-9a-f]+-[0-9a-f]{16}$/);
    expect(gw.records).toEqual([
      {
        seqid: ids[0],
        startedAt: expect.any(Number),
        durationMs: expect.any(Number),
        upstreamMs: expect.any(Number),
        sends: 1,
        method: 'POST',
        path: '/wxa/x',
        remoteAddress: '127.0.0.1',
        caller: 'local',
        platform: 'weixin-mp',
        app: 'shop',
        appid: SHOP.appid,
        injected: true,
        credential: expect.stringMatching(/^[0-9a-f]{16}$/),
        status: 200,
        errcode: 48001,
        rid: RID,
        failure: undefined,
        replayed: false,
        requestBytes: 3,
        answerBytes: expect.any(Number),
        end: 'whole',
      },
      expect.objectContaining({
        seqid: ids[1],
        status: 403,
        errcode: 85107,
        failure: 'PATH_NOT_LISTED',
        injected: false,
      }),
    ]);
    expect(gw.log.lines.filter(line => line.message === 'call')).toHaveLength(2);
  });

  test('a call that went well is logged at debug, one that failed or was repaired at info', async () => {
    let refusals = 1;
    const { gw } = await gatewayBefore({ allow: ['/wxa/*'] }, (req, res) => {
      const path = req.url ?? '';
      if (path.startsWith('/wxa/missing')) res.statusCode = 404;
      if (path.startsWith('/wxa/cut')) {
        res.setHeader('content-length', 1_000_000);
        res.write('x'.repeat(100_000), () => req.socket.destroy());
      } else if (path.startsWith('/wxa/busy')) {
        res.end('{"errcode":-1,"errmsg":"system error"}');
      } else if (path.startsWith('/wxa/stale') && refusals > 0) {
        refusals -= 1;
        res.end('{"errcode":40001,"errmsg":"invalid credential"}');
      } else res.end('{"errcode":0}');
    });
    const paths = ['/wxa/fine', '/wxa/missing', '/wxa/cut', '/wxa/busy', '/wxa/stale', '/cgi-bin/refused'];
    for (const path of paths) await callThrough(gw, path).catch(() => {});
    await expect.poll(() => gw.records).toHaveLength(paths.length);
    const logged = gw.log.lines.filter(line => line.message === 'call');
    expect(logged.map(({ level, fields }) => [level, (fields as CallRecord).path])).toEqual([
      ['debug', '/wxa/fine'],
      ...paths.slice(1).map(path => ['info', path]),
    ]);
    expect(logged.map(line => line.fields)).toEqual(gw.records);
  });

  test('nothing secret or personal is logged, recorded or answered', async () => {
    const { gw } = await gatewayBefore({ allow: ['/wxa/*', '/cgi-bin/*'] }, (req, res) => {
      if (req.url?.startsWith('/wxa/refused')) res.end(`{"errcode":40001,"errmsg":"${req.url}"}`);
      else if (req.url?.startsWith('/wxa/cut')) req.socket.destroy();
      else res.end('{"openid":"canary-openid","errcode":0}');
    });
    const answers = [];
    for (const path of [
      '/wxa/x',
      '/wxa/cut',
      '/wxa/x%00',
      '/sns/x',
      '/other',
      '/cgi-bin/component/x',
      '/_/x',
      '/wxa/x?from_appid=nobody&canary-openid',
    ]) {
      const target = `${path}${path.includes('?') ? '&' : '?'}openid=canary-openid`;
      answers.push(
        await callThrough(gw, target, {
          method: 'POST',
          body: '{"openid":"canary-openid"}',
          headers: { 'x-bridge-key': 'canary-key' },
        }),
      );
    }
    gw.authority.mode = 'fail';
    answers.push(await callThrough(gw, '/wxa/refused?openid=canary-openid', { method: 'POST' }));
    gw.authority.failure = new Error('while fetching ?openid=canary-openid');
    answers.push(await callThrough(gw, '/wxa/x?openid=canary-openid'));
    expect(answers.map(each => each.status)).toEqual([200, 502, 400, 200, 403, 503, 404, 404, 200, 500]);
    const told = answers
      .filter(each => each.status !== 200)
      .map(each => each.text + JSON.stringify(each.headers));
    for (const text of [...told, gw.log.text(), JSON.stringify(gw.records)])
      expect(text).not.toMatch(/canary/);
  });
});

test('settings that cannot be used are named when the gateway is made', async () => {
  const { gw } = await gatewayBefore();
  const make = (change: object) => () =>
    createGateway({
      platforms: new Map(),
      apps: gw.apps,
      access: gw.access,
      authority: createTestAuthority(),
      tokens: gw.tokens,
      takeBudget: async () => {},
      settings: () => ({ ...gw.live.settings, ...change }),
      clock: { now: () => 0, sleep: async () => {} },
      randomHex: () => '00',
      log: gw.log,
      tmpDir: '/tmp',
    });
  expect(make({ timeoutMs: 0 })).toThrow('gateway.timeoutMs must be a whole number of at least 1');
  expect(make({ connectionsPerOrigin: 0.5 })).toThrow('gateway.connectionsPerOrigin');
  expect(make({ upstream: { ...upstreamsAt('https://h'), weixin: 'api.weixin.qq.com' } })).toThrow(
    'upstream.weixin must be an absolute URL',
  );
  expect(make({ upstream: { ...upstreamsAt('https://h'), weixin: 'ftp://api.weixin.qq.com' } })).toThrow(
    'upstream.weixin must begin with http',
  );
  expect(make({ upstream: { ...upstreamsAt('https://h'), weixin: 'https://u:canary@h' } })).toThrow(
    /^(?!.*canary).*user name/,
  );
  expect(make({ upstream: { ...upstreamsAt('https://h'), weixin: 'https://h/path' } })).toThrow(
    'without path',
  );
});
