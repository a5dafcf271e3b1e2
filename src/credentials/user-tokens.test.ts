import { describe, expect, test } from 'vitest';
import type { PlatformId } from '../platforms/platform.ts';
import { APPS, asked, DAY, HOUR, MINUTE, userRef, userWorld } from './users.fixture.ts';

const REFRESH = '/sns/oauth2/refresh_token';

async function loggedIn(platform: PlatformId = 'weixin-h5') {
  const world = await userWorld();
  const app = APPS[platform];
  const { code, openid } = world.platform.users.code(app.appid, { user: 'alice' });
  await world.clock.settled(world.first.sessions.login(app, { code }));
  const ref = userRef(app, 'user-access-token', openid);
  const get = () => world.clock.settled(world.first.values.get(ref));
  return { ...world, app, openid, ref, get };
}

describe.each(['weixin-h5', 'weixin-web', 'weixin-app'] as const)('a user token of %s', platform => {
  test('is renewed by its refresh token when it has ended, once for all who ask', async () => {
    const { first, clock, ref, get, nodes } = await loggedIn(platform);
    const before = await get();
    await clock.advance(2 * HOUR);
    const [second] = await nodes(1);
    const readings = await clock.settled(
      Promise.all([first, second].flatMap(node => Array.from({ length: 500 }, () => node?.values.get(ref)))),
    );
    const values = new Set(readings.map(reading => JSON.stringify(reading)));
    expect(values.size).toBe(1);
    expect(readings[0]).toMatchObject({ state: 'usable', expiresAt: expect.any(Number) });
    expect(readings[0]?.state === 'usable' && readings[0].expiresAt).toBeGreaterThan(clock.now() + HOUR);
    expect(readings[0]).not.toEqual(before);
    expect(asked(first, REFRESH) + (second === undefined ? 0 : asked(second, REFRESH))).toBe(1);
  });

  test('is had for 30 days after the login and not longer, whatever was renewed meanwhile', async () => {
    const { clock, get } = await loggedIn(platform);
    for (let day = 0; day < 29; day += 1) {
      await clock.advance(DAY);
      expect(await get()).toMatchObject({ state: 'usable' });
    }
    await clock.advance(DAY);
    expect(await get()).toMatchObject({ state: 'login-required', reason: expect.stringContaining('log in') });
  });
});

describe('a refresh token that the platform refuses', () => {
  test.each([
    ['a changed password', { changePassword: true } as const, 42007],
    ['a withdrawn consent', { withdrawConsent: true } as const, 40030],
  ])('after %s means a new login, and is not tried again', async (_why, change, errcode) => {
    const { first, platform, clock, app, openid, get } = await loggedIn();
    await clock.advance(2 * HOUR);
    platform.users.change(app.appid, { openid, ...change });
    expect(await get()).toEqual({ state: 'login-required', reason: expect.stringContaining(`${errcode}`) });
    expect(await get()).toMatchObject({ state: 'login-required' });
    expect(asked(first, REFRESH)).toBe(1);
  });

  test('is forgotten by the next login', async () => {
    const { first, platform, clock, app, openid, get } = await loggedIn();
    await clock.advance(2 * HOUR);
    platform.users.change(app.appid, { openid, changePassword: true });
    await get();
    const { code } = platform.users.code(app.appid, { openid });
    await clock.settled(first.sessions.login(app, { code }));
    expect(await get()).toMatchObject({ state: 'usable' });
  });

  test('for a passing reason is an error, and tried again', async () => {
    const { platform, clock, app, get } = await loggedIn();
    await clock.advance(2 * HOUR);
    const fault = platform.faults.add({ kind: 'errcode', appid: app.appid, path: REFRESH, errcode: -1 });
    await expect(get()).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: { errcode: -1 } });
    platform.faults.clear(fault);
    expect(await get()).toMatchObject({ state: 'usable' });
  });
});

describe('a value that was pushed in', () => {
  test('without a refresh token serves to its end, then asks for a login', async () => {
    const { first, clock, ref, get } = await loggedIn();
    await first.values.set(ref, { access_token: 'pushed' }, clock.now() + 7_200_000);
    await clock.advance(7_199_999);
    expect(await get()).toMatchObject({ state: 'usable', value: { access_token: 'pushed' } });
    await clock.advance(1);
    expect(await get()).toMatchObject({ state: 'login-required' });
  });

  test('as uni-id writes it, for 30 days with the end of its token inside, is renewed when that has ended', async () => {
    const { first, clock, ref, get } = await loggedIn();
    const granted = await get();
    if (granted.state !== 'usable') throw new Error('no grant');
    const endsAt = clock.now() + 2 * HOUR;
    const pushed = { ...granted.value, access_token_expired: endsAt, nick: 'kept' };
    await first.values.set(ref, pushed, clock.now() + 30 * DAY);
    expect(await get()).toEqual({ state: 'usable', value: pushed, expiresAt: endsAt });
    await clock.advance(2 * HOUR + MINUTE);
    expect(await get()).toMatchObject({
      state: 'usable',
      value: { nick: 'kept', access_token_expired: clock.now() + 2 * HOUR },
    });
  });

  test('is never renewed for an app that is not managed here', async () => {
    const { first, clock, ref, get } = await loggedIn();
    const granted = await get();
    if (granted.state !== 'usable') throw new Error('no grant');
    const own = { ...ref, app: { ...ref.app, managed: false } };
    await first.values.set(own, granted.value, clock.now() + HOUR);
    await clock.advance(3 * HOUR);
    expect(await first.values.get(own)).toMatchObject({ state: 'login-required' });
    expect(asked(first, REFRESH)).toBe(0);
  });

  test('is gone once it is removed', async () => {
    const { first, ref, get } = await loggedIn();
    expect(await first.values.remove(ref)).toBe(true);
    expect(await get()).toEqual({ state: 'absent' });
    expect(await first.values.remove(ref)).toBe(false);
  });
});

test('a user token of QQ Connect is renewed, and its new refresh token kept', async () => {
  const world = await userWorld();
  const app = APPS['qq-app'];
  const redirectUri = 'https://shop.example/callback';
  const { code, openid } = world.platform.users.code(app.appid, { user: 'bob', redirectUri });
  await world.clock.settled(world.first.sessions.login(app, { code, redirectUri }));
  const ref = userRef(app, 'user-access-token', openid);
  const before = await world.first.values.get(ref);
  if (before.state !== 'usable') throw new Error(before.state);
  await world.clock.advance(before.expiresAt - world.clock.now() - 6 * DAY);
  // The one in use is served; its renewal runs behind.
  expect(await world.first.values.get(ref)).toEqual(before);
  await world.clock.advance(MINUTE);
  const after = await world.first.values.get(ref);
  if (after.state !== 'usable') throw new Error(after.state);
  expect(after.expiresAt).toBeGreaterThan(before.expiresAt);
  expect(after.value['refresh_token']).not.toBe(before.value['refresh_token']);
  // The simulated QQ Connect ends refresh tokens 90 days after the consent.
  await world.clock.advance(after.expiresAt - world.clock.now());
  expect(await world.clock.settled(world.first.values.get(ref))).toMatchObject({ state: 'login-required' });
  expect(asked(world.first, '/oauth2.0/token')).toBeGreaterThan(2);
});
