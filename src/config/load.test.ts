// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders

import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { hashCallerKey } from '../access/callers.ts';
import { BridgeError } from '../base/errors.ts';
import { checkConfig, loadConfig } from './load.ts';

const SEAL_KEY = Buffer.alloc(32, 7).toString('base64');
const CALLER_KEY = 'caller-key-0123456789';
const ADMIN_KEY = 'admin-key-0123456789';

function options(source: string | object, files: Readonly<Record<string, string>> = {}) {
  const text = typeof source === 'string' ? source : JSON.stringify(source);
  return {
    path: '/etc/bridge/open-bridge.json',
    env: { SHOP_SECRET: 'shop-secret', CALLER_KEY, ADMIN_KEY },
    readFile(path: string): string {
      const found = path === '/etc/bridge/open-bridge.json' ? text : files[path];
      if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return found;
    },
  };
}

const storage = { sealKey: SEAL_KEY };
const shop = {
  name: 'shop',
  platform: 'weixin-mp',
  appid: 'wx0000000000000001',
  secret: '${env:SHOP_SECRET}',
  dcloudAppid: '__UNI__SHOP01',
};
const news = { name: 'news', platform: 'weixin-h5', appid: 'wx0000000000000002', secret: 'news-secret' };

describe('loadConfig', () => {
  test('reads a whole file, with comments and trailing commas', () => {
    const { settings, warnings, files } = loadConfig(
      options(
        `{
          "$schema": "./open-bridge.schema.json",
          // the shop
          "apps": [
            { "name": "shop", "platform": "weixin-mp", "appid": "wx0000000000000001",
              "secret": "\${env:SHOP_SECRET}", "dcloudAppid": "__UNI__SHOP01", "default": true },
            { "name": "news", "platform": "weixin-h5", "appid": "wx0000000000000002",
              "secret": "\${file:secrets/news}", "tokenEndpoint": "classic", },
          ],
          "openapi": { "enabled": false, "allow": ["/wxa/msg_sec_check", "/cgi-bin/*"] },
          "callers": [
            { "name": "orders", "key": "\${env:CALLER_KEY}", "apps": ["shop"], "allow": ["/wxa/*"], "scopes": ["call"] },
            { "name": "lan", "addresses": ["10.0.0.0/8", "::1"] }
          ],
          "storage": { "database": "sqlite:./data/x.db", "redis": null, "sealKey": "\${file:seal.key}" },
          "listen": { "control": "localhost:0", "gateway": "[::]:7280" },
          "upstream": { "weixin": "https://proxy.example:8443/" },
          "gateway": { "timeoutMs": 5000 },
          "admin": { "keys": ["\${env:ADMIN_KEY}"] }, /* short and to the point */
          "log": { "level": "debug" },
        }`,
        { '/etc/bridge/secrets/news': 'news-secret\n', '/etc/bridge/seal.key': `${SEAL_KEY}\n` },
      ),
    );
    expect(warnings).toEqual([]);
    expect(files).toEqual([
      '/etc/bridge/open-bridge.json',
      '/etc/bridge/secrets/news',
      '/etc/bridge/seal.key',
    ]);
    const [first, second] = settings.apps;
    expect(first).toMatchObject({
      name: 'shop',
      default: true,
      tokenMode: 'stable',
      renews: ['access-token'],
    });
    expect(first?.secret?.reveal()).toBe('shop-secret');
    expect(second).toMatchObject({
      name: 'news',
      default: false,
      tokenMode: 'classic',
      dcloudAppid: undefined,
    });
    expect(second?.secret?.reveal()).toBe('news-secret');
    expect(settings.openapi).toEqual({ enabled: false, allow: ['/wxa/msg_sec_check', '/cgi-bin/*'] });
    expect(settings.callers).toEqual([
      {
        name: 'orders',
        keys: [hashCallerKey(CALLER_KEY)],
        addresses: [],
        apps: ['shop'],
        allow: ['/wxa/*'],
        scopes: ['call'],
        tokens: 'real',
      },
      { name: 'lan', keys: [], addresses: ['10.0.0.0/8', '::1'], tokens: 'real' },
    ]);
    expect(settings.storage.database).toEqual({ kind: 'sqlite', path: '/etc/bridge/data/x.db' });
    expect(settings.storage.sealKeys.map(key => key.reveal())).toEqual([SEAL_KEY]);
    expect(settings.listen).toEqual({
      control: { host: 'localhost', port: 0 },
      gateway: { host: '::', port: 7280 },
      gatewayTls: { host: '127.0.0.1', port: 7243 },
    });
    expect(settings.certificateFile).toBe('/etc/bridge/data/gateway-ca.crt');
    expect(settings.gateway).not.toHaveProperty('certificateFile');
    expect(settings.upstream).toEqual({
      weixin: 'https://proxy.example:8443',
      qq: 'https://api.q.qq.com',
      qqConnect: 'https://graph.qq.com',
    });
    expect(settings.gateway).toMatchObject({ timeoutMs: 5000, upstream: settings.upstream });
    expect(settings.admin.keyHashes).toEqual([hashCallerKey(ADMIN_KEY)]);
    expect(settings.log.level).toBe('debug');
  });

  test('fills in the documented defaults', () => {
    const { settings, warnings } = loadConfig(options({ storage }));
    expect(settings).toMatchObject({
      apps: [],
      openapi: { enabled: true, allow: [] },
      callers: [],
      storage: { database: { path: '/etc/bridge/data/open-bridge.db' }, keyFormat: 'dcloudAppid' },
      listen: {
        control: { host: '127.0.0.1', port: 7200 },
        gateway: { host: '127.0.0.1', port: 7280 },
        gatewayTls: { host: '127.0.0.1', port: 7243 },
      },
      upstream: { weixin: 'https://api.weixin.qq.com' },
      gateway: {
        timeoutMs: 30_000,
        maxRequestBytes: 33_554_432,
        maxResponseBytes: 33_554_432,
        replayMemoryBytes: 33_554_432,
        replayMemoryTotalBytes: 67_108_864,
      },
      admin: { keyHashes: [] },
      callLog: { enabled: true, maxAgeDays: 7, maxCalls: 1_000_000 },
      log: { level: 'info' },
    });
    expect(warnings.map(({ path }) => path)).toEqual(['apps']);
  });

  test('several seal keys keep their order; null switches the gateway off; memory stays memory', () => {
    const other = Buffer.alloc(32, 8).toString('base64');
    const { settings } = loadConfig(
      options({
        storage: { sealKey: [other, SEAL_KEY], database: 'sqlite::memory:' },
        listen: { gateway: null, gatewayTls: null },
      }),
    );
    expect(settings.storage.sealKeys.map(key => key.reveal())).toEqual([other, SEAL_KEY]);
    expect(settings.storage.database).toEqual({ kind: 'sqlite', path: ':memory:' });
    expect(settings.listen.gateway).toBeUndefined();
    expect(settings.listen.gatewayTls).toBeUndefined();
  });

  test.each([
    ['postgres://bridge:pw-of-the-database@db.example/bridge?sslmode=verify-full&pool=20', 'postgres'],
    ['postgresql://db.example/bridge', 'postgres'],
    ['mysql://bridge:pw-of-the-database@db.example/bridge', 'mysql'],
    ['mariadb://db.example:3307/bridge?ssl=true', 'mysql'],
  ])('a database server: %s', (database, kind) => {
    const { settings } = loadConfig(options({ storage: { ...storage, database } }));
    const stored = settings.storage.database;
    expect(stored.kind).toBe(kind);
    expect(stored.kind === 'sqlite' ? '' : stored.url.reveal()).toBe(database);
    expect(settings.certificateFile).toBe('/etc/bridge/gateway-ca.crt');
    expect(JSON.stringify(settings)).not.toContain('pw-of-the-database');
  });

  test('takes a file that begins with a byte order mark', () => {
    expect(loadConfig(options(`\uFEFF${JSON.stringify({ storage })}`)).settings.apps).toEqual([]);
  });

  test('throws one CONFIG_INVALID with a line for each fault', () => {
    const load = () => loadConfig(options('{\n  "apps": 5,\n  "storage": {}\n}'));
    expect(load).toThrow(BridgeError);
    try {
      load();
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      const [heading, ...lines] = (error as BridgeError).message.split('\n');
      expect(heading).toBe('the configuration has 2 faults:');
      expect(lines).toEqual([
        '/etc/bridge/open-bridge.json:2:11 apps: must be an array, not a number',
        expect.stringContaining('/etc/bridge/open-bridge.json:3:14 storage.sealKey: is missing; run'),
      ]);
    }
  });

  test('says which file cannot be read', () => {
    const check = checkConfig({ ...options(''), path: '/etc/bridge/other.json' });
    expect(check).toMatchObject({ settings: undefined, files: ['/etc/bridge/other.json'] });
    expect(check.faults).toEqual([
      { path: '', line: 1, column: 1, message: 'cannot be read: there is no such file' },
    ]);
  });

  test('says what to do with a folder in the place of the file', () => {
    const readFile = (): string => {
      throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    };
    const { faults } = checkConfig({ path: '/etc/uni-config-center', env: {}, readFile });
    expect(faults[0]?.message).toMatch(
      /^cannot be read: it is a folder; .* `open-bridge config import <folder>`$/,
    );
  });

  test('the digest follows the content of every file it came from', () => {
    const digest = (source: object, files = {}) => checkConfig(options(source, files)).digest;
    const source = { storage: { sealKey: '${file:k}' } };
    const first = digest(source, { '/etc/bridge/k': SEAL_KEY });
    expect(digest(source, { '/etc/bridge/k': SEAL_KEY })).toBe(first);
    expect(digest(source, { '/etc/bridge/k': `${SEAL_KEY}\n` })).not.toBe(first);
    expect(digest(source)).not.toBe(first);
    expect(digest({ ...source, log: {} }, { '/etc/bridge/k': SEAL_KEY })).not.toBe(first);
  });
});

describe('apps', () => {
  const load = (app: object) =>
    loadConfig(options({ apps: [{ ...shop, ...app }], storage })).settings.apps[0];

  test.each([
    [undefined, { dcloudAppid: undefined, dcloudAliases: [] }],
    ['A', { dcloudAppid: 'A', dcloudAliases: [] }],
    [['A'], { dcloudAppid: 'A', dcloudAliases: [] }],
    [['A', 'B', 'C'], { dcloudAppid: 'A', dcloudAliases: ['B', 'C'] }],
    [['*', 'A', 'B'], { dcloudAppid: 'A', dcloudAliases: ['B', '*'] }],
    ['*', { dcloudAppid: undefined, dcloudAliases: [] }],
  ])('the dcloudAppid %j', (dcloudAppid, expected) => {
    expect(load({ dcloudAppid })).toMatchObject(expected);
  });

  test.each(['weixin-mp', 'weixin-h5', 'weixin-web', 'weixin-app', 'qq-mp', 'qq-app'])(
    'an app of %s that is not managed needs no secret and is never renewed',
    platform => {
      const schedule = {
        __UNI__SHOP01: { enable: true, 'weixin-mp': { enable: true, tasks: ['accessToken'] } },
      };
      const app = { ...shop, platform, secret: undefined, managed: false };
      const { settings } = loadConfig(options({ apps: [app], schedule, storage }));
      expect(settings.apps[0]).toMatchObject({ managed: false, secret: undefined, renews: [] });
    },
  );

  test('an app that is not managed may have a secret', () => {
    expect(load({ managed: false })?.secret?.reveal()).toBe('shop-secret');
  });
});

describe('uni-open-bridge', () => {
  test('has its documented defaults', () => {
    const { settings } = loadConfig(options({ storage }));
    expect(settings).toMatchObject({
      ipWhiteList: [],
      uniOpenBridge: { prefix: '/uni-open-bridge', errors: 'http' },
    });
    expect(settings.s2s).toBeUndefined();
  });

  test('takes what is written', () => {
    const { settings, warnings } = loadConfig(
      options({
        apps: [shop],
        storage,
        ipWhiteList: ['203.0.113.9', '10.0.0.0/8', '::1'],
        uniOpenBridge: { prefix: '/a/b.c', errors: 'uniCloud' },
        s2s: {
          ...{ type: 'sign', signKey: '${env:CALLER_KEY}', hashMethod: 'sha256' },
          ...{ timeDiffTolerance: 1.5, quirks: ['sha256-is-md5'] },
        },
      }),
    );
    expect(settings.ipWhiteList).toEqual(['203.0.113.9', '10.0.0.0/8', '::1']);
    expect(settings.uniOpenBridge).toEqual({ prefix: '/a/b.c', errors: 'uniCloud' });
    expect(settings.s2s).toMatchObject({
      ...{ type: 'sign', hashMethod: 'sha256', toleranceMs: 1500, quirks: ['sha256-is-md5'] },
    });
    expect(settings.s2s?.type === 'sign' && settings.s2s.signKey.reveal()).toBe(CALLER_KEY);
    expect(warnings).toEqual([]);
  });

  test('takes a connect code', () => {
    const { settings } = loadConfig(
      options({ storage, s2s: { type: 'connectCode', connectCode: CALLER_KEY } }),
    );
    expect(settings.s2s?.type === 'connectCode' && settings.s2s.connectCode.reveal()).toBe(CALLER_KEY);
  });
});

describe('schedule', () => {
  const on = (tasks: readonly string[]) => ({ enable: true, tasks });
  test.each([
    ['no entry for its dcloudAppid', 'weixin-h5', {}, ['access-token']],
    [
      'both levels on',
      'weixin-mp',
      { X: { enable: true, 'weixin-mp': on(['accessToken']) } },
      ['access-token'],
    ],
    ['off for the app', 'weixin-mp', { X: { enable: false, 'weixin-mp': on(['accessToken']) } }, []],
    [
      'off for the platform',
      'weixin-mp',
      { X: { enable: true, 'weixin-mp': { enable: false, tasks: ['accessToken'] } } },
      [],
    ],
    ['a QQ mini-program', 'qq-mp', { X: { enable: true, 'qq-mp': on(['accessToken']) } }, ['access-token']],
    ['a QQ mini-program without an entry', 'qq-mp', {}, ['access-token']],
    ['nothing to be had for a website', 'weixin-web', {}, []],
    ['nothing to be had for a mobile app', 'qq-app', { X: { enable: true } }, []],
    ['only the other platform', 'weixin-mp', { X: { enable: true, 'weixin-h5': on(['accessToken']) } }, []],
    ['no tasks', 'weixin-mp', { X: { enable: true, 'weixin-mp': { enable: true } } }, []],
    [
      'a ticket needs a token',
      'weixin-h5',
      { X: { enable: true, 'weixin-h5': on(['ticket']) } },
      ['access-token', 'ticket'],
    ],
    [
      'both tasks, twice',
      'weixin-h5',
      { X: { enable: true, 'weixin-h5': on(['ticket', 'accessToken', 'ticket']) } },
      ['access-token', 'ticket'],
    ],
  ])('%s', (_, platform, schedule, renews) => {
    const { settings } = loadConfig(
      options({ apps: [{ ...shop, platform, dcloudAppid: 'X' }], schedule, storage }),
    );
    expect(settings.apps[0]?.renews).toEqual(renews);
  });

  test('of several dcloudAppids any may switch it on', () => {
    const h5 = { ...news, dcloudAppid: ['X', 'Y', 'Z'] };
    const schedule = {
      X: { enable: false, 'weixin-h5': on(['accessToken']) },
      Y: { enable: true, 'weixin-h5': on(['ticket']) },
    };
    const { settings } = loadConfig(options({ apps: [h5], schedule, storage }));
    expect(settings.apps[0]?.renews).toEqual(['access-token', 'ticket']);
  });

  test('an app without a dcloudAppid keeps its token fresh', () => {
    const { settings } = loadConfig(options({ apps: [news], storage }));
    expect(settings.apps[0]?.renews).toEqual(['access-token']);
  });
});

describe('warnings', () => {
  test.each([
    ['a schedule for nobody', { apps: [shop], schedule: { other: { enable: true } } }, 'schedule.other'],
    [
      'plain http to another machine',
      { apps: [shop], upstream: { weixin: 'http://10.0.0.1' } },
      'upstream.weixin',
    ],
    ['plain http to QQ', { apps: [shop], upstream: { qqConnect: 'http://10.0.0.1' } }, 'upstream.qqConnect'],
    ['0.0.0.0 taken for a wildcard', { apps: [shop], ipWhiteList: ['::1', '0.0.0.0'] }, 'ipWhiteList[1]'],
    ['everybody', { apps: [shop], ipWhiteList: ['0.0.0.0/0'] }, 'ipWhiteList[0]'],
    [
      'a short connect code',
      { apps: [shop], s2s: { type: 'connectCode', connectCode: 'x' } },
      's2s.connectCode',
    ],
    ['a short key to sign with', { apps: [shop], s2s: { type: 'sign', signKey: 'x' } }, 's2s.signKey'],
    [
      'sha256, which others take for MD5',
      { apps: [shop], s2s: { type: 'sign', signKey: CALLER_KEY, hashMethod: 'sha256' } },
      's2s.hashMethod',
    ],
    [
      'what means nothing to its type',
      { apps: [shop], s2s: { type: 'connectCode', connectCode: CALLER_KEY, signKey: CALLER_KEY } },
      's2s.signKey',
    ],
  ])('%s', (_, config, path) => {
    const { warnings } = loadConfig(options({ ...config, storage }));
    expect(warnings).toMatchObject([{ path }]);
  });

  test('plain http on this machine is nobody’s business', () => {
    const config = { apps: [shop], upstream: { weixin: 'http://127.0.0.1:7290' }, storage };
    expect(loadConfig(options(config)).warnings).toEqual([]);
  });
});

describe('secrets', () => {
  const canary = 'CANARY';
  const secretive = {
    apps: [
      { ...shop, secret: '${env:APP}' },
      { ...news, appid: shop.appid, secret: ` ${canary}-2 ` },
    ],
    callers: [
      { name: 'one', key: '${env:KEY}', apps: ['${env:APP}'] },
      { name: 'two', keys: ['${env:KEY}', `${canary} 3`], allow: [`${canary}`] },
    ],
    storage: { database: `postgres://user:${canary}@host`, sealKey: ['${file:seal}', `${canary}-5`] },
    upstream: { weixin: `https://user:${canary}@host` },
    listen: { gateway: `${canary}:x` },
    admin: { keys: ['${env:KEY}', canary] },
    log: { level: '${env:APP}' },
    s2s: { type: 'sign', signKey: ` ${canary}`, connectCode: `${canary} x`, hashMethod: canary },
    ipWhiteList: [canary],
    uniOpenBridge: { prefix: canary },
  };
  const env = { APP: `${canary}-app`, KEY: `${canary}-key-0123456789` };

  test('no fault quotes one', () => {
    const source = options(secretive, { '/etc/bridge/seal': `${canary}-seal` });
    const check = checkConfig({ ...source, env });
    expect(check.faults.length).toBeGreaterThan(10);
    expect(inspect(check, { depth: 9 })).not.toContain(canary);
    expect(JSON.stringify(check)).not.toContain(canary);
    expect(() => loadConfig({ ...source, env })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(canary) }),
    );
  });

  test('no syntax fault quotes one', () => {
    const { faults } = checkConfig(options(`{ "secret": "${canary}\n", ${canary} }`));
    expect(faults.length).toBeGreaterThan(0);
    expect(JSON.stringify(faults)).not.toContain(canary);
  });

  test('settings show none, in JSON, inspection or text', () => {
    const sealKey = Buffer.from('CANARY'.repeat(6).slice(0, 32)).toString('base64');
    const { settings } = loadConfig({
      ...options({
        apps: [{ ...shop, secret: '${env:APP}' }],
        callers: [{ name: 'one', key: '${env:KEY}' }],
        admin: { keys: [`${canary}-admin-0123456789`] },
        s2s: { type: 'sign', signKey: `${canary}-sign-0123456789` },
        storage: { sealKey },
      }),
      env,
    });
    for (const shown of [JSON.stringify(settings), inspect(settings, { depth: 9, showHidden: true })]) {
      expect(shown).not.toContain(canary);
      expect(shown).not.toContain(sealKey);
    }
  });
});
