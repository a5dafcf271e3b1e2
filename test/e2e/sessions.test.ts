import { describe, expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/index.ts';
import { NEWS, SHOP } from '../support/bridge.ts';
import { openStage, refusalOf, type Stage } from './sessions.fixture.ts';

describe('logging in', () => {
  it('tells who it is and keeps the session', async () => {
    const { simulator, bridge, sessionKey } = await openStage();
    const { code, openid } = simulator.users.code(SHOP.appid, { user: 'alice', unionid: 'oUnionAlice' });
    expect(await bridge.loginUser({ appid: 'shop', code })).toEqual({
      openid,
      unionid: 'oUnionAlice',
      scope: null,
      snapshot: false,
    });
    sessionKey(openid);
    expect(await bridge.checkSession({ appid: SHOP.appid, openid })).toEqual({
      valid: true,
      errcode: 0,
      errmsg: 'ok',
    });
  });

  it('exchanges a code once, however many ask at once or again', async () => {
    const { simulator, bridge, callsOf, hide, sessionKey } = await openStage();
    const { code, openid } = simulator.users.code(SHOP.appid, { user: 'alice' });
    const asked = Array.from({ length: 20 }, () => bridge.loginUser({ appid: 'shop', code }));
    for (const login of await Promise.all(asked)) expect(login.openid).toBe(openid);
    expect((await bridge.loginUser({ appid: 'shop', code })).openid).toBe(openid);
    expect(callsOf('/sns/jscode2session')).toBe(1);
    hide(code, sessionKey(openid));
  });

  it('remembers a login, and the session, over a restart', async () => {
    const stage = await openStage();
    const { code, openid } = stage.simulator.users.code(SHOP.appid, { user: 'alice' });
    const login = await stage.bridge.loginUser({ appid: 'shop', code });
    await stage.running.restart();
    expect(await stage.bridge.loginUser({ appid: 'shop', code })).toEqual(login);
    expect(stage.callsOf('/sns/jscode2session')).toBe(1);
    expect((await stage.bridge.checkSession({ appid: 'shop', openid })).valid).toBe(true);
    stage.hide(code, stage.sessionKey(openid));
  });

  it("tells a bad code in the platform's words, as the fault of the request and not as an outage", async () => {
    const { running, bridge } = await openStage();
    for (let at = 0; at < 2; at += 1) {
      const error = await refusalOf(bridge.loginUser({ appid: 'shop', code: 'invalid-code' }));
      expect(error).toMatchObject({
        status: 400,
        errcode: 40029,
        message: expect.stringMatching(/40029 invalid code.*log in again/),
      });
    }
    expect(running.logs.filter(line => JSON.parse(line).level === 'error')).toEqual([]);
  });

  it('tells a wrong secret as an outage of ours', async () => {
    const { simulator, bridge } = await openStage();
    simulator.setAccount(SHOP.appid, { secret: 'another-secret-of-the-account' });
    const { code } = simulator.users.code(SHOP.appid, { user: 'alice' });
    expect(await refusalOf(bridge.loginUser({ appid: 'shop', code }))).toMatchObject({
      status: 503,
      errcode: 40125,
    });
  });

  it('logs in by an OAuth code, with scope, unionid and snapshot', async () => {
    const stage = await openStage();
    const given = stage.simulator.users.code(NEWS.appid, {
      user: 'bob',
      unionid: 'oUnionBob',
      scope: 'snsapi_userinfo',
      snapshot: true,
    });
    expect(await stage.bridge.loginUser({ appid: 'news', code: given.code })).toEqual({
      openid: given.openid,
      unionid: 'oUnionBob',
      scope: 'snsapi_userinfo',
      snapshot: true,
    });
    await hideUserTokens(stage, 'bob');
  });
});

/**
 * Hides the OAuth tokens of a user's first consent: a second platform with the same seed gives the same.
 * Fails when the first does not know them, as then hiding them would prove nothing.
 */
async function hideUserTokens({ simulator, hide }: Stage, user: string): Promise<void> {
  const twin = await startSimulator({ accounts: [{ ...NEWS }] });
  try {
    const query = new URLSearchParams({
      appid: NEWS.appid,
      secret: NEWS.secret,
      code: twin.users.code(NEWS.appid, { user }).code,
      grant_type: 'authorization_code',
    });
    const answer = await fetch(`${twin.origin}/sns/oauth2/access_token?${query}`);
    const tokens = (await answer.json()) as { access_token: string; refresh_token: string };
    expect(simulator.state.userVerdict(tokens.access_token)).toBe(0);
    hide(tokens.access_token, tokens.refresh_token);
  } finally {
    await twin.close();
  }
}

describe('checking and resetting a session', () => {
  it('says in the words of the platform that a session is over', async () => {
    const { simulator, bridge, logIn } = await openStage();
    const openid = await logIn('alice');
    simulator.users.change(SHOP.appid, { openid, expireSession: true });
    const verdict = await bridge.checkSession({ appid: 'shop', openid });
    expect(verdict).toMatchObject({ valid: false, errcode: 87007 });
    expect(verdict.errmsg).toContain('session_key is not existd or expired');
  });

  it('replaces the session key, and goes on with the new one', async () => {
    const { simulator, bridge, logIn, sessionKey } = await openStage();
    const openid = await logIn('alice');
    const before = sessionKey(openid);
    expect(await bridge.resetSession({ appid: 'shop', openid })).toEqual({});
    expect(sessionKey(openid)).not.toBe(before);
    expect((await bridge.checkSession({ appid: 'shop', openid })).valid).toBe(true);
    const { encryptedData, iv } = simulator.users.openData(SHOP.appid, { openid });
    const opened = await bridge.decryptOpenData({ appid: 'shop', openid, encryptedData, iv });
    expect(opened.session).toBe('current');
  });

  it('says what to do where no session is kept', async () => {
    const { bridge } = await openStage();
    const user = { appid: 'shop', openid: 'oNobody' };
    for (const ask of [
      () => bridge.checkSession(user),
      () => bridge.resetSession(user),
      () => bridge.decryptOpenData({ ...user, encryptedData: 'AAAA', iv: 'AAAA' }),
      () => bridge.verifyRawData({ ...user, rawData: '{}', signature: 'aa' }),
    ]) {
      expect(await refusalOf(ask())).toMatchObject({
        status: 409,
        errcode: 990409,
        message: expect.stringContaining('wx.login'),
      });
    }
  });

  it('says that official accounts have no sessions of this kind', async () => {
    const { bridge } = await openStage();
    const error = await refusalOf(bridge.checkSession({ appid: 'news', openid: 'oSomebody' }));
    expect(error.message).toContain('weixin-mp');
  });
});

describe('QQ', () => {
  const QQ_MP = { appid: '1100000001', secret: 'canary-secret-qq-mp-0123456789', type: 'qq-mp' } as const;
  const QQ_APP = { appid: '1100000002', secret: 'canary-secret-qq-app-012345678', type: 'qq-app' } as const;

  async function openQqStage(): Promise<Stage> {
    const config: Record<string, unknown> = {
      apps: [
        { name: 'qq', platform: 'qq-mp', appid: QQ_MP.appid, secret: QQ_MP.secret },
        { name: 'site', platform: 'qq-app', appid: QQ_APP.appid, secret: QQ_APP.secret },
      ],
    };
    const stage = await openStage({
      config,
      prepare(simulator) {
        for (const account of [QQ_MP, QQ_APP]) simulator.addAccount({ ...account });
        const { origin } = simulator;
        config['upstream'] = { weixin: origin, qq: origin, qqConnect: origin };
      },
    });
    stage.hide(QQ_MP.secret, QQ_APP.secret);
    return stage;
  }

  it('logs mini-program users in and opens their data, and says what QQ does not offer', async () => {
    const { simulator, bridge, sessionKey } = await openQqStage();
    const { code, openid } = simulator.users.code(QQ_MP.appid, { user: 'carol' });
    expect(await bridge.loginUser({ appid: 'qq', code })).toMatchObject({ openid, scope: null });
    sessionKey(openid, QQ_MP.appid);
    const { encryptedData, iv, rawData, signature } = simulator.users.openData(QQ_MP.appid, { openid });
    const user = { appid: 'qq', openid };
    const { data } = await bridge.decryptOpenData({ ...user, encryptedData, iv });
    expect(data).toMatchObject({ openId: openid, watermark: { appid: QQ_MP.appid } });
    expect((await bridge.verifyRawData({ ...user, rawData, signature })).valid).toBe(true);
    for (const ask of [
      () => bridge.checkSession(user),
      () => bridge.resetSession(user),
      () => bridge.getPhoneNumber({ appid: 'qq', code: 'c' }),
      () => bridge.signPage({ appid: 'qq', url: 'https://a.example/' }),
    ]) {
      expect(await refusalOf(ask())).toMatchObject({ status: 503, errcode: 990503 });
    }
  });

  it('logs in with QQ Connect, which wants redirect_uri again', async () => {
    const { simulator, bridge } = await openQqStage();
    const redirectUri = 'https://site.example/back';
    const given = () => simulator.users.code(QQ_APP.appid, { user: 'dave', redirectUri });
    const { code, openid } = given();
    const login = await bridge.loginUser({ appid: 'site', code, redirect_uri: redirectUri });
    expect(login.openid).toBe(openid);

    const without = await refusalOf(bridge.loginUser({ appid: 'site', code: given().code }));
    expect(without).toMatchObject({ status: 400, message: expect.stringContaining('redirect_uri') });
    const another = { redirect_uri: 'https://site.example/elsewhere' };
    expect(
      await refusalOf(bridge.loginUser({ appid: 'site', code: given().code, ...another })),
    ).toMatchObject({ status: 400, errcode: 100010 });
  });
});
