import { describe, expect, it } from 'vitest';
import { SHOP } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';
import { LATER_MS, openStage, refusalOf } from './sessions.fixture.ts';

describe('open data', () => {
  it('decrypts what the mini program was given', async () => {
    const { simulator, bridge, logIn, keepOutOfLogs } = await openStage();
    const openid = await logIn('alice');
    const { encryptedData, iv } = simulator.users.openData(SHOP.appid, {
      openid,
      data: { stepInfoList: [{ timestamp: 1445866601, step: 100 }], 中文: '值' },
    });
    keepOutOfLogs('stepInfoList', encryptedData);
    const { data, session } = await bridge.decryptOpenData({ appid: 'shop', openid, encryptedData, iv });
    expect(session).toBe('current');
    expect(data).toEqual({
      stepInfoList: [{ timestamp: 1445866601, step: 100 }],
      中文: '值',
      watermark: { appid: SHOP.appid, timestamp: expect.any(Number) },
    });
  });

  it('still opens what was made just before a login, but not for ever', async () => {
    const clock = manualClock();
    const { simulator, bridge, logIn, sessionKey } = await openStage({ clock });
    const openid = await logIn('alice');
    const { encryptedData, iv, rawData, signature } = simulator.users.openData(SHOP.appid, { openid });
    await clock.advance(LATER_MS);
    const first = sessionKey(openid);
    await logIn('alice');
    expect(sessionKey(openid)).not.toBe(first);

    const user = { appid: 'shop', openid };
    expect((await bridge.decryptOpenData({ ...user, encryptedData, iv })).session).toBe('previous');
    expect(await bridge.verifyRawData({ ...user, rawData, signature })).toEqual({
      valid: true,
      session: 'previous',
    });
    const fresh = simulator.users.openData(SHOP.appid, { openid });
    const opened = await bridge.decryptOpenData({
      ...user,
      encryptedData: fresh.encryptedData,
      iv: fresh.iv,
    });
    expect(opened.session).toBe('current');

    await clock.advance(LATER_MS);
    expect(await refusalOf(bridge.decryptOpenData({ ...user, encryptedData, iv }))).toMatchObject({
      status: 400,
      message: expect.stringContaining('/v1/sessions/login'),
    });
    expect(await bridge.verifyRawData({ ...user, rawData, signature })).toEqual({
      valid: false,
      session: null,
    });
  });

  it('says what to do when the user logged in past the bridge', async () => {
    const clock = manualClock();
    const { simulator, bridge, logIn } = await openStage({ clock });
    const openid = await logIn('alice');
    await clock.advance(LATER_MS);
    const query = new URLSearchParams({
      appid: SHOP.appid,
      secret: SHOP.secret,
      js_code: simulator.users.code(SHOP.appid, { openid }).code,
      grant_type: 'authorization_code',
    });
    await (await fetch(`${simulator.origin}/sns/jscode2session?${query}`)).arrayBuffer();

    const user = { appid: 'shop', openid };
    expect(await bridge.checkSession(user)).toMatchObject({ valid: false, errcode: 87009 });
    const { encryptedData, iv } = simulator.users.openData(SHOP.appid, { openid });
    expect(await refusalOf(bridge.decryptOpenData({ ...user, encryptedData, iv }))).toMatchObject({
      status: 400,
      message: expect.stringContaining('/v1/sessions/login'),
    });
    await logIn('alice');
    expect((await bridge.decryptOpenData({ ...user, encryptedData, iv })).session).toBe('current');
  });

  it('vouches for what the platform signed for this user, and for nothing else', async () => {
    const { simulator, bridge, logIn } = await openStage();
    const alice = await logIn('alice');
    const bob = await logIn('bob');
    const { rawData, signature } = simulator.users.openData(SHOP.appid, { openid: alice });
    const verify = (openid: string, text: string) =>
      bridge.verifyRawData({ appid: 'shop', openid, rawData: text, signature });
    expect(await verify(alice, rawData)).toEqual({ valid: true, session: 'current' });
    expect((await verify(alice, `${rawData} `)).valid).toBe(false);
    expect((await verify(bob, rawData)).valid).toBe(false);
  });

  it("does not open one user's data with the session of another", async () => {
    const { simulator, bridge, logIn } = await openStage();
    const alice = await logIn('alice');
    const bob = await logIn('bob');
    const { encryptedData, iv } = simulator.users.openData(SHOP.appid, { openid: alice });
    const error = await refusalOf(bridge.decryptOpenData({ appid: 'shop', openid: bob, encryptedData, iv }));
    expect(error.status).toBe(400);
  });
});

describe('phone numbers', () => {
  it('gives what the platform says of a code, once', async () => {
    const { simulator, bridge, keepOutOfLogs } = await openStage();
    simulator.users.change(SHOP.appid, { user: 'alice', phoneNumber: '13900001234' });
    const { code } = simulator.users.code(SHOP.appid, { user: 'alice', use: 'phone' });
    keepOutOfLogs('13900001234', code);
    expect(await bridge.getPhoneNumber({ appid: 'shop', code })).toMatchObject({
      phoneNumber: '13900001234',
      purePhoneNumber: '13900001234',
      countryCode: '86',
      watermark: { appid: SHOP.appid },
    });
    expect(await refusalOf(bridge.getPhoneNumber({ appid: 'shop', code }))).toMatchObject({
      status: 400,
      errcode: 40029,
      message: expect.stringContaining('press the phone number button again'),
    });
  });

  it('has a revoked token replaced and asks once more', async () => {
    const { simulator, bridge, hide } = await openStage();
    const ask = (user: string) => {
      const { code } = simulator.users.code(SHOP.appid, { user, use: 'phone' });
      return bridge.getPhoneNumber({ appid: 'shop', code });
    };
    await ask('alice');
    hide(...simulator.state.tokens(SHOP.appid));
    expect(simulator.revoke(SHOP.appid)).toBe(1);
    expect((await ask('bob')).countryCode).toBe('86');
  });

  it("tells the platform's refusals by what can be done about them", async () => {
    const { simulator, bridge } = await openStage();
    const path = '/wxa/business/getuserphonenumber';
    const { code } = simulator.users.code(SHOP.appid, { user: 'alice', use: 'phone' });
    for (const [errcode, status] of [
      [45011, 429],
      [48001, 503],
      [40029, 400],
    ] as const) {
      simulator.faults.add({ kind: 'errcode', errcode, path, times: 1 });
      expect(await refusalOf(bridge.getPhoneNumber({ appid: 'shop', code }))).toMatchObject({
        status,
        errcode,
        message: expect.stringContaining(`the platform answered ${errcode} `),
      });
    }
  });

  it('says which platform has such codes', async () => {
    const { bridge } = await openStage();
    expect(await refusalOf(bridge.getPhoneNumber({ appid: 'news', code: 'c' }))).toMatchObject({
      status: 503,
      errcode: 990503,
      message: expect.stringContaining('weixin-mp'),
    });
  });
});
