import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { everythingAbout, keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { connectBridge } from './bridge.ts';
import type { OpenBridgeError } from './errors.ts';
import type { OpenBridge } from './functions.ts';
import type { RemoteOptions } from './target.ts';

const KEY = { dcloudAppid: '__UNI__A', platform: 'weixin-mp' };
const VALUE = { access_token: 'canary-token' };
const USABLE = { value: VALUE, expiresIn: 5, state: 'usable', reason: null };
const ABSENT = { value: null, expiresIn: null, state: 'absent', reason: null };

interface Seen {
  readonly url: string | undefined;
  readonly method: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Reply = (request: Seen, response: ServerResponse, turn: number) => void;

/** A server that says what it is told to, and the functions over it. */
async function before(reply: Reply, options: Partial<RemoteOptions> = {}, path = '') {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { url, method, headers } = request;
    seen.push({ url, method, headers, body });
    reply({ url, method, headers, body }, response, seen.length);
  });
  server.on('connection', socket => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bridge = connectBridge({ url: origin + path, log: keptLog(), ...options });
  onTestFinished(async () => {
    await bridge.close();
    server.closeAllConnections();
    server.close();
  });
  return { bridge, seen, sockets, origin, server };
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

const failure = (bridge: OpenBridge): Promise<OpenBridgeError> =>
  bridge.getAccessToken(KEY).then(
    () => Promise.reject(new Error('it did not fail')),
    error => error,
  );

test('asks for all that is known', async () => {
  const { bridge, seen } = await before(json(USABLE, 200, { 'x-bridge-app': 'weixin-mp:wx1' }), {
    callerKey: 'canary-caller-key',
  });
  expect(await bridge.getAccessToken(KEY)).toEqual(VALUE);
  expect(await bridge.getAccessToken(KEY, null, { obtain: false, detail: true })).toEqual(USABLE);
  expect(seen.map(({ url, method }) => `${method} ${url}`)).toEqual(
    Array(2).fill('POST /uni-open-bridge/getAccessToken'),
  );
  expect(seen.map(({ body }) => JSON.parse(body))).toEqual([
    { ...KEY, detail: true, obtain: true },
    { ...KEY, detail: true, obtain: false },
  ]);
  expect(seen[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    'x-bridge-key': 'canary-caller-key',
  });
});

test('connections are kept, and many are used only by many calls at once', async () => {
  const { bridge, sockets } = await before(json(USABLE));
  for (let call = 0; call < 20; call += 1) await bridge.getAccessToken(KEY);
  expect(sockets.size).toBeLessThan(4);
  await Promise.all(Array.from({ length: 200 }, () => bridge.getAccessToken(KEY)));
  expect(sockets.size).toBeLessThanOrEqual(32);
});

test('sends a value with its life, and none for one that never ends', async () => {
  const { bridge, seen } = await before(json({ errCode: 0, errMsg: '' }));
  await bridge.setAccessToken(KEY, VALUE, 60);
  await bridge.setAccessToken(KEY, VALUE, -1);
  await bridge.removeAccessToken({ appid: 'wx1' });
  expect(seen.map(({ body }) => JSON.parse(body))).toEqual([
    { ...KEY, value: VALUE, expiresIn: 60 },
    { ...KEY, value: VALUE },
    { appid: 'wx1' },
  ]);
});

test('a path in the address takes the place of the usual prefix', async () => {
  const { bridge, seen } = await before(json(USABLE), {}, '/credentials/v2/');
  await bridge.getAccessToken(KEY);
  expect(seen[0]?.url).toBe('/credentials/v2/getAccessToken');
});

test('a fallback is given what the key turned out to mean', async () => {
  const { bridge } = await before(json(ABSENT, 200, { 'x-bridge-app': 'weixin-h5:wx9' }));
  let given: unknown;
  await bridge.getTicket(KEY, async key => {
    given = key;
    return { value: null };
  });
  expect(given).toEqual({
    dcloudAppid: '__UNI__A',
    platform: 'weixin-h5',
    provider: 'weixin-h5',
    appid: 'wx9',
  });
});

test('what a fallback brings is sent to be set', async () => {
  const { bridge, seen } = await before((request, response, turn) =>
    json(request.url?.endsWith('/getTicket') ? ABSENT : { errCode: 0, errMsg: '' })(request, response, turn),
  );
  await bridge.getTicket(KEY, async () => ({ value: { ticket: 't' }, duration: 60 }));
  expect(seen.map(({ url }) => url)).toEqual(['/uni-open-bridge/getTicket', '/uni-open-bridge/setTicket']);
  expect(JSON.parse(seen[1]?.body ?? '')).toEqual({ ...KEY, value: { ticket: 't' }, expiresIn: 60 });
});

test.each([
  [
    'in our form',
    404,
    { errCode: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR', errMsg: 'no: such app' },
    'UNI_OPEN_BRIDGE_SYSTEM_ERROR',
    'no: such app',
  ],
  ['with an errcode', 503, { errCode: 40164, errMsg: 'invalid ip' }, 40164, 'invalid ip'],
  [
    "in uniCloud's form",
    200,
    { success: false, error: { code: 'FunctionBizError', message: '-1:busy: later' } },
    -1,
    'busy: later',
  ],
  [
    "with a word in uniCloud's form",
    200,
    { success: false, error: { code: 'FunctionBizError', message: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR:no' } },
    'UNI_OPEN_BRIDGE_SYSTEM_ERROR',
    'no',
  ],
])('a failure %s is told as it was', async (_, status, body, errCode, errMsg) => {
  const { bridge } = await before(json(body, status, { 'x-bridge-error': 'APP_UNKNOWN' }));
  expect(await failure(bridge)).toMatchObject({ errCode, errMsg, reason: 'APP_UNKNOWN' });
});

test.each<[string, Reply, string]>([
  [
    'a page',
    (_, response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>'),
    'HTTP 502, text/html',
  ],
  ['another service', json({ hello: 'world' }, 404), 'HTTP 404, application/json'],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: 'http://192.0.2.1/' }).end(),
    'HTTP 302, no content type',
  ],
  ['broken JSON', (_, response) => response.end('{"value":'), 'HTTP 200'],
  ['JSON of somebody else', json({ hello: 'world' }), 'HTTP 200, application/json'],
  ['an endless answer', (_, response) => response.end('9'.repeat(1_000_000)), 'HTTP 200'],
])('%s is not taken for a bridge', async (_, reply, message) => {
  const { bridge } = await before(reply);
  const error = await failure(bridge);
  expect(error).toMatchObject({
    reason: 'BRIDGE_UNREACHABLE',
    errMsg: expect.stringContaining('is not a bridge'),
  });
  expect(error.errMsg).toContain(message);
});

test('a bridge that is away is told so, without the key', async () => {
  const { bridge, server, origin } = await before(json(USABLE), { callerKey: 'canary-caller-key' });
  server.close();
  await once(server, 'close');
  const error = await failure(bridge);
  expect(error.errMsg).toContain(`the bridge at ${origin} gave no answer (ECONNREFUSED)`);
  expect(everythingAbout(error)).not.toContain('canary');
});

test('a bridge that says nothing is given up in time', async () => {
  const clock = manualClock();
  const { bridge } = await before(() => {}, { clock, timeoutMs: 1500 });
  const failed = failure(bridge);
  await clock.advance(1500);
  expect((await failed).errMsg).toContain('did not answer within 1.5 s');
});

test('a connection that broke is replaced once, but not for an update', async () => {
  const { bridge, seen } = await before((request, response, turn) => {
    if (turn % 2 === 1) response.destroy();
    else json(request.url?.includes('get') ? USABLE : { errCode: 0, errMsg: '' })(request, response, turn);
  });
  expect(await bridge.getAccessToken(KEY)).toEqual(VALUE);
  await bridge.setAccessToken(KEY, VALUE);
  await bridge.removeAccessToken(KEY);
  expect(seen).toHaveLength(6);
  await expect(bridge.updateAccessToken(KEY)).rejects.toMatchObject({ reason: 'BRIDGE_UNREACHABLE' });
  expect(seen).toHaveLength(7);
});

test.each([
  [{ url: undefined }, 'url must be an absolute URL'],
  [{ url: '127.0.0.1:7200' }, 'url must be an absolute URL'],
  [{ url: 'ftp://127.0.0.1' }, 'url must be an absolute URL'],
  [{ url: 'http://user:canary@127.0.0.1' }, 'the key goes into callerKey'],
  [{ url: 'http://127.0.0.1/?key=canary' }, 'the key goes into callerKey'],
  [{ url: 'http://127.0.0.1', callerKey: 'canary key' }, 'callerKey must be printable ASCII'],
  [{ url: 'http://127.0.0.1', timeoutMs: 0 }, 'timeoutMs must be a number'],
  [{ url: 'http://127.0.0.1', timeoutMs: Number.NaN }, 'timeoutMs must be a number'],
  [{ url: 'http://127.0.0.1', timeoutMs: 2 ** 31 }, 'timeoutMs must be a number'],
])('%o is refused', (options, message) => {
  let thrown: unknown;
  try {
    connectBridge(options as RemoteOptions);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TypeError);
  expect(String(thrown)).toContain(message);
  expect(everythingAbout(thrown)).not.toContain('canary');
});
