import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { fingerprintOf } from '../../src/base/secret.ts';
import { NEWS, SHOP } from '../support/bridge.ts';
import { keptLog } from '../support/canary.ts';
import { openStage, refusalOf } from './sessions.fixture.ts';
import { DCLOUD, openEmbedded, secretOf, startStage } from './uni-open-bridge.fixture.ts';

const ADMIN_KEY = 'canary-admin-key-of-audit';
const SHOP_KEY = 'canary-key-of-shop-reader';
const AUDITOR_KEY = 'canary-key-of-the-auditor';
const VIRTUAL_KEY = 'canary-key-of-virtual-sdk';
const PLAIN_KEY = 'canary-key-of-plain-caller';

const CONFIG = {
  admin: { keys: [ADMIN_KEY] },
  callers: [
    { name: 'orders', key: SHOP_KEY, apps: ['shop'], scopes: ['call', 'credential:read', 'audit:read'] },
    { name: 'auditor', key: AUDITOR_KEY, scopes: ['audit:read'] },
    { name: 'virtual', key: VIRTUAL_KEY, tokens: 'virtual' },
    { name: 'plain', key: PLAIN_KEY },
    { name: 'sessions', key: 'canary-key-of-sessions-01', scopes: ['session:use'] },
  ],
};

/** A bridge whose audit log may hold none of what is hidden, neither in an answer nor in its file. */
async function openAudited() {
  const stage = await openStage({ config: CONFIG });
  const { running } = stage;
  const admin = stage.client({ adminKey: ADMIN_KEY });
  stage.hide(ADMIN_KEY, SHOP_KEY, AUDITOR_KEY, VIRTUAL_KEY, PLAIN_KEY);
  const entries = async (query: Parameters<typeof admin.listAudit>[0] = {}, from = admin) =>
    (await from.listAudit({ limit: 200, ...query })).entries;
  const database = (): DatabaseSync => new DatabaseSync(join(running.folder, 'open-bridge.db'));
  const stored = (): string => {
    const raw = database();
    const text = JSON.stringify(raw.prepare('select * from open_bridge_audit').all());
    raw.close();
    return text;
  };
  return { ...stage, admin, entries, database, stored };
}

describe('the audit log of a bridge', () => {
  it('tells who was given which token, by fingerprint', async () => {
    const { running, entries, simulator, stored } = await openAudited();
    const token = async (secret: string): Promise<string> => {
      const answer = await fetch(
        `${running.gateway}/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${secret}`,
      );
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const before = Date.now();
    const real = await token(SHOP_KEY);
    await token(SHOP_KEY);
    await token(SHOP.secret);
    const virtual = await token(VIRTUAL_KEY);
    await token('canary-secret-that-is-wrong');
    await token(PLAIN_KEY);
    await fetch(`${running.gateway}/cgi-bin/ticket/getticket?type=jsapi&from_appid=${NEWS.appid}`, {
      headers: { 'x-bridge-key': PLAIN_KEY },
    });
    // Calls that only use a credential are in the call log, not here.
    await fetch(`${running.gateway}/wxa/getwxadevinfo`, { headers: { 'x-bridge-key': PLAIN_KEY } });

    const given = await entries({ credential: fingerprintOf(real) });
    const times = (actor: string): number =>
      given.filter(each => each.actor === actor).reduce((sum, each) => sum + each.times, 0);
    expect([times('orders'), times('holder of the secret'), times('virtual'), times('plain')]).toEqual([
      2, 1, 0, 0,
    ]);
    for (const entry of given) {
      expect(entry).toMatchObject({
        action: 'token-issued',
        outcome: 'done',
        kind: 'access-token',
        app: 'shop',
        appid: SHOP.appid,
        address: '127.0.0.1',
        node: 'test',
        detail: 'real',
      });
      expect(Date.parse(entry.since)).toBeGreaterThanOrEqual(before);
    }
    expect(await entries({ action: 'token-issued', actor: 'virtual' })).toMatchObject([
      { detail: 'virtual' },
    ]);
    expect(await entries({ action: 'token-issued', app: 'news' })).toMatchObject([
      { kind: 'ticket', actor: 'plain', credential: expect.stringMatching(/^[0-9a-f]{16}$/) },
    ]);
    expect(await entries({ action: 'refused', app: 'shop' })).toMatchObject([
      { actor: 'plain', outcome: 'CALLER_FORBIDDEN', kind: 'access-token' },
      { actor: null, outcome: '40125' },
    ]);
    expect(virtual).toMatch(/^OBV1/);
    for (const value of [real, virtual, SHOP.secret, SHOP_KEY, 'canary-secret-that-is-wrong'])
      expect(stored()).not.toContain(value);
    expect(simulator.state.tokens(SHOP.appid)).toContain(real);
  });

  it('tells what operators and sessions did, and who was refused', async () => {
    const { running, admin, client, entries, logIn, simulator, stored } = await openAudited();
    const openid = await logIn('alice', admin);
    const { encryptedData, iv } = simulator.users.openData(SHOP.appid, { openid });
    await admin.decryptOpenData({ appid: 'shop', openid, encryptedData, iv });
    await refusalOf(admin.checkSession({ appid: 'shop', openid: 'nobody' }));
    await admin.resetSession({ appid: 'shop', openid });
    const rotated = await admin.rotateCredential({ appid: 'shop', kind: 'access_token' });
    await admin.reportCredential({
      appid: 'shop',
      kind: 'access_token',
      fingerprint: 'fedcba9876543210',
      errcode: 40001,
    });
    await admin.revokeTokens({ caller: 'virtual' });
    await refusalOf(admin.revokeTokens({ caller: 'nobody' }));
    running.reconfigure({});
    await refusalOf(client({}).listApps());
    await refusalOf(
      client({ callerKey: PLAIN_KEY }).rotateCredential({ appid: 'shop', kind: 'access_token' }),
    );
    await refusalOf(client({ callerKey: SHOP_KEY }).listAudit({ app: 'shop', cursor: 'none' }));

    const user = fingerprintOf(openid);
    const told = (await entries()).toReversed().filter(each => each.action !== 'start');
    expect(told).toMatchObject([
      { action: 'login', actor: 'admin', app: 'shop', user, detail: 'loginUser' },
      { action: 'use', user, kind: 'session-key', detail: 'decryptOpenData' },
      { action: 'use', outcome: 'LOGIN_REQUIRED', user: fingerprintOf('nobody') },
      { action: 'rotate', user, kind: 'session-key' },
      { action: 'rotate', kind: 'access-token', credential: rotated.fingerprint },
      { action: 'report', credential: 'fedcba9876543210' },
      { action: 'revoke', outcome: 'done', detail: 'tokens of virtual' },
      // A name that is nobody's may be anything, a key too.
      { action: 'revoke', outcome: 'NOT_FOUND', detail: 'revokeTokens' },
      { action: 'reload', actor: 'configuration', address: null },
      { action: 'refused', outcome: 'CALLER_UNKNOWN', actor: null, address: '127.0.0.1', detail: 'listApps' },
      { action: 'refused', outcome: 'CALLER_FORBIDDEN', actor: 'plain', detail: 'rotateCredential' },
    ]);
    expect(stored()).not.toContain(openid);
    expect(stored()).not.toContain(encryptedData);
  });

  it('is read by administrators, and by callers with the scope as far as their apps go', async () => {
    const { admin, client, entries } = await openAudited();
    for (const appid of ['shop', 'news']) await admin.rotateCredential({ appid, kind: 'access_token' });
    const orders = client({ callerKey: SHOP_KEY });
    expect((await entries({ action: 'rotate' }, orders)).map(each => each.app)).toEqual(['shop']);
    expect(await entries({ app: 'news' }, orders)).toEqual([]);
    expect((await entries({}, orders)).map(each => each.app)).toEqual(['shop']);
    const auditor = client({ callerKey: AUDITOR_KEY });
    expect((await entries({ action: 'rotate' }, auditor)).map(each => each.app)).toEqual(['news', 'shop']);
    expect(await refusalOf(client({ callerKey: PLAIN_KEY }).listAudit())).toMatchObject({
      status: 403,
      message: expect.stringContaining('audit:read'),
    });
    const all = await entries();
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await admin.listAudit({ limit: 1, cursor });
      paged.push(...page.entries.map(each => `${each.chain}/${each.number}`));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(paged).size).toBe(paged.length);
    for (const each of all) expect(paged).toContain(`${each.chain}/${each.number}`);
    expect((await auditor.listAuditHeads()).heads).toMatchObject([{ chain: all[0]?.chain }]);
    expect(await entries({ since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    expect(await entries({ until: new Date(0).toISOString() })).toEqual([]);
  });

  it('answers a change only once it is written, and refuses it otherwise; reads go on', async () => {
    const { admin, database, running } = await openAudited();
    await admin.rotateCredential({ appid: 'shop', kind: 'access_token' });
    const raw = database();
    raw.exec('alter table open_bridge_audit rename to put_away');
    const refused = await refusalOf(admin.revokeTokens({ caller: 'virtual' }));
    expect(refused).toMatchObject({ status: 503, message: expect.stringContaining('audit log') });
    const read = await fetch(
      `${running.gateway}/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${SHOP_KEY}`,
    );
    expect(read.status).toBe(200);
    raw.exec('alter table put_away rename to open_bridge_audit');
    raw.close();
    await expect
      .poll(async () => (await admin.listAudit()).entries.map(each => each.action), { timeout: 5000 })
      .toEqual(expect.arrayContaining(['revoke', 'token-issued']));
  });
});

describe('the functions of uni-open-bridge', () => {
  const KEY = { dcloudAppid: DCLOUD, platform: 'weixin-mp' };

  it('stand in the log with their callers, over HTTP and in a process of one’s own', async () => {
    const stage = await startStage({
      config: {
        admin: { keys: [ADMIN_KEY] },
        ipWhiteList: ['127.0.0.1'],
        callers: [{ name: 'reader', key: SHOP_KEY, scopes: ['credential:read'] }],
      },
    });
    const openid = 'canary-openid-of-alice';
    const session = 'Y2FuYXJ5LXNlc3Npb24ta2V5IQ==';
    const value = { session_key: session };
    await stage.post('setSessionKey', { ...KEY, openid, value });
    await stage.post('getSessionKey', { ...KEY, openid });
    await stage.post('getUserAccessToken', { ...KEY, platform: 'weixin-h5', openid });
    await stage.post('removeSessionKey', { ...KEY, openid });
    const key = { 'x-bridge-key': SHOP_KEY };
    const token = (await stage.post('getAccessToken', KEY, key)).body as { access_token: string };
    expect((await stage.post('setTicket', KEY, key)).status).toBe(403);
    expect((await stage.post('getTicket', KEY, { 'x-bridge-key': 'canary-key-of-nobody' })).status).toBe(401);
    const embedded = await openEmbedded(stage.configPath, systemClock, keptLog());
    await embedded.getAccessToken({ dcloudAppid: DCLOUD, platform: 'weixin-mp' });
    await embedded.removeAccessToken({ dcloudAppid: DCLOUD, platform: 'weixin-mp' });
    await embedded.close();

    const answer = await fetch(`${stage.control}/v1/audit?limit=200`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    const text = await answer.text();
    const { entries } = JSON.parse(text) as {
      entries: { number: number; node: string; actor: string | null }[];
    };
    const byNumber = entries.toSorted((a, b) => a.number - b.number);
    const user = fingerprintOf(openid);
    const credential = fingerprintOf(session);
    const shop = { app: 'shop', address: '127.0.0.1' };
    expect(byNumber.filter(each => each.node === 'test').slice(1)).toMatchObject([
      { action: 'set', actor: 'ipWhiteList', ...shop, user, credential, detail: 'setSessionKey' },
      { action: 'read', outcome: 'done', ...shop, user, credential, detail: 'getSessionKey' },
      { action: 'read', outcome: 'absent', app: 'news', user, credential: null },
      { action: 'remove', ...shop, user, credential: null, detail: 'removeSessionKey' },
      { action: 'read', actor: 'reader', ...shop, credential: fingerprintOf(token.access_token) },
      { action: 'refused', outcome: 'CALLER_FORBIDDEN', actor: 'reader', detail: 'setTicket' },
      { action: 'refused', outcome: 'CALLER_UNKNOWN', actor: null, detail: 'getTicket' },
    ]);
    expect(byNumber.filter(each => each.actor?.startsWith('embedded:'))).toMatchObject([
      { action: 'read', app: 'shop', address: null, credential: fingerprintOf(token.access_token) },
      { action: 'remove', app: 'shop' },
    ]);
    for (const hidden of [openid, session, token.access_token, SHOP_KEY, secretOf(SHOP.appid)])
      expect(text).not.toContain(hidden);
  });
});
