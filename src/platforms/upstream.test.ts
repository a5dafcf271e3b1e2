import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { startSimulator } from '../simulator/index.ts';
import { appOf } from './app.fixture.ts';
import { describeNetworkError, networkErrorCode } from './network-error.ts';
import type { PlatformId, UpstreamId, UpstreamRequest } from './platform.ts';
import { platformOf } from './platforms.ts';
import { createUpstream, type UpstreamAnswer } from './upstream.ts';

const CANARY = 'canary-secret-0123456789abcdef';
const app = appOf({ secret: new Secret(CANARY), tokenMode: 'classic' });
const platform = platformOf('weixin-mp');

/** Both places where a secret travels. */
const REQUESTS: readonly UpstreamRequest[] = [
  { method: 'GET', path: '/cgi-bin/token', query: { appid: 'wx01', secret: CANARY } },
  { method: 'POST', path: '/cgi-bin/stable_token', json: { appid: 'wx01', secret: CANARY } },
];

/** The same server in the place of every platform. */
function everywhere(origin: string): Record<UpstreamId, string> {
  return { weixin: origin, qq: origin, qqConnect: origin };
}

function send(origin: string, request = REQUESTS[0], signal?: AbortSignal): Promise<UpstreamAnswer> {
  const upstream = createUpstream({ origins: () => everywhere(origin) });
  onTestFinished(() => upstream.close());
  if (request === undefined) throw new Error('no request');
  return upstream.send(app, platform, request, signal ?? new AbortController().signal);
}

/** A server that answers as it is told, on a port of its own. */
async function serverThat(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering =
  (text: string, status = 200) =>
  (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  };

async function failureOf(work: Promise<unknown>): Promise<BridgeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BridgeError)) throw new Error(`expected a BridgeError, got ${String(error)}`);
  return error;
}

test('a request arrives as described, and the answer comes back', async () => {
  const seen: string[] = [];
  const origin = await serverThat((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      seen.push(
        `${request.method} ${request.url} ${request.headers['content-type']} ${Buffer.concat(chunks)}`,
      );
      response.end('{"access_token":"T","expires_in":7200}');
    });
  });
  expect(await send(origin, REQUESTS[0])).toEqual({
    ok: true,
    body: { access_token: 'T', expires_in: 7200 },
  });
  expect(await send(origin, REQUESTS[1])).toMatchObject({ ok: true });
  expect(seen).toEqual([
    `GET /cgi-bin/token?appid=wx01&secret=${CANARY} undefined `,
    `POST /cgi-bin/stable_token undefined {"appid":"wx01","secret":"${CANARY}"}`.replace(
      'undefined',
      'application/json',
    ),
  ]);
});

test('query values are encoded', async () => {
  const origin = await serverThat((request, response) => {
    response.end(JSON.stringify({ url: request.url }));
  });
  const query = { access_token: 'a+b/c=d&e f', type: 'jsapi' };
  const answer = await send(origin, { method: 'GET', path: '/cgi-bin/ticket/getticket', query });
  expect(answer).toEqual({
    ok: true,
    body: { url: '/cgi-bin/ticket/getticket?access_token=a%2Bb%2Fc%3Dd%26e+f&type=jsapi' },
  });
});

test('a refusal keeps errcode and errmsg word for word', async () => {
  const errmsg = 'invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 1-2-3';
  const origin = await serverThat(answering(JSON.stringify({ errcode: 40164, errmsg })));
  expect(await send(origin)).toEqual({
    ok: false,
    refusal: { errcode: 40164, errmsg, rule: platform.errorRule(40164) },
  });
});

test.each(REQUESTS)('an errmsg that repeats what was sent is told without it: $method', async request => {
  const secret = 'canary+secret/of=the app';
  const sent = { appid: 'wx0000000000000001', secret, openid: 'oCanary-0123456789', type: 'jsapi' };
  const errmsg = `wx0000000000000001 jsapi: bad secret ${secret}, ?secret=${encodeURIComponent(secret)} of oCanary-0123456789`;
  const origin = await serverThat(answering(JSON.stringify({ errcode: 40125, errmsg })));
  const { query, json, ...where } = request;
  const answer = await send(origin, { ...where, ...(query && { query: sent }), ...(json && { json: sent }) });
  expect(answer).toMatchObject({
    refusal: { errcode: 40125, errmsg: 'wx0000000000000001 jsapi: bad secret ***, ?secret=*** of ***' },
  });
});

test.each([
  ['{"errcode":0,"errmsg":"ok","ticket":"T"}', true],
  ['{"errcode":"0","ticket":"T"}', true],
  ['{"errcode":null,"ticket":"T"}', true],
  ['{"errcode":"40001"}', false],
  ['{"errcode":-1}', false],
])('%s is read with ok %s', async (text, ok) => {
  expect(await send(await serverThat(answering(text)))).toMatchObject({ ok });
});

/** What an answer is taken for on a platform whose server gives it. */
async function readOn(id: PlatformId, text: string): Promise<UpstreamAnswer> {
  const origin = await serverThat(answering(text));
  const upstream = createUpstream({ origins: () => everywhere(origin) });
  onTestFinished(() => upstream.close());
  const request: UpstreamRequest = { method: 'GET', path: '/' };
  return upstream.send(appOf({ platform: id }), platformOf(id), request, new AbortController().signal);
}

test('a refusal of QQ Connect is told in error and error_description', async () => {
  const text = '{"error":100016,"error_description":"access token check failed"}';
  expect(await readOn('qq-app', text)).toEqual({
    ok: false,
    refusal: {
      errcode: 100016,
      errmsg: 'access token check failed',
      rule: platformOf('qq-app').errorRule(100016),
    },
  });
  // On other platforms these fields are nothing but fields.
  expect(await readOn('weixin-web', text)).toMatchObject({ ok: true });
});

test.each([
  ['qq-app', '{"access_token":"T","expires_in":"7776000"}', undefined],
  ['qq-app', '{"error":0,"openid":"o"}', undefined],
  ['qq-app', '{"error":100020}', 100020],
  ['qq-app', '{"errcode":40029}', undefined],
  ['qq-mp', '{"errcode":0,"errmsg":"ok","access_token":"T"}', undefined],
  ['qq-mp', '{"errcode":40013,"errmsg":"invalid appid"}', 40013],
  ['qq-mp', '{"errCode":0,"errMsg":"ok"}', undefined],
  ['qq-mp', '{"errCode":-1800110107,"errMsg":"x"}', -1800110107],
  ['weixin-mp', '{"errCode":87014}', undefined],
] as const)('on %s, %s carries the errcode %s', async (id, text, errcode) => {
  expect(await readOn(id, text)).toMatchObject(
    errcode === undefined ? { ok: true, body: JSON.parse(text) } : { ok: false, refusal: { errcode } },
  );
});

test('a code of QQ Connect that is no number is no verdict', async () => {
  const error = await failureOf(readOn('qq-app', '{"error":"invalid_request","error_description":"x"}'));
  expect(error).toMatchObject({ code: 'UPSTREAM_UNREACHABLE', message: expect.stringContaining('errcode') });
});

test('each platform is asked at its own origin, by its own path', async () => {
  const named = (name: string) => serverThat(answering(JSON.stringify({ from: name })));
  const origins = { weixin: await named('weixin'), qq: await named('qq'), qqConnect: await named('connect') };
  const upstream = createUpstream({ origins: () => origins });
  onTestFinished(() => upstream.close());
  const asked = async (id: PlatformId): Promise<unknown> => {
    const request: UpstreamRequest = { method: 'GET', path: '/' };
    const { signal } = new AbortController();
    const answer = await upstream.send(appOf({ platform: id }), platformOf(id), request, signal);
    return answer.ok ? answer.body['from'] : answer.refusal;
  };
  expect(await asked('weixin-mp')).toBe('weixin');
  expect(await asked('weixin-h5')).toBe('weixin');
  expect(await asked('weixin-web')).toBe('weixin');
  expect(await asked('weixin-app')).toBe('weixin');
  expect(await asked('qq-mp')).toBe('qq');
  expect(await asked('qq-app')).toBe('connect');
});

test('a request without json has no body, not even an empty object', async () => {
  const seen: unknown[] = [];
  const origin = await serverThat((request, response) => {
    let size = 0;
    request.on('data', chunk => {
      size += chunk.length;
    });
    request.on('end', () => {
      const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
      seen.push({ size, length, coding });
      response.end('{}');
    });
  });
  await send(origin, { method: 'GET', path: '/wxa/checksession', query: { signature: 'x' } });
  expect(seen).toEqual([{ size: 0, length: undefined, coding: undefined }]);
});

test('the simulator and this client understand each other', async () => {
  const simulator = await startSimulator({ accounts: [{ appid: 'wx01', secret: CANARY, type: 'mp' }] });
  onTestFinished(() => simulator.close());
  const query = { grant_type: 'client_credential', appid: 'wx01', secret: CANARY };
  const good = await send(simulator.origin, { method: 'GET', path: '/cgi-bin/token', query });
  expect(good).toMatchObject({ ok: true, body: { expires_in: 7200 } });
  const wrong = { ...query, secret: 'wrong' };
  expect(await send(simulator.origin, { method: 'GET', path: '/cgi-bin/token', query: wrong })).toMatchObject(
    {
      ok: false,
      refusal: { errcode: 40125, rule: { class: 'configuration' } },
    },
  );
});

const BAD_ANSWERS: readonly [string, RequestListener][] = [
  ['an HTML page', answering('<html>portal</html>')],
  ['half an object', answering('{"access_token":"T"')],
  ['nothing', answering('')],
  ['an array', answering('[{"access_token":"T"}]')],
  ['null', answering('null')],
  ['a number', answering('42')],
  ['an errcode that is no number', answering('{"errcode":"oops","access_token":"T"}')],
  ['HTTP 500 with a good body', answering('{"access_token":"T"}', 500)],
  ['HTTP 404', answering('{}', 404)],
  [
    'a redirect',
    (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  ],
  ['65 KiB', answering(`{"access_token":"${'x'.repeat(65 * 1024)}"}`)],
  [
    'an endless stream',
    (_request, response) => {
      response.on('error', () => {});
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      };
      response.on('drain', pour);
      pour();
    },
  ],
  ['a cut connection', (request: IncomingMessage) => void request.socket.destroy()],
  [
    'a connection cut after the headers',
    (_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"access');
      setImmediate(() => response.destroy());
    },
  ],
];

for (const [name, listener] of BAD_ANSWERS) {
  test.each(REQUESTS)(`${name} is UPSTREAM_UNREACHABLE for $method, without the secret`, async request => {
    const error = await failureOf(send(await serverThat(listener), request));
    expect(error.code).toBe('UPSTREAM_UNREACHABLE');
    expect(everythingAbout(error)).not.toContain(CANARY);
  });
}

test.each(REQUESTS)('a port nobody listens on is UPSTREAM_UNREACHABLE for $method', async request => {
  const server = createTcpServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  const error = await failureOf(send(`http://127.0.0.1:${port}`, request));
  expect(error.code).toBe('UPSTREAM_UNREACHABLE');
  expect(error.message).toContain('ECONNREFUSED');
  expect(error.hint).toContain(`127.0.0.1:${port}`);
  expect(everythingAbout(error)).not.toContain(CANARY);
});

test.each(REQUESTS)('a silent platform ends with the reason of the signal for $method', async request => {
  const limit = new AbortController();
  const origin = await serverThat(() => limit.abort(new BridgeError('UPSTREAM_TIMEOUT', 'too slow')));
  const error = await failureOf(send(origin, request, limit.signal));
  expect(error).toMatchObject({ code: 'UPSTREAM_TIMEOUT', message: 'too slow' });
  expect(everythingAbout(error)).not.toContain(CANARY);
});

test('an answer that stops in its body ends with the signal too', async () => {
  const limit = new AbortController();
  const origin = await serverThat((_request, response) => {
    response.writeHead(200);
    response.write('{');
    setImmediate(() => limit.abort(new Error('anything else')));
  });
  const error = await failureOf(send(origin, REQUESTS[0], limit.signal));
  expect(error.code).toBe('UPSTREAM_TIMEOUT');
  expect(everythingAbout(error)).not.toContain(CANARY);
});

test('a signal that has aborted already sends nothing', async () => {
  let asked = 0;
  const origin = await serverThat((_request, response) => {
    asked += 1;
    response.end('{}');
  });
  const gone = AbortSignal.abort(new BridgeError('UPSTREAM_TIMEOUT', 'gone'));
  expect((await failureOf(send(origin, REQUESTS[0], gone))).message).toBe('gone');
  expect(asked).toBe(0);
});

test('the origin is looked up at every call', async () => {
  const first = await serverThat(answering('{"from":"first"}'));
  const second = await serverThat(answering('{"from":"second"}'));
  let origin = first;
  const upstream = createUpstream({ origins: () => everywhere(origin) });
  onTestFinished(() => upstream.close());
  const { signal } = new AbortController();
  const request: UpstreamRequest = { method: 'GET', path: '/' };
  expect(await upstream.send(app, platform, request, signal)).toMatchObject({ body: { from: 'first' } });
  origin = second;
  expect(await upstream.send(app, platform, request, signal)).toMatchObject({ body: { from: 'second' } });
});

test.each([
  ['UND_ERR_CONNECT_TIMEOUT', 'UPSTREAM_TIMEOUT'],
  ['UND_ERR_HEADERS_TIMEOUT', 'UPSTREAM_TIMEOUT'],
  ['UND_ERR_BODY_TIMEOUT', 'UPSTREAM_TIMEOUT'],
  ['ETIMEDOUT', 'UPSTREAM_TIMEOUT'],
  ['ECONNRESET', 'UPSTREAM_UNREACHABLE'],
  ['ENOTFOUND', 'UPSTREAM_UNREACHABLE'],
  ['CERT_HAS_EXPIRED', 'UPSTREAM_UNREACHABLE'],
])('%s is %s, also inside a wrapper, and its own words stay out', (code, expected) => {
  const inner = Object.assign(new Error(`https://x/?secret=${CANARY}`), { code });
  for (const error of [inner, new TypeError(`failed ${CANARY}`, { cause: inner })]) {
    const described = describeNetworkError(error, 'api.example.com');
    expect(described.code).toBe(expected);
    expect(described.message).toContain(code);
    expect(described.message).toContain('api.example.com');
    expect(everythingAbout(described)).not.toContain(CANARY);
  }
});

test('errors without a code, and endless chains of causes, have a code too', () => {
  expect(networkErrorCode(new RangeError('x'))).toBe('RangeError');
  expect(networkErrorCode('text')).toBe('unknown');
  const loop = new Error('loop');
  loop.cause = loop;
  expect(networkErrorCode(loop)).toBe('Error');
});

test('many calls are under way at once: none waits for the answer to another', async () => {
  const many = 100;
  const held: ServerResponse[] = [];
  const origin = await serverThat((_request, response) => {
    held.push(response);
    if (held.length === many) for (const each of held) each.end('{"access_token":"T","expires_in":7200}');
  });
  const upstream = createUpstream({ origins: () => everywhere(origin) });
  onTestFinished(() => upstream.close());
  const { signal } = new AbortController();
  const request = REQUESTS[0] as UpstreamRequest;
  const answers = await Promise.all(
    Array.from({ length: many }, () => upstream.send(app, platform, request, signal)),
  );
  expect(answers.every(({ ok }) => ok)).toBe(true);
});
