import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import type { AccountType, Simulator } from '../simulator/index.ts';
import { startSimulator } from '../simulator/index.ts';
import { appOf } from './app.fixture.ts';
import type { App, PlatformId, SessionPlan, UpstreamRequest, UserTokenPlan } from './platform.ts';
import { platformOf } from './platforms.ts';
import { createUpstream, type UpstreamAnswer } from './upstream.ts';
import { decryptOpenData, matchesRawData } from './weixin-signatures.ts';

/** The plans for users' credentials, against a simulator that shares no code with them. */

const DAY_MS = 86_400_000;
const REDIRECT = 'https://shop.example/login';

interface Stage {
  readonly app: App;
  readonly simulator: Simulator;
  /** Moves the simulator's time on. */
  advance(ms: number): void;
  send(request: UpstreamRequest | undefined): Promise<UpstreamAnswer>;
  /** The answer to a request that has to go well. */
  granted(request: UpstreamRequest | undefined): Promise<Readonly<Record<string, unknown>>>;
  /** The errcode of a request that has to be refused. */
  refused(request: UpstreamRequest | undefined): Promise<number>;
}

async function stage(platform: PlatformId, type: AccountType): Promise<Stage> {
  let now = 1_700_000_000_000;
  const app = appOf({ platform, appid: 'app01' });
  const simulator = await startSimulator({
    accounts: [{ appid: app.appid, secret: 'the-secret', type, users: { codes: 'issued' } }],
    now: () => now,
  });
  const { origin } = simulator;
  const upstream = createUpstream({ origins: () => ({ weixin: origin, qq: origin, qqConnect: origin }) });
  onTestFinished(async () => {
    await upstream.close();
    await simulator.close();
  });
  const send: Stage['send'] = request => {
    if (request === undefined) throw new Error('the platform does not offer this');
    return upstream.send(app, platformOf(platform), request, new AbortController().signal);
  };
  return {
    app,
    simulator,
    advance: ms => {
      now += ms;
    },
    send,
    async granted(request) {
      const answer = await send(request);
      if (!answer.ok) throw new Error(`refused with ${answer.refusal.errcode} ${answer.refusal.errmsg}`);
      return answer.body;
    },
    async refused(request) {
      const answer = await send(request);
      if (answer.ok) throw new Error('went well');
      return answer.refusal.errcode;
    },
  };
}

function sessionsOf(id: PlatformId): SessionPlan {
  const { sessions } = platformOf(id);
  if (sessions === undefined) throw new Error(`${id} has no sessions`);
  return sessions;
}

function userTokensOf(id: PlatformId): UserTokenPlan {
  const { userTokens } = platformOf(id);
  if (userTokens === undefined) throw new Error(`${id} has no user tokens`);
  return userTokens;
}

async function accessTokenOf({ app, granted }: Stage): Promise<Secret> {
  const plan = platformOf(app.platform).plan('access-token', app.tokenMode);
  if (plan === undefined) throw new Error(`${app.platform} issues no access token`);
  return plan.read(await granted(plan.request(app, { force: false, needed: undefined }))).value;
}

test.each([
  ['weixin-mp', 'mp'],
  ['qq-mp', 'qq-mp'],
] as const)('a login code of %s is exchanged once', async (platform, type) => {
  const world = await stage(platform, type);
  const plan = sessionsOf(platform);
  const { code, openid } = world.simulator.users.code('app01', { user: 'ann', unionid: 'u-ann' });
  const grant = plan.read(await world.granted(plan.exchange(world.app, code)));
  expect(grant).toMatchObject({ openid, unionid: 'u-ann' });
  expect(grant.sessionKey.reveal()).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  const again = await world.refused(plan.exchange(world.app, code));
  expect(platformOf(platform).errorRule(again).class).toBe('one-shot');
  expect(await world.refused(plan.exchange(world.app, 'no-such-code'))).toBe(40029);
});

test('a session key is checked, signs for encrypt keys, and is replaced', async () => {
  const world = await stage('weixin-mp', 'mp');
  const plan = sessionsOf('weixin-mp');
  const { code, openid } = world.simulator.users.code('app01', { user: 'ann' });
  const { sessionKey } = plan.read(await world.granted(plan.exchange(world.app, code)));
  const accessToken = await accessTokenOf(world);
  const signed = { openid, accessToken, sessionKey };
  await world.granted(plan.check?.(signed));

  const latest = world.simulator.users.latestUserKey('app01', { user: 'ann' });
  const renewed = world.simulator.users.latestUserKey('app01', { user: 'ann', renew: true });
  const keys = plan.readEncryptKeys?.(await world.granted(plan.encryptKeys?.(signed))) ?? [];
  expect(keys.map(({ version }) => version)).toEqual([renewed.version, latest.version]);
  expect(keys[0]?.encryptKey.reveal()).toBe(renewed.encryptKey);
  expect(keys[0]?.iv).toBe(renewed.iv);
  expect(keys[0]?.lifeMs).toBeGreaterThan(0);
  expect(keys[0]?.lifeMs).toBeLessThanOrEqual(3_600_000);
  expect(keys[1]?.lifeMs).toBe(0);

  const next = plan.readReset?.(await world.granted(plan.reset?.(signed)));
  if (next === undefined) throw new Error('no new key');
  expect(next.matches(sessionKey.reveal())).toBe(false);
  expect(plan.sessionRefusedCodes).toContain(await world.refused(plan.check?.(signed)));
  await world.granted(plan.check?.({ ...signed, sessionKey: next }));
});

test('what a mini program is given opens with the session key, and only with it', async () => {
  const world = await stage('weixin-mp', 'mp');
  const plan = sessionsOf('weixin-mp');
  const { code, openid } = world.simulator.users.code('app01', { user: 'ann' });
  const { sessionKey } = plan.read(await world.granted(plan.exchange(world.app, code)));
  const given = world.simulator.users.openData('app01', { user: 'ann' });
  expect(decryptOpenData(sessionKey, { ...given, appid: 'app01' })).toMatchObject({
    openId: openid,
    watermark: { appid: 'app01', timestamp: 1_700_000_000 },
  });
  expect(matchesRawData(sessionKey, given.rawData, given.signature)).toBe(true);
  expect(matchesRawData(sessionKey, `${given.rawData} `, given.signature)).toBe(false);
  expect(() => decryptOpenData(sessionKey, { ...given, appid: 'app02' })).toThrow('belongs to app01');
  const other = new Secret(Buffer.alloc(16, 1).toString('base64'));
  expect(() => decryptOpenData(other, { ...given, appid: 'app01' })).toThrow('does not open');
});

test('a phone number is had for its code', async () => {
  const world = await stage('weixin-mp', 'mp');
  const accessToken = await accessTokenOf(world);
  const { code } = world.simulator.users.code('app01', {
    user: 'ann',
    use: 'phone',
    phoneNumber: '13800000000',
  });
  const { phoneNumber } = sessionsOf('weixin-mp');
  expect(await world.granted(phoneNumber?.(accessToken, code))).toMatchObject({
    phone_info: { purePhoneNumber: '13800000000', watermark: { appid: 'app01' } },
  });
  expect(await world.refused(phoneNumber?.(accessToken, code))).toBe(40029);
});

test('the token of a QQ mini program is had at its own endpoint', async () => {
  const world = await stage('qq-mp', 'qq-mp');
  const first = await accessTokenOf(world);
  const second = await accessTokenOf(world);
  expect(second.fingerprint).not.toBe(first.fingerprint);
});

test.each([
  ['weixin-h5', 'oa'],
  ['weixin-web', 'web'],
  ['weixin-app', 'app'],
] as const)(
  'a user of %s logs in, is kept by the refresh token, and logs in again',
  async (platform, type) => {
    const world = await stage(platform, type);
    const plan = userTokensOf(platform);
    const { code, openid } = world.simulator.users.code('app01', { user: 'ann', unionid: 'u-ann' });
    const grant = plan.read(await world.granted(plan.exchange(world.app, { code })));
    expect(grant).toMatchObject({ openid, snapshot: false, lifeMs: 7_200_000 });
    const again = await world.refused(plan.exchange(world.app, { code }));
    expect(platformOf(platform).errorRule(again).class).toBe('one-shot');

    if (grant.refreshToken === undefined) throw new Error('no refresh token');
    world.advance(3 * 3_600_000);
    const refreshed = plan.read(await world.granted(plan.refresh(world.app, grant.refreshToken)));
    expect(refreshed.openid).toBe(openid);
    expect(refreshed.accessToken.fingerprint).not.toBe(grant.accessToken.fingerprint);
    expect(refreshed.refreshToken?.fingerprint).toBe(grant.refreshToken.fingerprint);

    world.advance(plan.refreshLifeMs);
    expect(plan.loginAgainCodes).toContain(await world.refused(plan.refresh(world.app, grant.refreshToken)));
  },
);

test('a changed password and an unknown refresh token send the user back to login', async () => {
  const world = await stage('weixin-h5', 'oa');
  const plan = userTokensOf('weixin-h5');
  const { code } = world.simulator.users.code('app01', { user: 'ann', snapshot: true });
  const { refreshToken, snapshot } = plan.read(await world.granted(plan.exchange(world.app, { code })));
  expect(snapshot).toBe(true);
  if (refreshToken === undefined) throw new Error('no refresh token');
  world.simulator.users.change('app01', { user: 'ann', changePassword: true });
  expect(plan.loginAgainCodes).toContain(await world.refused(plan.refresh(world.app, refreshToken)));
  expect(plan.loginAgainCodes).toContain(await world.refused(plan.refresh(world.app, new Secret('none'))));
});

test('a user of QQ Connect logs in, and each refresh token works once', async () => {
  const world = await stage('qq-app', 'qq-app');
  const plan = userTokensOf('qq-app');
  const { code, openid } = world.simulator.users.code('app01', {
    user: 'ann',
    unionid: 'u-ann',
    redirectUri: REDIRECT,
  });
  const wrong = { code, redirectUri: `${REDIRECT}/other` };
  expect(await world.refused(plan.exchange(world.app, wrong))).toBe(100010);
  const input = { code, redirectUri: REDIRECT };
  const grant = plan.read(await world.granted(plan.exchange(world.app, input)));
  expect(grant).toMatchObject({ openid, lifeMs: 90 * DAY_MS });
  const again = await world.refused(plan.exchange(world.app, input));
  expect(platformOf('qq-app').errorRule(again).class).toBe('one-shot');
  expect(await world.granted(plan.identify?.(grant.accessToken))).toMatchObject({
    client_id: 'app01',
    openid,
    unionid: 'u-ann',
  });

  if (grant.refreshToken === undefined) throw new Error('no refresh token');
  const refreshed = plan.read(await world.granted(plan.refresh(world.app, grant.refreshToken)));
  expect(refreshed.openid).toBe(openid);
  expect(refreshed.refreshToken?.fingerprint).not.toBe(grant.refreshToken.fingerprint);
  expect(plan.loginAgainCodes).toContain(await world.refused(plan.refresh(world.app, grant.refreshToken)));
  expect(await world.refused(plan.identify?.(new Secret('nonsense')))).toBe(100013);
});
