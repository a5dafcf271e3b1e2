import { describe, expect, test } from 'vitest';
import { APPS, asked, DAY, MINUTE, userRef, userWorld } from './users.fixture.ts';

const mp = APPS['weixin-mp'];

async function loggedIn() {
  const world = await userWorld();
  const { code, openid } = world.platform.users.code(mp.appid, { user: 'alice', unionid: 'union-alice' });
  const login = await world.clock.settled(world.first.sessions.login(mp, { code }));
  return { ...world, code, openid, login, key: userRef(mp, 'session-key', openid) };
}

describe('a login of a mini program', () => {
  test('names the user and keeps the session key', async () => {
    const { login, openid, first, key } = await loggedIn();
    expect(login).toEqual({ openid, unionid: 'union-alice', scope: undefined, snapshot: false });
    expect(await first.values.get(key)).toEqual({
      state: 'usable',
      value: { session_key: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/) },
      expiresAt: Number.POSITIVE_INFINITY,
    });
  });

  test('exchanges a code once for all who ask at the same time, on every node', async () => {
    const world = await userWorld();
    const { code, openid } = world.platform.users.code(mp.appid, { user: 'alice' });
    const nodes = [world.first, ...(await world.nodes(2))];
    const logins = await world.clock.settled(
      Promise.all(nodes.flatMap(node => Array.from({ length: 50 }, () => node.sessions.login(mp, { code })))),
    );
    expect(logins.every(login => login.openid === openid)).toBe(true);
    expect(nodes.map(node => asked(node, '/sns/jscode2session')).reduce((a, b) => a + b)).toBe(1);
  });

  test('gives the first answer again to whoever asks a little later', async () => {
    const { first, code, openid, clock, nodes } = await loggedIn();
    await clock.advance(4 * MINUTE);
    const [second] = await nodes(1);
    expect((await clock.settled(second?.sessions.login(mp, { code }) ?? Promise.reject())).openid).toBe(
      openid,
    );
    expect(asked(first, '/sns/jscode2session')).toBe(1);
    await clock.advance(2 * MINUTE);
    await expect(clock.settled(first.sessions.login(mp, { code }))).rejects.toMatchObject({
      upstream: { errcode: 40163 },
    });
  });

  test('tells a bad code as the platform does, and asks only once about it', async () => {
    const world = await userWorld();
    world.platform.setAccount(mp.appid, { users: { codes: 'issued' } });
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(
        world.clock.settled(world.first.sessions.login(mp, { code: 'nobody-made-this' })),
      ).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: { errcode: 40029 } });
    }
    expect(asked(world.first, '/sns/jscode2session')).toBe(1);
  });

  test('keeps the session key before, which is tried second, for ten minutes', async () => {
    const { first, platform, clock, openid, key } = await loggedIn();
    const before = await first.values.get(key);
    await clock.advance(2 * MINUTE);
    const { code } = platform.users.code(mp.appid, { openid });
    await clock.settled(first.sessions.login(mp, { code }));
    const now = await first.values.get(key);
    const keys = (await first.sessions.keys(mp, openid)).map(each => ({ session_key: each.reveal() }));
    expect(keys).toEqual([now, before].map(reading => reading.state === 'usable' && reading.value));
    expect(keys[0]).not.toEqual(keys[1]);
    await clock.advance(10 * MINUTE);
    expect(await first.sessions.keys(mp, openid)).toHaveLength(1);
  });

  test('of another QQ platform keeps its session key too', async () => {
    const world = await userWorld();
    const qq = APPS['qq-mp'];
    const { code, openid } = world.platform.users.code(qq.appid, { user: 'bob' });
    expect((await world.clock.settled(world.first.sessions.login(qq, { code }))).openid).toBe(openid);
    expect(await world.first.values.get(userRef(qq, 'session-key', openid))).toMatchObject({
      state: 'usable',
    });
  });
});

describe('an OAuth login', () => {
  test.each(['weixin-h5', 'weixin-web', 'weixin-app', 'qq-app'] as const)(
    'on %s names the user and keeps the tokens',
    async platform => {
      const world = await userWorld();
      const app = APPS[platform];
      const redirectUri = 'https://shop.example/callback';
      const { code, openid, unionid } = world.platform.users.code(app.appid, {
        user: 'carol',
        ...(platform === 'qq-app' && { redirectUri }),
      });
      const login = await world.clock.settled(world.first.sessions.login(app, { code, redirectUri }));
      expect(login).toMatchObject({ openid, unionid: unionid ?? undefined, snapshot: false });
      expect(await world.first.values.get(userRef(app, 'user-access-token', openid))).toMatchObject({
        state: 'usable',
        value: { access_token: expect.any(String), refresh_token: expect.any(String) },
      });
    },
  );

  test('is refused for an app that is not managed here', async () => {
    const world = await userWorld();
    await expect(
      world.first.sessions.login({ ...APPS['weixin-h5'], managed: false }, { code: 'a-code' }),
    ).rejects.toMatchObject({ code: 'CREDENTIAL_UNSUPPORTED' });
    expect(world.first.sent).toHaveLength(0);
  });
});

describe('a session', () => {
  test('is checked with the platform', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    expect(await clock.settled(first.sessions.check(mp, openid))).toEqual({
      valid: true,
      errcode: 0,
      errmsg: 'ok',
    });
    platform.users.change(mp.appid, { openid, expireSession: true });
    expect(await clock.settled(first.sessions.check(mp, openid))).toMatchObject({ valid: false });
  });

  test('is checked by its current key alone, even while the one before is kept', async () => {
    const { first, clock, openid, key } = await loggedIn();
    await first.values.set(key, { session_key: 'bm90IHRoZSByaWdodCBrZXk=' }, Number.POSITIVE_INFINITY);
    expect(await clock.settled(first.sessions.check(mp, openid))).toMatchObject({
      valid: false,
      errcode: 87009,
    });
  });

  test('is reset, and the new key takes the place of the old one', async () => {
    const { first, clock, openid, key } = await loggedIn();
    const before = await first.values.get(key);
    await clock.settled(first.sessions.reset(mp, openid));
    expect(await first.values.get(key)).not.toEqual(before);
    expect((await clock.settled(first.sessions.check(mp, openid))).valid).toBe(true);
  });

  test('survives a revoked access token: the call is repaired', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    await clock.settled(first.sessions.check(mp, openid));
    platform.revoke(mp.appid);
    expect((await clock.settled(first.sessions.check(mp, openid))).valid).toBe(true);
  });

  test('that is not kept is told as such', async () => {
    const world = await userWorld();
    await expect(world.first.sessions.check(mp, 'o-nobody')).rejects.toMatchObject({
      code: 'LOGIN_REQUIRED',
      hint: expect.stringContaining('wx.login'),
    });
  });
});

describe('an encrypt key', () => {
  test('is fetched with the session key, once for all who ask, and every version is kept', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    const old = platform.users.latestUserKey(mp.appid, { openid });
    const latest = platform.users.latestUserKey(mp.appid, { openid, renew: true });
    const ref = userRef(mp, 'encrypt-key', openid, latest.version);
    const readings = await clock.settled(
      Promise.all(Array.from({ length: 1000 }, () => first.values.get(ref))),
    );
    const { encryptKey: encrypt_key, iv } = latest;
    expect(readings.every(reading => reading.state === 'usable')).toBe(true);
    expect(readings[0]).toMatchObject({ value: { encrypt_key, iv } });
    expect(await first.values.get(userRef(mp, 'encrypt-key', openid, old.version))).toMatchObject({
      state: 'usable',
      value: { encrypt_key: old.encryptKey, iv: old.iv },
    });
    expect(asked(first, '/wxa/business/getuserencryptkey')).toBe(1);
  });

  test('of a version that the platform does not keep is refused, without asking again and again', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    const { version } = platform.users.latestUserKey(mp.appid, { openid });
    const ref = userRef(mp, 'encrypt-key', openid, version + 7);
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(clock.settled(first.values.get(ref))).rejects.toMatchObject({
        code: 'CREDENTIAL_UNAVAILABLE',
        message: expect.stringContaining(`it keeps ${version}`),
      });
    }
    expect(asked(first, '/wxa/business/getuserencryptkey')).toBe(1);
  });

  test('is had with the session key before, when a new one was pushed in that is wrong', async () => {
    const { first, platform, clock, openid, key } = await loggedIn();
    const { version } = platform.users.latestUserKey(mp.appid, { openid });
    await first.values.set(key, { session_key: 'bm90IHRoZSByaWdodCBrZXk=' }, Number.POSITIVE_INFINITY);
    expect(await clock.settled(first.values.get(userRef(mp, 'encrypt-key', openid, version)))).toMatchObject({
      state: 'usable',
    });
  });

  test('without a session key says what to do', async () => {
    const world = await userWorld();
    await expect(
      world.clock.settled(world.first.values.get(userRef(mp, 'encrypt-key', 'o-nobody', 1))),
    ).rejects.toMatchObject({ code: 'LOGIN_REQUIRED', hint: expect.stringContaining('wx.login') });
  });

  test('is asked for anew by update', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    const { version } = platform.users.latestUserKey(mp.appid, { openid });
    const ref = userRef(mp, 'encrypt-key', openid, version);
    await clock.settled(first.values.get(ref));
    await clock.settled(first.values.update(ref));
    expect(asked(first, '/wxa/business/getuserencryptkey')).toBe(2);
  });

  test('ends, and is fetched again', async () => {
    const { first, platform, clock, openid } = await loggedIn();
    const { version } = platform.users.latestUserKey(mp.appid, { openid });
    const ref = userRef(mp, 'encrypt-key', openid, version);
    const before = await clock.settled(first.values.get(ref));
    await clock.advance(before.state === 'usable' ? before.expiresAt - clock.now() : DAY);
    // The platform's ring still names it, with no life left: what was encrypted with it can still be read.
    expect(await clock.settled(first.values.get(ref))).toMatchObject({ state: 'usable' });
    expect(asked(first, '/wxa/business/getuserencryptkey')).toBe(2);
  });
});
