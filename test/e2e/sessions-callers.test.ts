import { describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import { ROUTES, type Route } from '../../src/contract/routes.ts';
import { NEWS } from '../support/bridge.ts';
import { openStage, refusalOf } from './sessions.fixture.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const HELPER_KEY = 'canary-key-of-helper-0123';
const PLAIN_KEY = 'canary-key-of-plain-01234';
const CALLERS = {
  admin: { keys: [ADMIN_KEY] },
  callers: [
    { name: 'helper', key: HELPER_KEY, apps: ['shop'], scopes: ['session:use'] },
    { name: 'plain', key: PLAIN_KEY },
  ],
};

/** One request to each route. */
const every = (bridge: Client, appid: string): readonly (() => Promise<unknown>)[] => [
  () => bridge.loginUser({ appid, code: 'alice:1' }),
  () => bridge.checkSession({ appid, openid: 'o' }),
  () => bridge.resetSession({ appid, openid: 'o' }),
  () => bridge.decryptOpenData({ appid, openid: 'o', encryptedData: 'AAAA', iv: 'AAAA' }),
  () => bridge.verifyRawData({ appid, openid: 'o', rawData: '', signature: 'a' }),
  () => bridge.signPage({ appid, url: 'https://shop.example/' }),
  () => bridge.signCardToAdd({ appid, cardId: 'p' }),
  () => bridge.signCardsToChoose({ appid }),
  () => bridge.getPhoneNumber({ appid, code: 'c' }),
];

describe('who may', () => {
  it('asks for the scope session:use, and for the app', async () => {
    const { bridge, client, logIn, callsOf, hide } = await openStage({ config: CALLERS });
    hide(ADMIN_KEY, HELPER_KEY, PLAIN_KEY);
    for (const ask of every(bridge, 'shop')) expect((await refusalOf(ask())).status).toBe(401);
    for (const ask of every(client({ callerKey: PLAIN_KEY }), 'shop')) {
      const error = await refusalOf(ask());
      expect(error).toMatchObject({ status: 403, message: expect.stringContaining('session:use') });
    }
    const helper = client({ callerKey: HELPER_KEY });
    for (const ask of every(helper, 'news')) {
      const error = await refusalOf(ask());
      expect(error).toMatchObject({ status: 403, message: expect.stringContaining('"news"') });
    }
    for (const ask of every(helper, 'unheard-of')) expect((await refusalOf(ask())).status).toBe(404);
    expect(callsOf('/sns/jscode2session')).toBe(0);

    const openid = await logIn('alice', helper);
    expect((await helper.checkSession({ appid: 'shop', openid })).valid).toBe(true);
    const admin = client({ adminKey: ADMIN_KEY });
    expect((await admin.signPage({ appid: 'news', url: 'https://a.example' })).appId).toBe(NEWS.appid);
  });

  it('is asked on every route with this scope', () => {
    const routes = Object.values<Route>(ROUTES).filter(
      ({ access }) => typeof access === 'object' && access.scope === 'session:use',
    );
    expect(routes).toHaveLength(every(createClient({ url: 'http://127.0.0.1' }), 'shop').length);
  });
});

describe('the requests', () => {
  const page = { appid: 'news', url: 'https://a.example' };

  it.each([
    ['/v1/sessions/check', { appid: 'shop', openid: 'o:1' }, 'openid: must be an openid'],
    ['/v1/sessions/login', { appid: 'shop' }, 'code: '],
    ['/v1/js-sdk/page', { ...page, url: '/relative' }, 'url: must be the full address'],
    ['/v1/js-sdk/page', { ...page, noncestr: 'n' }, 'noncestr'],
    ['/v1/js-sdk/page', { ...page, timestamp: 1.5 }, 'timestamp: '],
    ['/v1/js-sdk/page', { ...page, timestamp: 1_700_000_000_000 }, 'timestamp: '],
    ['/v1/js-sdk/page', { ...page, nonceStr: 'a&b' }, 'nonceStr: must be'],
    ['/v1/phone-number', { appid: 'shop', code: '' }, 'code: '],
  ])('are refused with the field that does not fit: %s %j', async (path, body, fault) => {
    const { running } = await openStage();
    const answer = await fetch(`${running.control}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(400);
    const { errmsg } = (await answer.json()) as { errmsg: string };
    expect(errmsg).toContain(fault);
    expect(errmsg).toContain('/v1/openapi.json');
  });

  it('are in the OpenAPI document, under their groups', async () => {
    const { running } = await openStage();
    const document = (await (await fetch(`${running.control}/v1/openapi.json`)).json()) as {
      paths: Record<string, { post?: { tags: string[]; operationId: string; summary: string } }>;
    };
    expect(document.paths['/v1/open-data/decrypt']?.post).toMatchObject({
      operationId: 'decryptOpenData',
      tags: ['open-data'],
      summary: expect.stringContaining('session:use'),
    });
    expect(document.paths['/v1/credentials/report']?.post?.tags).toEqual(['credentials']);
  });
});
