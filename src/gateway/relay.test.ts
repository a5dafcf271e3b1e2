import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hashCallerKey } from '../access/callers.ts';
import { Secret } from '../base/secret.ts';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { callerOf, callThrough, NEWS, SHOP, startGateway, upstreamsAt } from './gateway.fixture.ts';
import type { Respond, TestUpstream } from './wire.fixture.ts';
import {
  exchangeBytes,
  inPieces,
  sha256,
  startUpstream,
  startUpstreamWith,
  valuesOf,
} from './wire.fixture.ts';

const FOLLOW_KEY = 'canary-follow-key-0123456789';
const SEQID = '65a1b2c3-0f0f0f0f0f0f0f0f0f0f0f0f';
const MIB = 1024 * 1024;

/** Answers as the gateway of another bridge does. */
const answering =
  (status: number, body: string): Respond =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', 'x-openapi-seqid': SEQID });
    res.end(body);
  };
const OK = answering(200, '{"errcode":0,"errmsg":"ok"}');

/** A gateway that follows, before a stand-in for the one that is followed; its own authority works, and is not to be asked. */
async function setup(
  options: Omit<TestGatewayOptions, 'origin'> = {},
  followed: Respond | TestUpstream = OK,
): Promise<{ gw: TestGateway; up: TestUpstream; states: string[] }> {
  const up = typeof followed === 'function' ? await startUpstream(followed) : followed;
  const states: string[] = [];
  const gw = await startGateway({
    origin: 'http://127.0.0.1:9',
    ...options,
    onFollowed: state => states.push(state),
    settings: {
      follow: { gateway: up.origin, key: new Secret(FOLLOW_KEY), ca: undefined },
      ...options.settings,
    },
  });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  return { gw, up, states };
}

const last = (up: TestUpstream): readonly string[] => up.seen.at(-1)?.headers ?? [];

describe('what is sent to the bridge that is followed', () => {
  test('is the call with our key, the app and the platform, and no token', async () => {
    const { gw, up } = await setup();
    expect((await callThrough(gw, '/wxa/x?a=%20b')).status).toBe(200);
    expect(up.seen[0]?.url).toBe(`/wxa/x?from_appid=${SHOP.appid}&a=%20b`);
    expect(valuesOf(last(up), 'x-bridge-key')).toEqual([FOLLOW_KEY]);
    expect(valuesOf(last(up), 'x-bridge-host')).toEqual(['api.weixin.qq.com']);
    expect(valuesOf(last(up), 'x-bridge-hops')).toEqual(['1']);
    expect(valuesOf(last(up), 'host')).toEqual([new URL(up.origin).host]);
    expect(JSON.stringify(up.seen)).not.toContain('canary-token');
  });

  test("never holds the caller's own key, hops or host, however they are written", async () => {
    const key = 'canary-key-of-the-caller-0123';
    const { gw, up } = await setup({ callers: [callerOf('app', { keys: [hashCallerKey(key)] })] });
    const raw = await exchangeBytes(
      gw.port,
      `GET /wxa/x HTTP/1.1\r\nHost: localhost\r\nX-Bridge-Key: ${key}\r\nX-BRIDGE-HOPS: 2\r\nx-Bridge-host: api.weixin.qq.com\r\nConnection: close, x-bridge-key, x-bridge-hops\r\n\r\n`,
    );
    expect(raw).toMatch(/^HTTP\/1\.1 200 /);
    expect(last(up).join('\n')).not.toContain(key);
    expect(valuesOf(last(up), 'x-bridge-key')).toEqual([FOLLOW_KEY]);
    expect(valuesOf(last(up), 'x-bridge-hops')).toEqual(['3']);
    expect(valuesOf(last(up), 'x-bridge-host')).toEqual(['api.weixin.qq.com']);
    expect(raw + gw.log.text()).not.toContain(FOLLOW_KEY);
    expect(raw + gw.log.text()).not.toContain(key);
  });

  test('has whatever else is in the query byte for byte, with the app once and no stand-in for a token', async () => {
    const { gw, up } = await setup();
    const virtual = gw.tokens.virtual.issue({ caller: 'local', grounds: 'address', appid: NEWS.appid });
    const other = fc.stringMatching(/^[!-"$%'-~]{0,10}$/).filter(text => !/^[^=]*(?:_|%)/.test(text));
    const token = fc.constantFrom(
      'access_token=',
      `access_token=${virtual}`,
      `cloudbase_access_token=${virtual}`,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(other, { maxLength: 3 }),
        token,
        fc.array(other, { maxLength: 3 }),
        async (a, t, b) => {
          const query = [...a, t, ...b].join('&');
          const raw = await exchangeBytes(
            gw.port,
            `GET /wxa/x?${query} HTTP/1.1\r\nConnection: close\r\n\r\n`,
          );
          expect(raw).toMatch(/^HTTP\/1\.1 200 /);
          const app = t.endsWith('=') ? SHOP : NEWS;
          const rest = [...a, ...b].join('&');
          expect(up.seen.at(-1)?.url).toBe(`/wxa/x?from_appid=${app.appid}${rest === '' ? '' : `&${rest}`}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("is a real token of the caller's own as it came, for the app it names", async () => {
    const { gw, up } = await setup();
    await callThrough(gw, `/wxa/x?access_token=MINE%2B&from_appid=${NEWS.appid}&cloudbase_access_token=`);
    expect(up.seen[0]?.url).toBe(
      `/wxa/x?from_appid=${NEWS.appid}&access_token=MINE%2B&cloudbase_access_token=`,
    );
  });

  test('names the other platforms by their hosts', async () => {
    const { gw, up } = await setup();
    await callThrough(gw, '/sns/jscode2session?appid=1&secret=2&js_code=3', {
      headers: { host: 'api.q.qq.com' },
    });
    expect(up.seen[0]?.url).toBe('/sns/jscode2session?appid=1&secret=2&js_code=3');
    expect(valuesOf(last(up), 'x-bridge-host')).toEqual(['api.q.qq.com']);
  });
});

describe('what comes back', () => {
  test.each([
    [200, '{"errcode":40001,"errmsg":"invalid credential rid: 65a1b2c3-0f0f0f0f-1a2b3c4d"}'],
    [403, '{"errcode":85107,"errmsg":"URL不在白名单内"}'],
    [503, '{"errcode":40164,"errmsg":"invalid ip"}'],
    [504, '{"errcode":990504,"errmsg":"took too long"}'],
    [401, '{"errcode":1,"errmsg":"a platform of its own mind"}'],
  ])('%d %s is passed on whole, and nothing is sent twice', async (status, body) => {
    const { gw, up, states } = await setup({}, answering(status, body));
    const answer = await callThrough(gw, '/wxa/x', { method: 'POST', body: '{}' });
    expect(answer).toMatchObject({ status, text: body });
    expect(answer.headers['x-openapi-seqid-followed']).toBe(SEQID);
    expect(answer.headers['x-openapi-seqid']).not.toBe(SEQID);
    expect(up.seen).toHaveLength(1);
    expect(gw.authority.reports).toEqual([]);
    expect(states).toEqual(['ok']);
    expect(await gw.record(1)).toMatchObject({
      injected: false,
      replayed: false,
      sends: 1,
      credential: undefined,
    });
  });

  test.each([990401, 990411])(
    'a refusal of our key (%d) is told as one of ours, naming the setting',
    async errcode => {
      const told = answering(401, JSON.stringify({ errcode, errmsg: 'because' }));
      const { gw, states } = await setup({}, told);
      const answer = await callThrough(gw, '/wxa/x');
      expect(answer).toMatchObject({ status: 502 });
      expect(answer.json()).toMatchObject({
        errcode: 990522,
        errmsg: expect.stringMatching(/follow\.key: because/),
      });
      expect(states).toEqual(['refuses follow.key']);
      expect(await gw.record(1)).toMatchObject({ failure: 'FOLLOW_REFUSED', errcode: 990522 });
    },
  );

  test('an answer of anything but a gateway is not taken, small or large', async () => {
    const page: Respond = (_req, res) =>
      res.writeHead(504, { 'content-type': 'text/html' }).end('x'.repeat(200_000));
    for (const respond of [page, ((_req, res) => res.end('{"errcode":0}')) satisfies Respond]) {
      const { gw, states } = await setup({}, respond);
      const answer = await callThrough(gw, '/wxa/x');
      expect(answer).toMatchObject({ status: 502 });
      expect(answer.json()['errmsg']).toMatch(/no gateway of open-bridge; set follow\.gateway/);
      expect(states).toEqual(['is no gateway of open-bridge']);
    }
  });

  test('the ids of further bridges stand behind the nearest', async () => {
    const { gw } = await setup({}, (_req, res) => {
      res.writeHead(200, { 'x-openapi-seqid': 'near', 'X-OpenAPI-SeqId-Followed': 'farther, farthest' });
      res.end('{}');
    });
    expect((await callThrough(gw, '/wxa/x')).headers['x-openapi-seqid-followed']).toBe(
      'near, farther, farthest',
    );
  });

  test('32 MiB go both ways, and one byte more does not', async () => {
    const body = randomBytes(32 * MIB);
    const up = await startUpstreamWith((req, res) => {
      const hash = createHash('sha256');
      req.on('data', chunk => hash.update(chunk));
      req.on('end', () => {
        res.writeHead(200, {
          ...{ 'content-type': 'image/png', 'content-length': body.length, 'x-openapi-seqid': SEQID },
          'x-got': hash.digest('hex'),
        });
        res.end(body);
      });
    });
    const { gw } = await setup({}, up);
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: inPieces(body) });
    expect(answer.headers['x-got']).toBe(sha256(body));
    expect(sha256(Buffer.from(await answer.body.arrayBuffer()))).toBe(sha256(body));
    const over = { method: 'POST', headers: { 'content-length': String(32 * MIB + 1) } } as const;
    expect(
      await exchangeBytes(
        gw.port,
        `POST /wxa/x HTTP/1.1\r\nContent-Length: ${over.headers['content-length']}\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('hops', () => {
  const hopping = (gw: TestGateway, hops: string): Promise<string> =>
    exchangeBytes(gw.port, `GET /wxa/x HTTP/1.1\r\n${hops}Connection: close\r\n\r\n`);

  test('are counted, and too many refused', async () => {
    const { gw, up } = await setup();
    for (const [hops, status] of [
      ['', 200],
      ['x-bridge-hops: 3\r\n', 200],
      ['x-bridge-hops: 4\r\n', 508],
      ['x-bridge-hops: 999\r\n', 508],
    ] as const)
      expect(await hopping(gw, hops)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(up.seen).toHaveLength(2);
  });

  test.each(['-1', '', '1e3', '1000', '1, 1', '٣'])('are refused when they are %o', async hops => {
    const { gw, up } = await setup();
    expect(await hopping(gw, `x-bridge-hops: ${hops}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await hopping(gw, 'x-bridge-hops: 1\r\nx-bridge-hops: 1\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(up.seen).toEqual([]);
  });
});

describe('at the bridge that is followed', () => {
  test('what followers add decides the platform and goes no further', async () => {
    const platforms = { weixin: await startUpstream(OK), qq: await startUpstream(OK) };
    const gw = await startGateway({
      origin: '',
      settings: { upstream: { ...upstreamsAt(platforms.weixin.origin), qq: platforms.qq.origin } },
    });
    onTestFinished(async () => {
      await gw.close();
      for (const each of Object.values(platforms)) await each.close();
    });
    const sent = { 'x-bridge-hops': '9', 'x-bridge-key': 'any', host: 'bridge.internal' };
    const to = (host: string) => ({ headers: { ...sent, 'x-bridge-host': host } });
    await callThrough(gw, '/sns/jscode2session?js_code=1', to('api.q.qq.com'));
    await callThrough(gw, '/wxa/x', to('api.weixin.qq.com'));
    expect(platforms.qq.seen).toHaveLength(1);
    expect(platforms.weixin.seen).toHaveLength(1);
    const passed = JSON.stringify([platforms.qq.seen, platforms.weixin.seen]);
    expect(passed.toLowerCase()).not.toContain('x-bridge-');
  });

  test('a host that is named twice is refused', async () => {
    const { gw } = await setup();
    const twice = 'x-bridge-host: api.q.qq.com\r\nX-Bridge-Host: api.weixin.qq.com\r\n';
    expect(await exchangeBytes(gw.port, `GET /wxa/x HTTP/1.1\r\n${twice}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });
});

test('a gateway that follows does not turn to the platforms when its settings say so', async () => {
  const { gw, up } = await setup({ settings: {} });
  const platform = await startUpstream(OK);
  onTestFinished(() => platform.close());
  gw.live.settings = { ...gw.live.settings, follow: undefined, upstream: upstreamsAt(platform.origin) };
  expect((await callThrough(gw, '/wxa/x')).status).toBe(500);
  expect([...up.seen, ...platform.seen]).toEqual([]);
});

test('nor does one with credentials give a token to a bridge that it is told to follow', async () => {
  const [platform, other] = [await startUpstream(OK), await startUpstream(OK)];
  const gw = await startGateway({ origin: platform.origin });
  onTestFinished(async () => {
    await gw.close();
    await Promise.all([platform.close(), other.close()]);
  });
  gw.live.settings = {
    ...gw.live.settings,
    follow: { gateway: other.origin, key: new Secret(FOLLOW_KEY), ca: undefined },
  };
  expect((await callThrough(gw, '/wxa/x')).status).toBe(200);
  expect(platform.seen).toHaveLength(1);
  expect(other.seen).toEqual([]);
});
