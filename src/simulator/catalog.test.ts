import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalog, wantsJson } from './catalog.ts';
import { TOKEN_ERRORS } from './errors.ts';
import { type Harness, MP, OA, startHarness } from './simulator.fixture.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(() => h.simulator.close());

const call = (path: string, method: string, body?: unknown) =>
  method === 'GET' ? h.get(path) : h.post(path, body ?? {});

test('the catalogue has 333 paths', () => {
  expect(catalog.length).toBe(333);
  expect(new Set(catalog.map(entry => entry.path)).size).toBe(333);
});

describe.each(catalog.filter(({ auth }) => auth === 'access_token'))('$method $path', entry => {
  const { path, method, accounts } = entry;

  test('without a token: 41001', async () => {
    const { status, json } = await call(path, method);
    expect(status).toBe(200);
    expect(json).toEqual({ errcode: 41001, errmsg: expect.stringMatching(/^access_token missing rid: /) });
  });

  test('the account type decides: no token error, or 48001', async () => {
    for (const account of [MP, OA]) {
      const { status, json } = await call(`${path}?access_token=${await h.token(account)}`, method);
      const errcode = Number(json['errcode'] ?? 0);
      expect(status).toBe(200);
      if (accounts.includes(account.type)) {
        expect(TOKEN_ERRORS.has(errcode)).toBe(false);
        expect([48001, 43001, 43002, 44002, 45009]).not.toContain(errcode);
      } else {
        expect(errcode).toBe(48001);
      }
    }
  });

  test('the wrong verb, and a POST without JSON', async () => {
    const account = accounts.includes('mp') ? MP : OA;
    const target = `${path}?access_token=${await h.token(account)}`;
    const other = await call(target, method === 'GET' ? 'POST' : 'GET');
    const takesBoth = ['/wxa/getwxadevinfo', '/wxa/business/getuserencryptkey'].includes(path);
    if (!takesBoth) expect(other.json['errcode']).toBe(method === 'GET' ? 43001 : 43002);
    if (wantsJson(entry)) {
      expect((await h.post(target)).json['errcode']).toBe(44002);
      expect((await h.post(target, 'a=b')).json['errcode']).toBe(47001);
    }
  });
});

test.each(catalog.filter(({ auth }) => auth === 'component'))(
  '$method $path wants a component token',
  async entry => {
    expect((await call(entry.path, entry.method)).json['errcode']).toBe(41001);
    const target = (token: string) => `${entry.path}?component_access_token=${token}`;
    expect((await call(target('rubbish'), entry.method)).json['errcode']).toBe(40014);
    expect((await call(target(`57_${'a'.repeat(133)}`), entry.method)).json['errcode']).toBe(40001);
    expect((await call(target(await h.token()), entry.method)).json['errcode']).toBe(48001);
  },
);

const open = catalog.filter(
  ({ auth, category }) => (auth === 'none' || auth === 'code') && category !== 'gateway-internal',
);

test.each(open)('$method $path answers without a token', async ({ path, method }) => {
  const { status, json } = await call(path, method, { component_appid: 'wx1' });
  expect(status).toBe(200);
  const wrongVerb = await call(path, method === 'GET' ? 'POST' : 'GET');
  expect(wrongVerb.json['errcode']).toBe(method === 'GET' ? 43001 : 43002);
  expect(json['errcode']).not.toBe(wrongVerb.json['errcode']);
});

test.each(catalog.filter(({ category }) => category === 'gateway-internal'))(
  '$path is not on this host',
  async entry => {
    const { status, bytes } = await call(entry.path, entry.method);
    expect(status).toBe(404);
    expect(bytes.length).toBe(0);
  },
);

test.each(['/', '/nope', '/cgi-bin/token/', '/wxa'])('unknown path %s: HTTP 404 with 40066', async path => {
  const { status, json } = await h.get(path);
  expect(status).toBe(404);
  expect(json['errcode']).toBe(40066);
});
