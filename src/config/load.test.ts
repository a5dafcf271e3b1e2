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
    expect(first?.secret.reveal()).toBe('shop-secret');
    expect(second).toMatchObject({
      name: 'news',
      default: false,
      tokenMode: 'classic',
      dcloudAppid: undefined,
    });
    expect(second?.secret.reveal()).toBe('news-secret');
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
    expect(settings.upstream).toEqual({ weixin: 'https://proxy.example:8443' });
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
    expect(settings.storage.database.path).toBe(':memory:');
    expect(settings.listen.gateway).toBeUndefined();
    expect(settings.listen.gatewayTls).toBeUndefined();
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
