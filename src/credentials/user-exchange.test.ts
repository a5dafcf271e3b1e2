import { describe, expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { APPS, MINUTE, userRef, userWorld } from './users.fixture.ts';

const mp = APPS['weixin-mp'];
const oa = APPS['weixin-h5'];
const ALARM = 'alarm: the platform refuses credentials to all users of an app until someone acts';
const OVER = 'alarm over: the platform gives users their credentials again';

async function world() {
  const made = await userWorld();
  const { first, platform, clock } = made;
  const login = async (): Promise<number | string> => {
    const { code } = platform.users.code(mp.appid, { user: 'alice' });
    return clock.settled(
      first.sessions.login(mp, { code }).then(
        () => 'logged in',
        error => error.upstream?.errcode ?? error.code,
      ),
    );
  };
  return { ...made, login };
}

describe('a refusal that strikes all users of an app', () => {
  test('is an alarm once, counted each time, and over with the first login that works', async () => {
    const { first, platform, login } = await world();
    platform.setAccount(mp.appid, { frozenSecret: true });
    for (let user = 0; user < 3; user += 1) expect(await login()).toBe(40243);
    expect(first.log.messages('error')).toEqual([ALARM]);
    const failed = { app: mp, kind: 'session-key', class: 'configuration' };
    expect(first.userFailures).toEqual([failed, failed, failed]);
    expect(first.log.messages('warn')).toEqual([]);

    platform.setAccount(mp.appid, { frozenSecret: false });
    expect(await login()).toBe('logged in');
    expect(await login()).toBe('logged in');
    expect(first.log.messages('warn')).toEqual([OVER]);
    platform.setAccount(mp.appid, { frozenSecret: true });
    expect(await login()).toBe(40243);
    expect(first.log.messages('error')).toEqual([ALARM, ALARM]);
  });

  test('is an alarm again when the reason is another', async () => {
    const { first, platform, login } = await world();
    platform.setAccount(mp.appid, { frozenSecret: true });
    await login();
    platform.faults.add({ kind: 'errcode', errcode: 40164, path: '/sns/jscode2session' });
    await login();
    expect(first.log.messages('error')).toEqual([ALARM, ALARM]);
    expect(first.userFailures.map(each => each.class)).toEqual(['configuration', 'address']);
  });

  test('is told with the app and what to do, and with no secret', async () => {
    const { first, platform, secrets, login } = await world();
    platform.setAccount(mp.appid, { frozenSecret: true });
    await login();
    const text = JSON.stringify(first.log.lines);
    expect(text).toContain(`"app":"${mp.name}"`);
    expect(text).toContain(`the secret of ${mp.appid} is frozen`);
    const shown = everythingAbout([first.log.lines, first.userFailures]);
    for (const secret of secrets) expect(shown).not.toContain(secret);
  });
});

test("a code that a user sent twice is nobody's alarm", async () => {
  const { first, clock } = await world();
  const code = 'used-before';
  await clock.settled(first.sessions.login(mp, { code }).catch(() => {}));
  await clock.advance(6 * MINUTE);
  await expect(clock.settled(first.sessions.login(mp, { code }))).rejects.toMatchObject({
    upstream: { errcode: 40163 },
  });
  expect(first.userFailures).toEqual([]);
  expect(first.log.messages('error')).toEqual([]);
});

test('a platform that does not answer is counted and no alarm', async () => {
  const { first, platform, login } = await world();
  platform.faults.add({ kind: 'cut', path: '/sns/jscode2session' });
  expect(await login()).toBe('UPSTREAM_UNREACHABLE');
  expect(first.userFailures).toEqual([{ app: mp, kind: 'session-key', class: 'busy' }]);
  expect(first.log.messages('error')).toEqual([]);
});

test('refreshes of user tokens are watched as logins are', async () => {
  const { first, platform, clock } = await world();
  const { code, openid } = platform.users.code(oa.appid, { user: 'alice' });
  await clock.settled(first.sessions.login(oa, { code }));
  await clock.advance(3 * 60 * MINUTE);
  platform.faults.add({ kind: 'errcode', errcode: 40164, path: '/sns/oauth2/refresh_token' });
  const ref = userRef(oa, 'user-access-token', openid);
  await expect(clock.settled(first.values.get(ref))).rejects.toMatchObject({ upstream: { errcode: 40164 } });
  expect(first.userFailures).toEqual([{ app: oa, kind: 'user-access-token', class: 'address' }]);
  expect(first.log.messages('error')).toEqual([ALARM]);
});
