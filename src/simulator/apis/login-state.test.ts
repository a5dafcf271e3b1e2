import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, OA, START, send, startHarness } from '../simulator.fixture.ts';

const CHECK = '/wxa/checksession';
const RESET = '/wxa/resetusersessionkey';
const KEYS = '/wxa/business/getuserencryptkey';

let h: Harness;
let token: string;
let openid: string;
let key: string;
beforeEach(async () => {
  h = await startHarness();
  token = await h.token(MP);
  ({ openid, key } = await login('alice:1'));
});
afterEach(() => h.simulator.close());

async function login(code: string): Promise<{ openid: string; key: string }> {
  const query = `appid=${MP.appid}&secret=${MP.secret}&js_code=${code}&grant_type=authorization_code`;
  const { json } = await h.get(`/sns/jscode2session?${query}`);
  return { openid: String(json['openid']), key: String(json['session_key']) };
}

const sign = (sessionKey: string, body = '') => createHmac('sha256', sessionKey).update(body).digest('hex');

function targetOf(path: string, change: Record<string, string | undefined> = {}): string {
  const all = { access_token: token, openid, signature: sign(key), sig_method: 'hmac_sha256', ...change };
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${path}?${new URLSearchParams(given)}`;
}

const ask = async (path: string, change?: Record<string, string | undefined>) =>
  (await h.get(targetOf(path, change))).json;

describe.each([CHECK, RESET, KEYS])('the signature of %s', path => {
  test('is right in either case of its digits', async () => {
    expect((await ask(path, { signature: sign(key).toUpperCase() }))['errcode']).toBe(0);
  });

  test.each([
    ['no openid', { openid: undefined }, 40003, 'invalid openid'],
    ['an empty openid', { openid: '' }, 40003, 'invalid openid'],
    ['no sig_method', { sig_method: undefined }, 87008, 'invalid sig_method'],
    ['another sig_method', { sig_method: 'sha1' }, 87008, 'invalid sig_method'],
    ['no signature', { signature: undefined }, 87009, 'invalid signature'],
    ['a wrong signature', { signature: sign('x') }, 87009, 'invalid signature'],
    ['a user who never logged in', { openid: 'oX' }, 87007, 'session_key is not existd or expired'],
    ['no token', { access_token: undefined }, 41001, 'access_token missing'],
  ])('%s', async (_, change, errcode, errmsg) => {
    const { json } = await h.get(targetOf(path, change));
    expect(json).toEqual({ errcode, errmsg: expect.stringContaining(`${errmsg} rid: `) });
  });

  test('the key signs as text, not as the bytes that base64 stands for', async () => {
    const decoded = createHmac('sha256', Buffer.from(key, 'base64')).update('').digest('hex');
    expect((await ask(path, { signature: decoded }))['errcode']).toBe(87009);
  });

  test('a key that a later login replaced signs no more', async () => {
    h.simulator.clock.advance(60_000);
    const old = key;
    ({ key } = await login('alice:2'));
    expect((await ask(path, { signature: sign(old) }))['errcode']).toBe(87009);
    expect((await ask(path))['errcode']).toBe(0);
  });

  test('a key dies with its time: 87007', async () => {
    h.simulator.setAccount(MP.appid, { tokenLifeSeconds: 30 * 86_400 });
    token = await h.token(MP);
    h.simulator.clock.advance(3 * 86_400_000 - 1);
    token = String((await h.stable(MP, true)).json['access_token']);
    expect((await ask(path))['errcode']).toBe(0);
    h.simulator.clock.advance(1);
    expect((await ask(path))['errcode']).toBe(87007);
  });

  test('a key that control ends: 87007', async () => {
    h.simulator.users.change(MP.appid, { openid, expireSession: true });
    expect((await ask(path))['errcode']).toBe(87007);
  });

  test('official accounts have no such API', async () => {
    expect((await ask(path, { access_token: await h.token(OA) }))['errcode']).toBe(48001);
  });
});

describe('checksession and resetusersessionkey', () => {
  test('a check changes nothing', async () => {
    expect(await ask(CHECK)).toEqual({ errcode: 0, errmsg: 'ok' });
    expect(h.simulator.state.sessionKey(MP.appid, openid)).toBe(key);
  });

  test('POST is the wrong verb', async () => {
    expect((await h.post(targetOf(CHECK))).json['errcode']).toBe(43001);
    expect((await h.post(targetOf(RESET))).json['errcode']).toBe(43001);
  });

  test('a reset replaces the key, and the new one ends when the old one would have', async () => {
    const end = h.simulator.state.user(MP.appid, openid)?.session?.expiresAt;
    h.simulator.clock.advance(3_600_000);
    const old = key;
    const answer = await ask(RESET);
    expect(answer).toEqual({ errcode: 0, errmsg: 'ok', openid, session_key: expect.any(String) });
    key = String(answer['session_key']);
    expect(key).not.toBe(old);
    expect(h.simulator.state.user(MP.appid, openid)?.session).toMatchObject({ serial: 2, expiresAt: end });
    expect((await ask(CHECK, { signature: sign(old) }))['errcode']).toBe(87009);
    expect((await ask(CHECK))['errcode']).toBe(0);
  });

  test('resets of an app have a limit a minute', async () => {
    h.simulator.setAccount(MP.appid, { quotas: { resetPerMinute: 1 } });
    key = String((await ask(RESET))['session_key']);
    expect((await ask(RESET))['errcode']).toBe(45011);
    // The key that the refused reset left alone still works.
    expect((await ask(CHECK))['errcode']).toBe(0);
    h.simulator.clock.advance(60_000);
    expect((await ask(RESET))['errcode']).toBe(0);
  });
});

describe('getuserencryptkey', () => {
  interface KeyInfo {
    encrypt_key: string;
    version: number;
    expire_in: number;
    iv: string;
    create_time: number;
  }
  const list = async () => (await ask(KEYS))['key_info_list'] as KeyInfo[];
  const refreshToken = async () => {
    token = await h.token(MP);
  };

  test('the first call makes the first key; repeats show it with less time left', async () => {
    const [first, ...rest] = await list();
    expect(first).toEqual({
      encrypt_key: expect.any(String),
      version: 1,
      expire_in: 3600,
      iv: expect.stringMatching(/^[0-9a-f]{16}$/),
      create_time: START / 1000,
    });
    expect(rest).toEqual([]);
    expect(Buffer.from(first?.encrypt_key ?? '', 'base64').length).toBe(16);
    h.simulator.clock.advance(3500);
    expect(await list()).toEqual([{ ...first, expire_in: 3596 }]);
  });

  test('three keys at most, newest first, old ones with no time left', async () => {
    const seen: KeyInfo[] = [];
    for (let hour = 0; hour < 4; hour += 1) {
      const [newest] = await list();
      if (newest !== undefined) seen.push(newest);
      h.simulator.clock.advance(3_600_000);
      await refreshToken();
    }
    const keys = await list();
    expect(keys.map(each => each.version)).toEqual([5, 4, 3]);
    expect(keys.map(each => each.expire_in)).toEqual([3600, 0, 0]);
    expect(keys[1]).toEqual({ ...seen[3], expire_in: 0 });
    expect(keys[2]).toEqual({ ...seen[2], expire_in: 0 });
    expect(new Set([...seen, ...keys].map(each => each.encrypt_key)).size).toBe(5);
  });

  test('POST without a body is as good as GET', async () => {
    expect((await h.post(targetOf(KEYS))).json).toEqual(await ask(KEYS));
  });

  test('a body, even {}, is covered by the signature', async () => {
    expect((await h.post(targetOf(KEYS), {})).json['errcode']).toBe(87009);
    expect((await h.post(targetOf(KEYS, { signature: sign(key, '{}') }), {})).json['errcode']).toBe(0);
    expect((await h.post(targetOf(KEYS, { signature: sign(key, '{ }') }), {})).json['errcode']).toBe(87009);
  });

  test('parameters in the body are not seen: 40003', async () => {
    const body = { openid, signature: sign(key), sig_method: 'hmac_sha256' };
    expect((await h.post(`${KEYS}?access_token=${token}`, body)).json['errcode']).toBe(40003);
    const form = new URLSearchParams(body);
    const sent = await send(`${h.simulator.origin}${KEYS}?access_token=${token}`, {
      method: 'POST',
      body: form,
    });
    expect(sent.json['errcode']).toBe(40003);
  });

  test('the mini program gets the newest key, and can have a new one made', async () => {
    const latest = h.simulator.users.latestUserKey(MP.appid, { openid });
    const [newest] = await list();
    expect(latest).toEqual({
      encryptKey: newest?.encrypt_key,
      iv: newest?.iv,
      version: 1,
      expireTime: START / 1000 + 3600,
    });
    expect(h.simulator.users.latestUserKey(MP.appid, { user: 'alice', renew: true })).toMatchObject({
      version: 2,
    });
    expect((await list()).map(each => [each.version, each.expire_in])).toEqual([
      [2, 3600],
      [1, 0],
    ]);
  });

  test('users have rings of their own, and a life of your choice', async () => {
    h.simulator.setAccount(MP.appid, { users: { encryptKeyLifeSeconds: 10 } });
    const alice = h.simulator.users.latestUserKey(MP.appid, { user: 'alice' });
    const bob = h.simulator.users.latestUserKey(MP.appid, { user: 'bob' });
    expect(bob).toMatchObject({ version: 1, expireTime: START / 1000 + 10 });
    expect(bob.encryptKey).not.toBe(alice.encryptKey);
  });
});
