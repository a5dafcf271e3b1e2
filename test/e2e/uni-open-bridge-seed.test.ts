import { describe, expect, it } from 'vitest';
import type { OpenBridge } from '../../src/common/index.ts';
import type { MethodName } from '../../src/common/methods.ts';
import { configuredApps, DCLOUD, SHOP, type Stage, secretOf, startStage } from './uni-open-bridge.fixture.ts';

/** The examples of uni-open-bridge's documentation, as they stand there, with the placeholders filled in. */
const OPENID = 'oABCD1234567890abcdefghijklm';
const app = (platform: string) => ({ dcloudAppid: DCLOUD, platform });
const user = (platform: string) => ({ dcloudAppid: DCLOUD, platform, openid: OPENID });
const version1 = { ...user('weixin-mp'), version: 1 };

/** Of each credential: the key, the value and the life of its example. */
const EXAMPLES = [
  ['AccessToken', app('weixin-mp'), { access_token: 'app-token' }, 7200],
  ['UserAccessToken', user('weixin-h5'), { access_token: 'user-token' }, 7200],
  ['SessionKey', user('weixin-mp'), { session_key: 'c2Vzc2lvbi1rZXktMTIzNA==' }, 7200],
  ['EncryptKey', version1, { encrypt_key: 'ZW5jcnlwdC1rZXk=', iv: 'aXYtaXYtaXYtaXYtaXY=' }, 7200],
  ['Ticket', app('weixin-h5'), { ticket: 'jsapi-ticket' }, 7200],
] as const;

/** Lives as the examples over HTTP have them, where they are others. */
const HTTP_LIVES: Partial<Record<(typeof EXAMPLES)[number][0], number | undefined>> = {
  SessionKey: -1,
  EncryptKey: undefined,
  Ticket: undefined,
};

/** A team with a token server of its own, as which the examples give what they say: after remove there is null. */
const UNMANAGED = Object.fromEntries(
  ['shop', 'news'].map(name => [name, { managed: false, secret: undefined }]),
);

type AnyFunction = (...input: readonly unknown[]) => Promise<unknown>;

describe.each(['embedded', 'remote'] as const)('the library (%s)', way => {
  const open = async (stage: Stage): Promise<OpenBridge> =>
    way === 'embedded' ? await stage.embedded() : stage.remote();
  const named = (uobc: OpenBridge, name: MethodName): AnyFunction => uobc[name] as AnyFunction;

  it.each(EXAMPLES)('set, get, remove, get: %s', async (name, key, value, expiresIn) => {
    const stage = await startStage({ config: { apps: configuredApps(UNMANAGED) } });
    const uobc = await open(stage);
    // 写入 (redis / 数据库)
    expect(await named(uobc, `set${name}`)(key, value, expiresIn)).toBeUndefined();
    // 读取 (redis / 数据库)
    expect(await named(uobc, `get${name}`)(key)).toEqual(value);
    // 删除
    expect(await named(uobc, `remove${name}`)(key)).toBeUndefined();
    // 删除后读取, 返回 null
    expect(await named(uobc, `get${name}`)(key)).toBeNull();
    expect(stage.simulator.counters().total.calls).toEqual({});
  });

  it('the few get functions that are enough in common cases', async () => {
    const stage = await startStage();
    const uobc = await open(stage);
    const key = app('weixin-mp');
    const { openid } = stage.simulator.users.code(SHOP.appid, { user: 'ann' });
    const userKey = { ...key, openid };
    expect(await uobc.getAccessToken(key)).toEqual({ access_token: expect.any(String) });
    expect(await uobc.getTicket(key)).toEqual({ ticket: expect.any(String) });
    expect(await uobc.getUserAccessToken(userKey)).toBeNull();
    expect(await uobc.getSessionKey(userKey)).toBeNull();
    // The documentation's example leaves the version out, which names no key: it is required.
    await expect(uobc.getEncryptKey(userKey)).rejects.toMatchObject({
      errMsg: expect.stringContaining('version is missing'),
    });
  });

  it('access token and ticket that were removed are got from the platform again, which is what is built in', async () => {
    const stage = await startStage();
    const uobc = await open(stage);
    for (const [name, platform] of [
      ['AccessToken', 'weixin-mp'],
      ['AccessToken', 'weixin-h5'],
      ['Ticket', 'weixin-h5'],
    ] as const) {
      const first = await named(uobc, `get${name}`)(app(platform));
      expect(await named(uobc, `get${name}`)(app(platform))).toEqual(first);
      await named(uobc, `remove${name}`)(app(platform));
      expect(await named(uobc, `get${name}`)(app(platform))).not.toBeNull();
    }
  });

  it('an encrypt key that is not stored is got with the access token and the session key', async () => {
    const stage = await startStage();
    const uobc = await open(stage);
    const { appid } = SHOP;
    const { openid, code } = stage.simulator.users.code(appid, { user: 'ann' });
    const query = `appid=${appid}&secret=${secretOf(appid)}&js_code=${code}&grant_type=authorization_code`;
    const session = await (await fetch(`${stage.simulator.origin}/sns/jscode2session?${query}`)).json();
    const { session_key } = session as { session_key: string };
    const key = { ...app('weixin-mp'), openid };
    await uobc.setSessionKey(key, { session_key });
    const { encryptKey, iv, version } = stage.simulator.users.latestUserKey(appid, { openid });
    expect(await uobc.getEncryptKey({ ...key, version })).toEqual({ encrypt_key: encryptKey, iv });
    expect(await uobc.getEncryptKey({ ...key, version: String(version) })).toEqual({
      encrypt_key: encryptKey,
      iv,
    });
  });
});

describe('over HTTP', () => {
  it.each(EXAMPLES)('%s', async (name, key, value, usual) => {
    const stage = await startStage({ config: { apps: configuredApps(UNMANAGED) } });
    const expiresIn = name in HTTP_LIVES ? HTTP_LIVES[name] : usual;
    const told = async (verb: string, body: unknown) => {
      const { status, headers, text } = await stage.post(`${verb}${name}`, body);
      expect({ status, type: headers.get('content-type') }).toEqual({
        status: 200,
        type: 'application/json; charset=utf-8',
      });
      return text;
    };
    expect(await told('set', { ...key, value, ...(expiresIn !== undefined && { expiresIn }) })).toBe(
      '{"errCode":0,"errMsg":""}',
    );
    expect(await told('get', key)).toBe(JSON.stringify(value));
    expect(await told('remove', key)).toBe('{"errCode":0,"errMsg":""}');
    expect(await told('get', key)).toBe('null');
  });

  it('getAccessToken and getTicket of apps whose secrets are configured come from the platform', async () => {
    const stage = await startStage();
    const token = await stage.post('getAccessToken', app('weixin-mp'));
    expect(token.body).toEqual({ access_token: expect.any(String) });
    expect((await stage.post('getTicket', app('weixin-h5'))).body).toEqual({ ticket: expect.any(String) });
    const { access_token } = token.body as { access_token: string };
    const used = await fetch(`${stage.simulator.origin}/wxa/getwxadevinfo?access_token=${access_token}`);
    expect(await used.json()).toMatchObject({ errcode: 0 });
  });
});
