import { createDecipheriv, createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  EVERY_TYPE,
  type Harness,
  MP,
  OA,
  QQ_APP,
  QQ_MP,
  START,
  startHarness,
} from '../simulator.fixture.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness({ accounts: EVERY_TYPE });
});
afterEach(() => h.simulator.close());

const control = (path: string, body?: unknown) => h.post(`/__simulator/${path}`, body);
const login = async (code: string, { appid, secret } = MP) =>
  (
    await h.get(
      `/sns/jscode2session?appid=${appid}&secret=${secret}&js_code=${code}&grant_type=authorization_code`,
    )
  ).json;
const fingerprint = (text: unknown) => createHash('sha256').update(String(text)).digest('hex').slice(0, 16);

describe('codes', () => {
  test.each(EVERY_TYPE.map(account => [account.type, account] as const))(
    'type %s: one by control over HTTP, one by code, both of the same user',
    async (_, { appid }) => {
      const { status, json } = await control('codes', { appid, user: 'alice' });
      expect(status).toBe(201);
      const second = h.simulator.users.code(appid, { user: 'alice' });
      expect(json).toEqual({ ...second, code: expect.any(String) });
      expect(json['code']).not.toBe(second.code);
    },
  );

  test('a code works where its app’s users log in', async () => {
    const { json } = await control('codes', { appid: MP.appid, openid: 'oX', unionid: 'uX' });
    expect(await login(String(json['code']))).toMatchObject({ openid: 'oX', unionid: 'uX' });
  });
});

describe('open data', () => {
  function decrypt(data: { encryptedData: string; iv: string }, key: unknown): Record<string, unknown> {
    const [secret, iv] = [Buffer.from(String(key), 'base64'), Buffer.from(data.iv, 'base64')];
    const decipher = createDecipheriv('aes-128-cbc', secret, iv);
    return JSON.parse(decipher.update(data.encryptedData, 'base64', 'utf8') + decipher.final('utf8'));
  }

  test.each([MP, QQ_MP])('the profile of a user of $type', async account => {
    h.simulator.setAccount(account.appid, { users: { openPlatform: 'acme' } });
    const { openid, session_key, unionid } = await login('alice:1', account);
    const data = h.simulator.users.openData(account.appid, { user: 'alice' });
    const plain = decrypt(data, session_key);
    expect(plain).toMatchObject({
      openId: openid,
      unionId: unionid,
      nickName: 'alice',
      watermark: { timestamp: START / 1000, appid: account.appid },
    });
    expect(JSON.parse(data.rawData)).toMatchObject({ nickName: 'alice' });
    expect(data.rawData).not.toContain(String(openid));
    expect(data.signature).toBe(
      createHash('sha1')
        .update(data.rawData + session_key)
        .digest('hex'),
    );
  });

  test('data of your own, over HTTP; two have two vectors', async () => {
    const { openid, session_key } = await login('alice:1');
    const ask = async () => (await control('open-data', { appid: MP.appid, openid, data: { a: 1 } })).json;
    const [first, second] = [await ask(), await ask()];
    expect(decrypt(first as never, session_key)).toEqual({
      a: 1,
      watermark: { timestamp: START / 1000, appid: MP.appid },
    });
    expect(first['rawData']).toBe('{"a":1}');
    expect(second['iv']).not.toBe(first['iv']);
  });
});

describe('users', () => {
  test('what is known of a user, without a key or token in clear', async () => {
    const { openid, session_key } = await login('alice:1');
    const { json: key } = await control('latest-user-key', { appid: MP.appid, openid });
    const { bytes, json } = await h.get(`/__simulator/users?appid=${MP.appid}`);
    expect(json).toEqual({
      count: 1,
      users: [
        {
          appid: MP.appid,
          openid,
          unionid: null,
          name: 'alice',
          phoneNumber: expect.stringMatching(/^1380000\d{4}$/),
          blocked: false,
          session: {
            serial: 1,
            fingerprint: fingerprint(session_key),
            madeAt: START,
            expiresAt: START + 3 * 86_400_000,
          },
          encryptKeys: [
            {
              version: 1,
              fingerprint: fingerprint(key['encryptKey']),
              createdAt: START,
              expiresAt: START + 3_600_000,
            },
          ],
          grants: [],
        },
      ],
    });
    expect(bytes.toString()).not.toContain(String(session_key));
    expect(h.simulator.state.user(MP.appid, String(openid))).toEqual(Object(json['users'])[0]);
    expect(h.simulator.state.sessionKey(MP.appid, String(openid))).toBe(session_key);
  });

  test('consents are shown with the fingerprints of their tokens', async () => {
    const query = `appid=${OA.appid}&secret=${OA.secret}&code=alice:1&grant_type=authorization_code`;
    const { json } = await h.get(`/sns/oauth2/access_token?${query}`);
    expect(h.simulator.state.user(OA.appid, String(json['openid']))?.grants).toEqual([
      {
        scope: 'snsapi_base',
        snapshot: false,
        grantedAt: START,
        accessFingerprint: fingerprint(json['access_token']),
        accessExpiresAt: START + 7_200_000,
        refreshFingerprint: fingerprint(json['refresh_token']),
        refreshExpiresAt: START + 30 * 86_400_000,
      },
    ]);
    expect(h.simulator.state.userVerdict(String(json['access_token']))).toBe(0);
    expect(h.simulator.state.userVerdict('x')).toBe(40001);
  });

  test('one user, or none', async () => {
    await login('alice:1');
    const { openid } = await login('bob:1');
    const one = await h.get(`/__simulator/users?appid=${MP.appid}&openid=${openid}`);
    expect(one.json).toMatchObject({ count: 1, users: [{ name: 'bob' }] });
    expect((await h.get(`/__simulator/users?appid=${MP.appid}&openid=x`)).json).toEqual({
      count: 0,
      users: [],
    });
    expect((await h.get(`/__simulator/users?appid=${OA.appid}`)).json['count']).toBe(0);
    expect(h.simulator.state.account(MP.appid)?.knownUsers).toBe(2);
    expect(h.simulator.state.user('wx9', 'x')).toBeUndefined();
  });

  test('a change, and a reset that forgets everyone', async () => {
    const change = { appid: MP.appid, openid: 'oX', blocked: true, unionid: 'uX', phoneNumber: '139' };
    expect((await control('users', change)).json).toMatchObject({
      openid: 'oX',
      name: null,
      blocked: true,
      unionid: 'uX',
      phoneNumber: '139',
    });
    expect(h.simulator.users.change(MP.appid, { openid: 'oX', blocked: false })).toMatchObject({
      blocked: false,
      unionid: 'uX',
    });
    h.simulator.reset();
    expect(h.simulator.state.user(MP.appid, 'oX')).toBeUndefined();
  });

  test('another type of account has the rules of that type', () => {
    h.simulator.setAccount(MP.appid, { users: { codeLifeSeconds: 7 } });
    expect(h.simulator.state.account(MP.appid)?.users).toMatchObject({ codeLifeSeconds: 7 });
    h.simulator.setAccount(MP.appid, { type: 'qq-app' });
    expect(h.simulator.state.account(MP.appid)?.users).toMatchObject({
      codeLifeSeconds: 600,
      accessTokenLifeSeconds: 7_776_000,
    });
  });
});

describe('everything that is made', () => {
  test('is told, in clear', async () => {
    const made = new Map<string, string>();
    const told = await startHarness({ accounts: EVERY_TYPE, onMint: (kind, value) => made.set(value, kind) });
    onTestFinished(() => told.simulator.close());
    const kindsOf = (answer: object): Record<string, string | undefined> =>
      Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, made.get(String(value))]));
    const { users } = told.simulator;
    const query = ({ appid, secret }: typeof MP): string => `appid=${appid}&secret=${secret}`;
    const code = users.code(MP.appid, { user: 'alice' });
    const login = `/sns/jscode2session?${query(MP)}&js_code=${code.code}&grant_type=authorization_code`;
    const consent = users.code(OA.appid, { user: 'alice' });
    const oauth = `/sns/oauth2/access_token?${query(OA)}&code=${consent.code}&grant_type=authorization_code`;
    const token = (await told.classic(OA)).json;
    const ticket = `/cgi-bin/ticket/getticket?type=jsapi&access_token=${token['access_token']}`;
    const phone = users.change(MP.appid, { user: 'alice' });

    expect(kindsOf(token)).toMatchObject({ access_token: 'access-token' });
    expect(kindsOf((await told.stable()).json)).toMatchObject({ access_token: 'access-token' });
    expect(kindsOf(code)).toMatchObject({ code: 'code', openid: 'openid' });
    expect(kindsOf((await told.get(login)).json)).toEqual({ openid: 'openid', session_key: 'session-key' });
    expect(kindsOf(users.latestUserKey(MP.appid, { user: 'alice' }))).toMatchObject({
      encryptKey: 'encrypt-key',
    });
    expect(kindsOf((await told.get(oauth)).json)).toMatchObject({
      ...{ access_token: 'user-access-token', refresh_token: 'refresh-token', openid: 'openid' },
    });
    expect(kindsOf((await told.get(ticket)).json)).toMatchObject({ ticket: 'ticket' });
    expect(kindsOf(phone)).toMatchObject({ phoneNumber: 'phone-number' });
  });
});

describe('bad input', () => {
  const { appid } = MP;
  test.each([
    ['codes', {}, 'appid must be a non-empty string'],
    ['codes', null, 'appid must be a non-empty string'],
    ['codes', { appid: 'wx9' }, 'appid wx9 is no account of the simulator'],
    ['codes', { appid }, 'either user or openid must name the user'],
    ['codes', { appid, user: 'a', openid: 'b' }, 'either user or openid must name the user'],
    ['codes', { appid, user: '' }, 'user must be a non-empty string'],
    ['codes', { appid, user: 'a', colour: 1 }, 'the code has no option "colour"'],
    ['codes', { appid, user: 'a', use: 'x' }, 'use must be one of login, oauth, phone'],
    ['codes', { appid, user: 'a', use: 'oauth' }, 'use must be login or phone for an account of type mp'],
    ['codes', { appid: OA.appid, user: 'a', use: 'login' }, 'use must be oauth for an account of type oa'],
    ['codes', { appid: QQ_MP.appid, user: 'a', use: 'phone' }, 'use must be login for'],
    ['codes', { appid: OA.appid, user: 'a', snapshot: 1 }, 'snapshot must be true or false'],
    ['open-data', { appid, user: 'a' }, 'has no session_key now; log it in first'],
    ['open-data', { appid, user: 'a', data: 5 }, 'data must be an object'],
    ['latest-user-key', { appid: QQ_APP.appid, user: 'a' }, 'encrypt keys belong to accounts of type mp'],
    ['latest-user-key', { appid, user: 'a', renew: 1 }, 'renew must be true or false'],
    ['users', { appid, user: 'a', changePassword: false }, 'changePassword must be one of true'],
    ['users', { appid, user: 'a', blocked: 1 }, 'blocked must be true or false'],
    ['accounts', { appid, users: { codes: 'x' } }, 'account.users.codes must be one of any, issued'],
    ['accounts', { appid, users: { codeLifeSeconds: 0 } }, 'account.users.codeLifeSeconds must be a number'],
    ['accounts', { appid, users: { openPlatform: '' } }, 'account.users.openPlatform must be a non-empty'],
    ['accounts', { appid, users: { x: 1 } }, 'account.users has no option "x"'],
    ['accounts', { appid, quotas: { oauthPerMinute: -1 } }, 'account.quotas.oauthPerMinute must be'],
  ])('%s %j → 400', async (path, body, message) => {
    const { status, json } = await control(path, body);
    expect(status).toBe(400);
    expect(json['error']).toContain(message);
    expect(h.simulator.state.user(appid, 'b')).toBeUndefined();
  });

  test('the same from code is a TypeError', () => {
    expect(() => h.simulator.users.code('wx9', { user: 'a' })).toThrow(TypeError);
    expect(() => h.simulator.users.code(appid, {})).toThrow(TypeError);
    expect(() => h.simulator.users.openData(appid, { user: 'a' })).toThrow(TypeError);
    expect(() => h.simulator.users.latestUserKey(OA.appid, { user: 'a' })).toThrow(TypeError);
    expect(() => h.simulator.users.change(appid, {})).toThrow(TypeError);
  });

  test('GET /users needs an account', async () => {
    expect((await h.get('/__simulator/users')).status).toBe(400);
    expect((await h.get('/__simulator/users?appid=wx9')).status).toBe(400);
  });
});
