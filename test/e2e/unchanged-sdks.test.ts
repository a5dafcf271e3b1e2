import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { NEWS, SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

const VIRTUAL_KEY = 'canary-virtual-key-0123456789';
const REAL_KEY = 'canary-real-key-0123456789';
const CALL_KEY = 'canary-call-only-key-0123456789';

const CALLERS = [
  {
    name: 'virtual',
    key: VIRTUAL_KEY,
    tokens: 'virtual',
    apps: ['shop', 'news'],
    allow: ['/cgi-bin/*', '/wxa/getwxadevinfo'],
  },
  { name: 'real', key: REAL_KEY, scopes: ['call', 'credential:read'] },
  { name: 'call-only', key: CALL_KEY, apps: ['shop'] },
];

let running: TestBridge;
afterEach(() => running.close());

interface TokenAnswer {
  access_token?: string;
  expires_in?: number;
  errcode?: number;
  errmsg?: string;
}

async function get(
  path: string,
): Promise<{ status: number; body: TokenAnswer & Record<string, unknown>; seqid: string | null }> {
  const answer = await fetch(`${running.gateway}${path}`);
  return {
    status: answer.status,
    body: (await answer.json()) as TokenAnswer & Record<string, unknown>,
    seqid: answer.headers.get('x-openapi-seqid'),
  };
}

const classic = (secret: string, appid: string = SHOP.appid) =>
  get(`/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`);

async function stable(body: unknown): Promise<{ status: number; body: TokenAnswer }> {
  const answer = await fetch(`${running.gateway}/cgi-bin/stable_token`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as TokenAnswer };
}

const real = () => running.simulator.state.token(SHOP.appid, 'stable');
const upstreamCalls = () => {
  const { classic: old, stable: now } = running.simulator.counters(SHOP.appid);
  return { classic: old.calls, stable: now.calls };
};

describe('the token endpoints through the gateway', () => {
  it("hand out the authority's token for the app's true secret, and never ask the platform for another", async () => {
    running = await startTestBridge();
    const first = await classic(SHOP.secret);
    expect(first.status).toBe(200);
    expect(first.seqid).toMatch(/^[0-9a-f]{8}-/);
    expect(first.body).toEqual({ access_token: real(), expires_in: expect.any(Number) });
    expect(first.body.expires_in).toBeGreaterThan(7000);
    const body = { grant_type: 'client_credential', appid: SHOP.appid, secret: SHOP.secret };
    expect((await stable(body)).body.access_token).toBe(real());
    expect((await stable({ ...body, force_refresh: true })).body.access_token).toBe(real());
    expect(upstreamCalls().classic).toBe(0);
    expect(running.simulator.counters(SHOP.appid).stable).toMatchObject({ issued: 1, forced: 0 });
  });

  it('turn force_refresh into one replacement when the token is bad indeed', async () => {
    running = await startTestBridge();
    const before = (await classic(SHOP.secret)).body.access_token;
    running.simulator.revoke(SHOP.appid);
    const body = {
      grant_type: 'client_credential',
      appid: SHOP.appid,
      secret: SHOP.secret,
      force_refresh: true,
    };
    const answers = await Promise.all(Array.from({ length: 20 }, () => stable(body)));
    const given = new Set(answers.map(each => each.body.access_token));
    expect(given).toEqual(new Set([real()]));
    expect(given).not.toContain(before);
    expect(running.simulator.counters(SHOP.appid).stable).toMatchObject({ issued: 2, forced: 0 });
  });

  it.each([
    ['a wrong secret', () => classic('wrong'), 40125],
    ['no secret', () => get(`/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}`), 41004],
    ['no appid', () => get('/cgi-bin/token?grant_type=client_credential&secret=x'), 41002],
    [
      'another grant_type',
      () => get(`/cgi-bin/token?grant_type=x&appid=${SHOP.appid}&secret=${SHOP.secret}`),
      40002,
    ],
    ['a GET of stable_token', () => get('/cgi-bin/stable_token'), 43002],
    ['an empty body', () => stable(''), 44002],
    ['a body that is not JSON', () => stable('appid=1'), 47001],
  ])("refuse %s with the platform's own error", async (_what, ask, errcode) => {
    running = await startTestBridge();
    const { status, body } = await ask();
    expect({ status, errcode: body.errcode }).toEqual({ status: 200, errcode });
    expect(body.errmsg).toMatch(/ rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/);
    expect(upstreamCalls().classic).toBe(0);
  });

  it("pass the platform's refusal on in its own form", async () => {
    running = await startTestBridge({
      prepare: platform => platform.setAccount(SHOP.appid, { frozenSecret: true }),
    });
    const { status, body } = await classic(SHOP.secret);
    expect({ status, errcode: body.errcode }).toEqual({ status: 200, errcode: 40243 });
  });

  it('are paced like every other call of a caller', async () => {
    running = await startTestBridge({
      config: { callers: [{ ...CALLERS[0], rateLimit: { perSecond: 0.01, burst: 2 } }] },
    });
    const statuses = [];
    for (let at = 0; at < 3; at += 1) statuses.push((await classic(VIRTUAL_KEY)).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('leave an appid that is not configured to the platform, bodies included', async () => {
    running = await startTestBridge({
      prepare: platform =>
        platform.addAccount({ appid: 'wx00000000000000c3', secret: 'c'.repeat(32), type: 'oa' }),
    });
    const body = { grant_type: 'client_credential', appid: 'wx00000000000000c3', secret: 'c'.repeat(32) };
    expect((await stable(body)).body.access_token).toBe(
      running.simulator.state.token('wx00000000000000c3', 'stable'),
    );
    expect((await classic('c'.repeat(32), 'wx00000000000000c3')).body.access_token).toBe(
      running.simulator.state.token('wx00000000000000c3', 'classic'),
    );
  });

  it('hand a real token to a caller only with the right scope', async () => {
    running = await startTestBridge({ config: { callers: CALLERS } });
    expect((await classic(REAL_KEY)).body.access_token).toBe(real());
    const refused = await classic(CALL_KEY);
    expect(refused.status).toBe(403);
    expect(refused.body.errmsg).toContain('"tokens": "virtual"');
    expect((await classic(CALL_KEY, NEWS.appid)).status).toBe(403);
    expect((await classic('no-key-at-all-0123456789')).body.errcode).toBe(40125);
    expect((await classic(SHOP.secret)).body.access_token).toBe(real());
  });
});

describe('tickets through the gateway', () => {
  it('come from the authority, one issue for all', async () => {
    running = await startTestBridge();
    const ask = (type: string) => get(`/cgi-bin/ticket/getticket?type=${type}&from_appid=${NEWS.appid}`);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask('jsapi')));
    expect(new Set(answers.map(each => each.body['ticket'])).size).toBe(1);
    expect(answers[0]?.body).toMatchObject({ errcode: 0, errmsg: 'ok', expires_in: expect.any(Number) });
    expect(
      running.simulator.state.isTicketValid(NEWS.appid, 'jsapi', String(answers[0]?.body['ticket'])),
    ).toBe(true);
    expect(running.simulator.counters(NEWS.appid).ticket.calls).toBe(1);
    const card = await ask('wx_card');
    expect(running.simulator.state.isTicketValid(NEWS.appid, 'wx_card', String(card.body['ticket']))).toBe(
      true,
    );
  });

  it('of a mini program are refused by the platform itself', async () => {
    running = await startTestBridge();
    expect((await get('/cgi-bin/ticket/getticket?type=jsapi')).body.errcode).toBe(48001);
  });
});

describe('a real token that was ours to give', () => {
  it('passes without a key, and is repaired when the platform refuses it', async () => {
    running = await startTestBridge({ config: { callers: CALLERS } });
    const token = (await classic(REAL_KEY)).body.access_token;
    const call = () => get(`/wxa/getwxadevinfo?access_token=${token}`);
    expect((await call()).body.errcode).toBe(0);
    running.simulator.revoke(SHOP.appid);
    expect((await call()).body.errcode).toBe(0);
    expect((await call()).body.errcode).toBe(0);
    expect(running.simulator.counters(SHOP.appid).stable.issued).toBe(2);
    const stranger = await get('/wxa/getwxadevinfo?access_token=a-strangers-token');
    expect(stranger).toMatchObject({ status: 200, body: { errcode: 40001 } });
    expect(stranger.body.errmsg).toContain('no x-bridge-key was sent');
    expect(running.simulator.counters().anonymous.calls['/wxa/getwxadevinfo']).toBeUndefined();
    expect((await get('/wxa/getwxadevinfo')).status).toBe(401);
  });
});

describe('virtual tokens', () => {
  const start = async (options: Parameters<typeof startTestBridge>[0] = {}) => {
    running = await startTestBridge({ ...options, config: { callers: CALLERS, ...options.config } });
    return (await classic(VIRTUAL_KEY)).body.access_token ?? '';
  };

  it('stand in for the real one, which never leaves', async () => {
    const token = await start();
    expect(token).toMatch(/^OBV1[A-Za-z0-9_-]{40,500}$/);
    expect(token).not.toBe(real());
    const { status, body } = await get(`/wxa/getwxadevinfo?access_token=${token}`);
    expect({ status, errcode: body.errcode }).toEqual({ status: 200, errcode: 0 });
    expect(running.logs.join('')).not.toContain(token);
    expect(running.logs.join('')).not.toContain(real());
  });

  it("are held to their caller's allow-list and app", async () => {
    const token = await start();
    expect((await get(`/wxa/msg_sec_check?access_token=${token}`)).status).toBe(403);
    const elsewhere = await get(`/wxa/getwxadevinfo?access_token=${token}&from_appid=${NEWS.appid}`);
    expect(elsewhere.status).toBe(403);
    expect(
      (await get(`/wxa/getwxadevinfo?access_token=${token}&from_appid=${SHOP.appid}`)).body.errcode,
    ).toBe(0);
  });

  it('of another app act as that app', async () => {
    await start();
    const token = (await classic(VIRTUAL_KEY, NEWS.appid)).body.access_token;
    expect((await get(`/cgi-bin/menu/get?access_token=${token}`)).body.errcode).not.toBe(48001);
    expect(running.simulator.counters(NEWS.appid).calls['/cgi-bin/menu/get']).toBe(1);
  });

  it('survive the real one being revoked in mid-flight', async () => {
    const token = await start();
    running.simulator.revoke(SHOP.appid);
    expect((await get(`/wxa/getwxadevinfo?access_token=${token}`)).body.errcode).toBe(0);
  });

  it('end when revoked, when the key goes, and with time, in words an SDK understands', async () => {
    const clock = manualClock();
    const token = await start({ clock });
    const call = async (value: string) =>
      (await get(`/wxa/getwxadevinfo?access_token=${value}`)).body.errcode;
    expect(await call(token)).toBe(0);

    const admin = createClient({ url: running.control, adminKey: running.bridge.freshAdminKey });
    await admin.revokeTokens({ caller: 'virtual' });
    expect(await call(token)).toBe(40001);
    await clock.advance(2000);
    const next = (await classic(VIRTUAL_KEY)).body.access_token ?? '';
    expect(await call(next)).toBe(0);

    running.reconfigure({ callers: [{ ...CALLERS[0], key: 'another-key-0123456789' }, ...CALLERS.slice(1)] });
    expect(await call(next)).toBe(40001);
    running.reconfigure({});
    expect(await call(next)).toBe(0);

    await clock.advance(7_201_000);
    expect(await call(next)).toBe(42001);
    await expect(admin.revokeTokens({ caller: 'nobody' })).rejects.toMatchObject({ status: 404 });
  });

  it('cannot be forged, changed or used with other parts of another', async () => {
    const token = await start();
    const other = (await classic(VIRTUAL_KEY, NEWS.appid)).body.access_token ?? '';
    const forged = [
      'OBV1',
      `${token}A`,
      token.slice(0, -1),
      token.slice(0, -22) + other.slice(-22),
      `OBV1${Buffer.from(JSON.stringify(['real', 'key:0', SHOP.appid, 1, 9e9, 'x'])).toString('base64url')}${'A'.repeat(22)}`,
    ];
    for (const value of forged) {
      const { status, body } = await get(`/wxa/getwxadevinfo?access_token=${value}`);
      expect({ status, errcode: body.errcode }).toEqual({ status: 200, errcode: 40014 });
    }
    expect(running.simulator.counters(SHOP.appid).calls['/wxa/getwxadevinfo']).toBeUndefined();
  });

  it('work at another gateway of the same database after a restart', async () => {
    const token = await start();
    await running.restart();
    expect((await get(`/wxa/getwxadevinfo?access_token=${token}`)).body.errcode).toBe(0);
  });
});

describe('co-wechat-api from the registry, with nothing changed but its endpoint', () => {
  const Api = createRequire(import.meta.url)('co-wechat-api');

  function sdk(secret: string) {
    const api = new Api(NEWS.appid, secret);
    for (const prefix of ['prefix', 'snsPrefix', 'fileServerPrefix', 'customservicePrefix', 'wxaPrefix']) {
      api[prefix] = api[prefix].replace(/^https?:\/\/(file\.)?api\.weixin\.qq\.com/, running.gateway);
    }
    return api;
  }

  it.each([
    ['the true secret and real tokens', NEWS.secret],
    ['a caller key and real tokens', REAL_KEY],
    ['a caller key and virtual tokens', VIRTUAL_KEY],
  ])('works with %s', async (_what, secret) => {
    running = await startTestBridge({ config: { callers: CALLERS } });
    const api = sdk(secret);
    const menu = { button: [{ type: 'click', name: '今日', key: 'TODAY' }] };
    expect(await api.createMenu(menu)).toMatchObject({ errcode: 0 });
    expect(JSON.stringify(await api.getMenu())).toContain('今日');

    const picture = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
    const { media_id: mediaId } = await api.uploadMedia(picture, 'image', 'x.png', 'image/png');
    expect(Buffer.compare(await api.getMedia(mediaId), picture)).toBe(0);
    expect(await api.getFollowers()).toHaveProperty('total');

    running.simulator.revoke(NEWS.appid);
    expect(await api.getFollowers()).toHaveProperty('total');
    expect(running.simulator.counters(NEWS.appid).stable.issued).toBe(2);
    expect(running.simulator.counters(NEWS.appid).classic.calls).toBe(0);
  });
});
