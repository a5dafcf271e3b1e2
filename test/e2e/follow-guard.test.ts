import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { createClient } from '../../src/client/client.ts';
import { openEmbedded } from '../../src/common/embedded.ts';
import { METHOD_NAMES, METHODS } from '../../src/common/methods.ts';
import { checkOperation } from '../../src/common/operation.ts';
import type { Settings } from '../../src/config/settings.ts';
import { ROUTES, type RouteName } from '../../src/contract/routes.ts';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, NEWS, SHOP, startTestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';
import { ADMIN_KEY, ask, call, type Follower, startFollowed, startFollower } from './follow.fixture.ts';

/**
 * A follower that has everything an ordinary bridge has, but for the word that it follows: true secrets, a
 * platform that would answer it. What keeps it from asking is under test, not the configuration.
 */

const APP = { appid: 'shop' };
const USER = { appid: 'shop', openid: 'oGZUI0egBJY1zhBYw2KhdUfwVJJE' };
const FINGERPRINT = '0123456789abcdef';

/** How each route answers at a follower: what it is sent, and whether it is refused. A new route must be entered. */
const EVERY_ROUTE: Readonly<
  Record<RouteName, { readonly body?: object; readonly path?: string; readonly refused: boolean }>
> = {
  livez: { refused: false },
  readyz: { refused: false },
  metrics: { refused: false },
  listApps: { refused: false },
  listCallers: { refused: false },
  revokeTokens: { body: { caller: 'nobody' }, refused: false },
  revokeKey: { body: { caller: 'nobody' }, refused: false },
  startLeakDrill: { path: '/v1/apps/shop/leak-drill', body: {}, refused: true },
  getLeakDrill: { path: '/v1/apps/shop/leak-drill', refused: false },
  listCalls: { refused: false },
  getCall: { path: '/v1/calls/no-such-call?rid=true', refused: false },
  listUsage: { refused: false },
  listAudit: { refused: false },
  listAuditHeads: { refused: false },
  listCredentials: { refused: true },
  reportCredential: { body: { ...APP, fingerprint: FINGERPRINT, errcode: 40001 }, refused: true },
  rotateCredential: { body: APP, refused: true },
  loginUser: { body: { ...APP, code: 'a-login-code' }, refused: true },
  checkSession: { body: USER, refused: true },
  resetSession: { body: USER, refused: true },
  decryptOpenData: {
    body: { ...USER, encryptedData: 'AAAA', iv: 'AAAAAAAAAAAAAAAAAAAAAA==' },
    refused: true,
  },
  verifyRawData: { body: { ...USER, rawData: '{}', signature: '0'.repeat(40) }, refused: true },
  signPage: { body: { appid: 'news', url: 'https://shop.example/' }, refused: true },
  signCardToAdd: { body: { appid: 'news', cardId: 'card' }, refused: true },
  signCardsToChoose: { body: { appid: 'news', cardType: 'GROUPON' }, refused: true },
  getPhoneNumber: { body: { ...APP, code: 'a-phone-code' }, refused: true },
};

/** A platform that nobody should ask. */
async function startUnasked(clock?: Clock): Promise<Simulator> {
  const platform = await startSimulator({
    accounts: ACCOUNTS.map(account => ({ ...account })),
    ...(clock !== undefined && { now: () => clock.now() }),
  });
  onTestFinished(() => platform.close());
  return platform;
}

/** Settings with all that the configuration of a follower keeps out. */
const armed =
  (platform: Simulator) =>
  (settings: Settings): Settings => {
    const upstream = { weixin: platform.origin, qq: platform.origin, qqConnect: platform.origin };
    return {
      ...settings,
      apps: settings.apps.map(app => ({
        ...app,
        secret: new Secret(ACCOUNTS.find(({ appid }) => appid === app.appid)?.secret ?? ''),
        renews: app.platform === 'weixin-h5' ? ['access-token', 'ticket'] : ['access-token'],
      })),
      upstream,
      gateway: { ...settings.gateway, upstream },
    };
  };

const asked = (platform: Simulator): object => platform.counters().total.calls;

function expectRefused(answer: { readonly status: number; readonly text: string }): void {
  expect(answer).toMatchObject({ status: 403 });
  expect(answer.text).toContain('this bridge follows another');
}

async function everyRoute(follower: Follower): Promise<void> {
  for (const [name, { body, path, refused }] of Object.entries(EVERY_ROUTE)) {
    const { url } = ROUTES[name as RouteName];
    if (name === 'metrics') continue;
    const answer = await ask(follower.control, path ?? url, body);
    if (refused) expectRefused(answer);
    else expect({ name, status: answer.status }).toEqual({ name, status: expect.toBeOneOf([200, 404]) });
  }
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const metrics = await (await fetch(`${follower.control}${ROUTES.metrics.url}`, { headers })).text();
  expect(metrics).toContain('open_bridge_store_up 1');
  expect(metrics).not.toMatch(/^open_bridge_credential_expires_in_seconds\{/m);
}

const KEYS: Readonly<Record<string, object>> = {
  'access-token': {},
  ticket: {},
  'user-access-token': { openid: USER.openid },
  'session-key': { openid: USER.openid },
  'encrypt-key': { openid: USER.openid, version: 1 },
};
const VALUES: Readonly<Record<string, object>> = {
  'access-token': { access_token: 'a-token-pushed-in' },
  ticket: { ticket: 'a-ticket-pushed-in' },
  'user-access-token': { access_token: 'a-token-pushed-in' },
  'session-key': { session_key: randomBytes(16).toString('base64') },
  'encrypt-key': { encrypt_key: randomBytes(16).toString('base64'), iv: 'AAAAAAAAAAAAAAAA' },
};

const inputFor = (method: keyof typeof METHODS) => {
  const { kind, verb } = METHODS[method];
  const platform = kind === 'ticket' ? 'weixin-h5' : 'weixin-mp';
  const user = kind === 'user-access-token' ? { platform: 'weixin-h5' } : { platform };
  const key = { dcloudAppid: '__UNI__ANY', ...user, ...KEYS[kind] };
  return { key, ...(verb === 'set' && { value: VALUES[kind], expiresIn: 7200 }) };
};

describe('a follower never asks the platform', () => {
  it('whatever is called on the control API', async () => {
    const followed = await startFollowed();
    const platform = await startUnasked();
    const follower = await startFollower({ follow: { gateway: followed.gateway }, alter: armed(platform) });
    // A call with a rid, so that there is something to ask the platform about.
    const { seqid } = await call(follower.gateway, '/wxa/business/getuserphonenumber', {
      method: 'POST',
      body: '{}',
    });
    await everyRoute(follower);
    expectRefused(await ask(follower.control, `/v1/calls/${seqid}?rid=true`));
    expect(asked(platform)).toEqual({});
    expect(await ask(follower.control, '/v1/audit?action=rotate')).toMatchObject({
      ...{
        status: 200,
        body: { entries: [{ outcome: 'FOLLOWER_READ_ONLY' }, { outcome: 'FOLLOWER_READ_ONLY' }] },
      },
    });
  });

  it('whatever function of uni-open-bridge is called, over HTTP and in a process', async () => {
    const platform = await startUnasked();
    const follow = { gateway: 'http://127.0.0.1:9' };
    const follower = await startFollower({ follow, alter: armed(platform) });
    const embedded = await openEmbedded({
      ...{ config: follower.config, env: {}, instance: 'embedded', version: 'test', log: silentLog },
    });
    onTestFinished(() => embedded.close());
    for (const method of METHOD_NAMES) {
      const { key, ...rest } = inputFor(method);
      expectRefused(await ask(follower.control, `/uni-open-bridge/${method}`, { ...key, ...rest }));
      await expect(embedded.perform(checkOperation(method, { key, ...rest })), method).rejects.toMatchObject({
        code: 'FOLLOWER_READ_ONLY',
      });
    }
    expect(asked(platform)).toEqual({});
  });

  it('whatever is called on the gateway, also while the bridge that is followed is gone', async () => {
    const platform = await startUnasked();
    const follower = await startFollower({
      follow: { gateway: 'http://127.0.0.1:9' },
      alter: armed(platform),
    });
    const credentials = (appid: string, secret: string) =>
      `grant_type=client_credential&appid=${appid}&secret=${secret}`;
    const paths = [
      `/cgi-bin/token?${credentials(SHOP.appid, SHOP.secret)}`,
      `/cgi-bin/token?${credentials('wx00000000000000zz', SHOP.secret)}`,
      `/api/getToken?${credentials(SHOP.appid, SHOP.secret)}`,
      `/cgi-bin/ticket/getticket?type=jsapi&from_appid=${NEWS.appid}`,
      '/wxa/getwxadevinfo',
      '/wxa/getwxadevinfo?access_token=a-token-of-mine',
      `/sns/jscode2session?appid=${SHOP.appid}&secret=${SHOP.secret}&js_code=x&grant_type=authorization_code`,
      '/cgi-bin/clear_quota',
    ];
    for (const path of paths) await call(follower.gateway, path);
    for (const appid of [SHOP.appid, 'wx00000000000000zz'])
      await call(follower.gateway, '/cgi-bin/stable_token', {
        method: 'POST',
        body: JSON.stringify({
          grant_type: 'client_credential',
          appid,
          secret: SHOP.secret,
          force_refresh: true,
        }),
      });
    expect(asked(platform)).toEqual({});
  });

  it('also for an app whose token its database holds from an earlier life, and does not use that', async () => {
    const clock = manualClock();
    const before = await startTestBridge({ clock, config: { admin: { keys: [ADMIN_KEY] } } });
    onTestFinished(() => before.close());
    const own = createClient({ url: before.control, adminKey: ADMIN_KEY });
    expect((await call(before.gateway, '/wxa/getwxadevinfo')).body['errcode']).toBe(0);
    expect(
      (await call(before.gateway, `/cgi-bin/ticket/getticket?type=jsapi&from_appid=${NEWS.appid}`)).status,
    ).toBe(200);
    const held = (await own.listCredentials()).credentials.map(({ fingerprint }) => fingerprint);
    expect(held.filter(Boolean).length).toBeGreaterThanOrEqual(2);
    const tokens = ACCOUNTS.flatMap(({ appid }) => before.simulator.state.tokens(appid));
    await before.bridge.close();
    const calls = asked(before.simulator);

    const followed = await startFollowed({ clock });
    const follower = await startFollower({
      ...{ clock, folder: before.folder, follow: { gateway: followed.gateway } },
      config: { callers: [{ name: 'app', key: 'canary-key-of-an-app-0123456789' }] },
      alter: armed(before.simulator),
    });
    // Past the renewal of every token, and past their end.
    for (let at = 0; at < 5; at += 1) await clock.advance(30 * 60_000);
    await everyRoute(follower);
    const answer = await call(follower.gateway, '/wxa/getwxadevinfo', {
      headers: { 'x-bridge-key': 'canary-key-of-an-app-0123456789' },
    });
    expect(answer.body['errcode']).toBe(0);
    expect(followed.simulator.counters(SHOP.appid).calls['/wxa/getwxadevinfo']).toBe(1);
    // Whoever holds a token from then is nobody's caller here.
    for (const token of tokens) {
      const holder = await call(follower.gateway, `/wxa/getwxadevinfo?access_token=${token}`);
      expect(holder).toMatchObject({ followed: null, body: { errcode: 40001 } });
    }
    expect(asked(before.simulator)).toEqual(calls);
    expect(followed.simulator.counters().total.calls['/wxa/getwxadevinfo']).toBe(1);
  });
});
