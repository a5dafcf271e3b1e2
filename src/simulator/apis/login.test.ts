import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, OA, startHarness } from '../simulator.fixture.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.simulator.close());

const login = (code: string, { appid, secret } = MP) =>
  h.get(`/sns/jscode2session?appid=${appid}&secret=${secret}&js_code=${code}&grant_type=authorization_code`);
const errcodeOf = async (code: string, account = MP) => (await login(code, account)).json['errcode'];
const keyOf = async (code: string) => (await login(code)).json['session_key'];

describe('any text is a code', () => {
  test('a code gives a session once', async () => {
    const { json } = await login('alice:1');
    expect(json).toEqual({ openid: expect.stringMatching(/^o[\w-]{27}$/), session_key: expect.any(String) });
    expect(Buffer.from(String(json['session_key']), 'base64').length).toBe(16);
    expect((await login('alice:1')).json).toEqual({
      errcode: 40163,
      errmsg: expect.stringMatching(/^code been used rid: /),
    });
    expect((await login('alice:2')).json['openid']).toBe(json['openid']);
    expect((await login('bob:1')).json['openid']).not.toBe(json['openid']);
  });

  test.each([
    ['invalid1', MP.secret, 40029],
    ['blocked1', MP.secret, 40226],
    ['', MP.secret, 41008],
    ['a', 'x', 40125],
    ['a', '', 41004],
  ])('code %j secret %j → %i', async (code, secret, errcode) => {
    expect(await errcodeOf(code, { ...MP, secret })).toBe(errcode);
  });

  test('a text that was refused can still be used', async () => {
    expect(await errcodeOf('alice', { ...MP, secret: 'x' })).toBe(40125);
    expect(await errcodeOf('alice')).toBeUndefined();
  });

  test('other accounts: 48001, and 40013 for an appid nobody has', async () => {
    expect(await errcodeOf('alice', OA)).toBe(48001);
    expect(await errcodeOf('alice', { ...MP, appid: 'wx9' })).toBe(40013);
  });

  test('grant_type must be authorization_code', async () => {
    const query = `appid=${MP.appid}&secret=${MP.secret}&js_code=alice`;
    expect((await h.get(`/sns/jscode2session?${query}`)).json['errcode']).toBe(40002);
  });
});

describe('issued codes', () => {
  test('a code belongs to its user and works once, within five minutes', async () => {
    const given = h.simulator.users.code(MP.appid, { openid: 'oX', unionid: 'uX' });
    expect(given).toEqual({
      code: expect.stringMatching(/^[\w-]{32}$/),
      openid: 'oX',
      unionid: 'uX',
      expiresIn: 300,
    });
    expect((await login(given.code)).json).toEqual({
      openid: 'oX',
      unionid: 'uX',
      session_key: expect.any(String),
    });
    expect(await errcodeOf(given.code)).toBe(40163);

    const late = h.simulator.users.code(MP.appid, { openid: 'oX' });
    h.simulator.clock.advance(299_999);
    const { code: young } = h.simulator.users.code(MP.appid, { openid: 'oX' });
    h.simulator.clock.advance(1);
    expect(await errcodeOf(late.code)).toBe(40029);
    expect(await errcodeOf(young)).toBeUndefined();
  });

  test('codes of another account or another use are unknown where only issued ones are taken', async () => {
    const other = { ...MP, appid: 'wxmp000000000002' };
    h.simulator.addAccount({ ...other, users: { codes: 'issued' } });
    h.simulator.setAccount(MP.appid, { users: { codes: 'issued' } });
    const { code } = h.simulator.users.code(MP.appid, { user: 'alice' });
    const phone = h.simulator.users.code(MP.appid, { user: 'alice', use: 'phone' });
    expect(await errcodeOf('alice')).toBe(40029);
    expect(await errcodeOf(code, other)).toBe(40029);
    expect(await errcodeOf(phone.code)).toBe(40029);
    expect(await errcodeOf(code)).toBeUndefined();
  });

  test('a blocked user: 40226 until it is no longer, and the code is not lost', async () => {
    const { code, openid } = h.simulator.users.code(MP.appid, { user: 'alice' });
    h.simulator.users.change(MP.appid, { openid, blocked: true });
    expect(await errcodeOf(code)).toBe(40226);
    expect(await errcodeOf('alice:1')).toBe(40226);
    h.simulator.users.change(MP.appid, { openid, blocked: false });
    expect(await errcodeOf(code)).toBeUndefined();
  });
});

describe('the session_key', () => {
  test('repeats within a minute keep it, later ones replace it', async () => {
    const first = await keyOf('alice:1');
    h.simulator.clock.advance(59_999);
    expect(await keyOf('alice:2')).toBe(first);
    h.simulator.clock.advance(1);
    const second = await keyOf('alice:3');
    expect(second).not.toBe(first);
    const { openid } = (await login('alice:4')).json;
    expect(h.simulator.state.sessionKey(MP.appid, String(openid))).toBe(second);
  });

  test('sessionKeepSeconds 0 gives a new one each time', async () => {
    h.simulator.setAccount(MP.appid, { users: { sessionKeepSeconds: 0 } });
    expect(await keyOf('alice:1')).not.toBe(await keyOf('alice:2'));
  });

  test('users and apps have keys of their own', async () => {
    h.simulator.addAccount({ ...MP, appid: 'wxmp000000000002' });
    const other = await login('alice:1', { ...MP, appid: 'wxmp000000000002' });
    const keys = [await keyOf('alice:1'), await keyOf('bob:1'), other.json['session_key']];
    expect(new Set(keys).size).toBe(3);
  });

  test('the same seed gives the same codes and keys', async () => {
    const twin = await startHarness();
    const { code } = h.simulator.users.code(MP.appid, { user: 'alice' });
    expect(twin.simulator.users.code(MP.appid, { user: 'alice' }).code).toBe(code);
    const query = `appid=${MP.appid}&secret=${MP.secret}&js_code=${code}&grant_type=authorization_code`;
    const [mine, its] = [await login(code), await twin.get(`/sns/jscode2session?${query}`)];
    expect(its.json).toEqual(mine.json);
    await twin.simulator.close();
  });
});

describe('limits and settings', () => {
  test('100 a minute for each user: 45011, and the code is not lost', async () => {
    for (let i = 0; i < 100; i += 1) expect(await errcodeOf(`alice:${i}`)).toBeUndefined();
    expect(await errcodeOf('alice:100')).toBe(45011);
    expect(await errcodeOf('bob:1')).toBeUndefined();
    h.simulator.clock.advance(60_000);
    expect(await errcodeOf('alice:100')).toBeUndefined();
  });

  test('another limit', async () => {
    h.simulator.setAccount(MP.appid, { quotas: { loginPerUserMinute: 1 } });
    expect(await errcodeOf('alice:1')).toBeUndefined();
    expect(await errcodeOf('alice:2')).toBe(45011);
  });

  test('a frozen secret and an address that is not listed', async () => {
    h.simulator.setAccount(MP.appid, { ipWhitelist: ['192.0.2.1'] });
    expect((await login('alice')).json['errmsg']).toContain('invalid ip 127.0.0.1');
    h.simulator.setAccount(MP.appid, { frozenSecret: true });
    expect(await errcodeOf('alice')).toBe(40243);
  });

  test('apps of one open platform account know a user by one unionid', async () => {
    const other = { ...MP, appid: 'wxmp000000000002', users: { openPlatform: 'acme' } };
    h.simulator.addAccount(other);
    h.simulator.setAccount(MP.appid, { users: { openPlatform: 'acme' } });
    const [mine, its, bob] = [await login('alice:1'), await login('alice:1', other), await login('bob:1')];
    expect(mine.json['unionid']).toMatch(/^o[\w-]{27}$/);
    expect(its.json['unionid']).toBe(mine.json['unionid']);
    expect(its.json['openid']).not.toBe(mine.json['openid']);
    expect(bob.json['unionid']).not.toBe(mine.json['unionid']);
    h.simulator.setAccount(MP.appid, { users: { openPlatform: null } });
    expect((await login('alice:2')).json['unionid']).toBeUndefined();
  });

  test('faults strike and calls are counted as for every other path', async () => {
    const path = '/sns/jscode2session';
    h.simulator.faults.add({ kind: 'errcode', errcode: -1, path, appid: MP.appid, times: 1 });
    h.simulator.faults.add({ kind: 'cut', at: 'headers', path, times: 1 });
    expect(await errcodeOf('alice:1')).toBe(-1);
    await expect(login('alice:1')).rejects.toThrow();
    // The answer was lost, not the exchange.
    expect(await errcodeOf('alice:1')).toBe(40163);
    expect(h.simulator.counters(MP.appid)).toMatchObject({
      calls: { [path]: 3 },
      errors: { '-1': 1, 40163: 1 },
    });
  });

  test('neither secret, code nor key is in the rid log', async () => {
    const { code } = h.simulator.users.code(MP.appid, { user: 'alice' });
    const key = String(await keyOf(code));
    const failed = await login(code);
    const rid = String(failed.json['errmsg']).split(' rid: ')[1] ?? '';
    const record = JSON.stringify(h.simulator.state.rid(rid));
    expect(record).toContain('js_code=***');
    for (const secret of [MP.secret, code, key]) expect(record).not.toContain(secret);
  });
});
