// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders
import { describe, expect, test } from 'vitest';
import { pathText } from './faults.ts';
import { checkConfig } from './load.ts';

const SEAL_KEY = Buffer.alloc(32, 7).toString('base64');
const KEY = 'caller-key-0123456789';

const app = { name: 'shop', platform: 'weixin-mp', appid: 'wx01', secret: 's' };
const second = { ...app, name: 'news', appid: 'wx02' };

function faultsOf(source: string | object): readonly string[] {
  const text =
    typeof source === 'string' ? source : JSON.stringify({ storage: { sealKey: SEAL_KEY }, ...source });
  const { faults } = checkConfig({
    path: '/open-bridge.json',
    env: {},
    readFile(path) {
      if (path === '/open-bridge.json') return text;
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    },
  });
  return faults.map(({ path, message }) => `${path}: ${message}`);
}

const apps = (...list: object[]) => ({ apps: list });
const caller = (fields: object) => ({ apps: [app], callers: [{ name: 'one', ...fields }] });

describe('one fault', () => {
  test.each<[object, string | RegExp]>([
    // Shape
    [{ apps: {} }, 'apps: must be an array, not an object'],
    [{ apps: [null] }, 'apps[0]: must be an object, not null'],
    [{ openapi: { enabled: 'yes' } }, 'openapi.enabled: must be true or false, not a string'],
    [{ log: { level: 'loud' } }, 'log.level: must be one of "debug", "info", "warn", "error"'],
    [{ gateway: { timeoutMs: 0 } }, 'gateway.timeoutMs: must be 1 or more'],
    [{ gateway: { timeoutMs: 1.5 } }, 'gateway.timeoutMs: must be a whole number'],
    [{ gateway: { timeoutMs: 3e9 } }, 'gateway.timeoutMs: must be 2147483647 or less'],
    [{ gateway: { timeoutMs: '5' } }, 'gateway.timeoutMs: must be a number, not a string'],
    // Unknown keys
    [{ colour: 1 }, 'colour: is not a setting'],
    [{ caller: [] }, 'caller: is not a setting; did you mean "callers"?'],
    [apps({ ...app, appID: 'x' }), 'apps[0].appID: is not a setting; did you mean "appid"?'],
    [{ openapi: { allowed: [] } }, 'openapi.allowed: is not a setting; did you mean "allow"?'],
    [
      { apps: [{ ...app, dcloudAppid: 'X' }], schedule: { X: { enabled: true, enable: true } } },
      'schedule.X.enabled: is not a setting; did you mean "enable"?',
    ],
    [{ 'odd key': 1 }, '["odd key"]: is not a setting'],
    // Fixed names that do nothing yet
    [{ listen: { ingress: 'x' } }, 'listen.ingress: not available in this version'],
    // Apps
    [
      apps({ ...app, platform: 'ios' }),
      'apps[0].platform: must be one of "weixin-mp", "weixin-h5", "weixin-web", "weixin-app", "qq-mp", "qq-app"',
    ],
    [apps({ ...app, name: '../x' }), /^apps\[0\]\.name: must be 1 to 64 letters/],
    [apps({ ...app, name: '' }), /^apps\[0\]\.name: must be 1 to 64 letters/],
    [apps({ ...app, appid: '' }), 'apps[0].appid: is empty'],
    [apps({ ...app, appid: 'wx 1' }), 'apps[0].appid: must not contain white space or ":"'],
    [apps({ ...app, dcloudAppid: 'a:b' }), 'apps[0].dcloudAppid: must not contain white space or ":"'],
    [apps({ ...app, secret: '' }), 'apps[0].secret: is empty'],
    [apps({ ...app, secret: 'x ' }), 'apps[0].secret: begins or ends with white space (2 characters in all)'],
    ...['weixin-mp', 'weixin-h5', 'qq-mp'].map((platform): [object, RegExp] => [
      apps({ ...app, platform, secret: undefined }),
      /^apps\[0\]\.secret: is missing; it is needed to fetch access tokens and .*"managed": false/,
    ]),
    ...['weixin-web', 'weixin-app'].map((platform): [object, RegExp] => [
      apps({ ...app, platform, secret: undefined }),
      /^apps\[0\]\.secret: is missing; it is needed to exchange the login codes of users\. .*"managed": false/,
    ]),
    [
      apps({ ...app, platform: 'qq-app', secret: undefined }),
      /^apps\[0\]\.secret: is missing; .* and to refresh their tokens\. .*"managed": false/,
    ],
    [apps({ ...app, managed: 'no' }), 'apps[0].managed: must be true or false, not a string'],
    [apps({ ...app, dcloudAppid: [] }), 'apps[0].dcloudAppid: must not be empty'],
    [apps({ ...app, dcloudAppid: ['a', ''] }), 'apps[0].dcloudAppid[1]: is empty'],
    [
      apps({ ...app, dcloudAppid: ['a', 'X'] }, { ...second, dcloudAppid: 'X' }),
      'apps[1].dcloudAppid: with the same platform, would share stored credentials with apps[0].dcloudAppid',
    ],
    [
      apps({ ...app, dcloudAppid: ['a', '*'] }, { ...second, dcloudAppid: '*' }),
      /^apps\[1\]\.dcloudAppid: with the same platform/,
    ],
    [apps({ ...app, secret: '${env:NONE}' }), 'apps[0].secret: the environment variable NONE is not set'],
    [
      apps({ ...app, secret: '${file:no}' }),
      'apps[0].secret: the file /no cannot be read: permission denied',
    ],
    [apps(app, { ...second, name: 'shop' }), 'apps[1].name: the same as apps[0].name'],
    [apps(app, { ...second, appid: 'wx01' }), 'apps[1].appid: the same as apps[0].appid'],
    [apps(app, { ...second, name: 'wx01' }), 'apps[1].name: the same as apps[0].appid'],
    [
      apps({ ...app, dcloudAppid: 'X' }, { ...second, dcloudAppid: 'X' }),
      'apps[1].dcloudAppid: with the same platform, would share stored credentials with apps[0].dcloudAppid',
    ],
    [
      apps({ ...app, default: true }, { ...second, default: true }),
      'apps[1].default: only one app can be the default, and apps[0] is',
    ],
    // Paths
    [{ openapi: { allow: ['wxa'] } }, 'openapi.allow[0]: must begin with "/"'],
    [{ openapi: { allow: ['/a', '/a*'] } }, /^openapi\.allow\[1\]: may have "\*" only/],
    // Callers
    [caller({}), 'callers[0]: needs a "key", "keys" or "addresses" to be known by'],
    [caller({ keys: [], addresses: [] }), 'callers[0]: needs a "key", "keys" or "addresses" to be known by'],
    [caller({ key: KEY, keys: [] }), 'callers[0].key: give either "key" or "keys", not both'],
    [caller({ key: 'short' }), 'callers[0].key: must have at least 16 characters; it has 5'],
    [caller({ key: `${KEY}é` }), /^callers\[0\]\.key: must be printable ASCII/],
    [caller({ keys: [KEY, KEY] }), 'callers[0].keys[1]: the same key as callers[0].keys[0]'],
    [caller({ addresses: ['10.0.0'] }), /^callers\[0\]\.addresses\[0\]: must be an IPv4 or IPv6 address/],
    [caller({ addresses: ['0.0.0.0/0'] }), /^callers\[0\]\.addresses\[0\]: lets everybody in/],
    [caller({ addresses: ['::/0'] }), /^callers\[0\]\.addresses\[0\]: lets everybody in/],
    [caller({ addresses: ['::ffff:0.0.0.0/96'] }), /^callers\[0\]\.addresses\[0\]: lets everybody in/],
    [
      caller({ key: KEY, apps: ['shop', 'shpo'] }),
      'callers[0].apps[1]: no app has this name or appid; configured apps: shop',
    ],
    [caller({ key: KEY, allow: [''] }), 'callers[0].allow[0]: must not be empty'],
    [caller({ key: KEY, scopes: ['all'] }), /^callers\[0\]\.scopes\[0\]: must be one of "call"/],
    [
      {
        callers: [
          { name: 'one', key: KEY },
          { name: 'one', key: `${KEY}2` },
        ],
      },
      'callers[1].name: the same as callers[0].name',
    ],
    [
      { callers: [{ name: 'one', key: KEY }], admin: { keys: [KEY] } },
      'admin.keys[0]: the same key as callers[0].key',
    ],
    [{ admin: { keys: ['x'] } }, 'admin.keys[0]: must have at least 16 characters; it has 1'],
    [caller({ key: KEY, tokens: 'none' }), 'callers[0].tokens: must be one of "real", "virtual"'],
    [caller({ key: KEY, rateLimit: {} }), 'callers[0].rateLimit.perSecond: is missing'],
    [
      caller({ key: KEY, rateLimit: { perSecond: 0 } }),
      'callers[0].rateLimit.perSecond: must be 0.001 or more',
    ],
    [
      caller({ key: KEY, rateLimit: { perSecond: 1, burst: 0.5 } }),
      'callers[0].rateLimit.burst: must be a whole number',
    ],
    // Call log
    [{ callLog: { maxCalls: 0 } }, 'callLog.maxCalls: must be 1 or more'],
    [{ callLog: { maxAgeDays: 'a week' } }, 'callLog.maxAgeDays: must be a number, not a string'],
    [{ callLog: { maxCall: 1 } }, 'callLog.maxCall: is not a setting; did you mean "maxCalls"?'],
    // Schedule
    [
      {
        apps: [{ ...app, dcloudAppid: 'X' }],
        schedule: { X: { enable: true, 'weixin-mp': { enable: true, tasks: ['ticket'] } } },
      },
      'schedule.X["weixin-mp"].tasks[0]: must be "accessToken"',
    ],
    [
      {
        apps: [{ ...app, dcloudAppid: 'X' }],
        schedule: { X: { enable: true, 'weixin-app': { enable: true, tasks: ['accessToken'] } } },
      },
      'schedule.X["weixin-app"]: is not a setting; did you mean "weixin-mp"?',
    ],
    // uni-open-bridge
    [{ ipWhiteList: ['10.0.0'] }, /^ipWhiteList\[0\]: must be an IPv4 or IPv6 address or a CIDR range/],
    [{ ipWhiteList: '10.0.0.1' }, 'ipWhiteList: must be an array, not a string'],
    [{ ipWhitelist: [] }, 'ipWhitelist: is not a setting; did you mean "ipWhiteList"?'],
    [{ s2s: {} }, 's2s.type: is missing'],
    [{ s2s: { type: 'connect' } }, 's2s.type: must be one of "connectCode", "sign"'],
    [{ s2s: { type: 'connectCode' } }, 's2s.connectCode: is missing; "type": "connectCode" needs it'],
    [{ s2s: { type: 'sign' } }, 's2s.signKey: is missing; "type": "sign" needs it'],
    [{ s2s: { type: 'connectCode', connectCode: '' } }, 's2s.connectCode: is empty'],
    [
      { s2s: { type: 'connectCode', connectCode: 'with a space' } },
      's2s.connectCode: must be printable ASCII without spaces, because it travels in a header (12 characters in all)',
    ],
    [{ s2s: { type: 'sign', signKey: '' } }, 's2s.signKey: is empty'],
    [
      { s2s: { type: 'sign', signKey: KEY, hashMethod: 'sha512' } },
      's2s.hashMethod: must be one of "md5", "sha1", "sha256", "hmac-sha256"',
    ],
    [
      { s2s: { type: 'sign', signKey: KEY, timeDiffTolerance: 0 } },
      's2s.timeDiffTolerance: must be 1 or more',
    ],
    [{ s2s: { type: 'sign', signKey: KEY, quirks: ['odd'] } }, 's2s.quirks[0]: must be "sha256-is-md5"'],
    [{ s2s: { type: 'sign', key: KEY, signKey: KEY } }, /^s2s\.key: is not a setting/],
    [{ uniOpenBridge: { prefix: 'bridge' } }, 'uniOpenBridge.prefix: must begin with "/"'],
    [
      { uniOpenBridge: { prefix: '/' } },
      'uniOpenBridge.prefix: must name a path, such as "/uni-open-bridge"',
    ],
    ...['/v1', '/v1/bridge', '/livez', '/readyz', '/metrics'].map((prefix): [object, RegExp] => [
      { uniOpenBridge: { prefix } },
      /^uniOpenBridge\.prefix: \/\w+ is taken by the control API/,
    ]),
    ...['/a/', '/a//b', '/a/../b', '/:method', '/a b', '/*', '/ä'].map((prefix): [object, RegExp] => [
      { uniOpenBridge: { prefix } },
      /^uniOpenBridge\.prefix: must have only letters/,
    ]),
    [{ uniOpenBridge: { errors: 'aliyun' } }, 'uniOpenBridge.errors: must be one of "http", "uniCloud"'],
    [{ uniConfigCenter: '' }, 'uniConfigCenter: is empty'],
    [{ uniConfigCenter: {} }, 'uniConfigCenter: must be a string, not an object'],
    [{ upstream: { qq: 'x' } }, /^upstream\.qq: must be an absolute URL/],
    [{ upstream: { qqConnect: 'https://x/y' } }, /^upstream\.qqConnect: must be an origin/],
    // Storage
    [{ storage: undefined }, /^storage: is missing; it must hold "sealKey": run `open-bridge keys new/],
    [{ storage: {} }, /^storage\.sealKey: is missing; run `open-bridge keys new --out \.\/data\/seal\.key`/],
    [{ storage: { sealKey: 'abc' } }, /^storage\.sealKey: a sealing key is 32 random bytes .* 3 characters/],
    [{ storage: { sealKey: [] } }, 'storage.sealKey: must not be empty'],
    [
      { storage: { sealKey: 5 } },
      'storage.sealKey: must be a sealing key, an object with a "command" that prints one, or an array of them',
    ],
    [
      { storage: { sealKey: [SEAL_KEY, 5] } },
      'storage.sealKey[1]: must be a sealing key, or an object with a "command" that prints one',
    ],
    [{ storage: { sealKey: { command: [] } } }, 'storage.sealKey.command: must not be empty'],
    [
      { storage: { sealKey: { command: 'fetch-key' } } },
      'storage.sealKey.command: must be an array, not a string',
    ],
    [
      { storage: { sealKey: [{ command: ['/no/such/program', 'canary'] }] } },
      'storage.sealKey[0]: the program "/no/such/program" is not found; run it by hand as the user of the bridge: it must print one sealing key and nothing else',
    ],
    [
      { storage: { sealKey: [SEAL_KEY, SEAL_KEY] } },
      'storage.sealKey[1]: the same key as storage.sealKey[0]',
    ],
    [{ storage: { sealKey: ['${env:K}'] } }, 'storage.sealKey[0]: the environment variable K is not set'],
    [
      { storage: { sealKey: SEAL_KEY, database: 'postgres://u:p@h' } },
      'storage.database: must name one database after the host: postgres://USER:PASSWORD@HOST:PORT/DATABASE',
    ],
    [
      { storage: { sealKey: SEAL_KEY, database: 'mysql://u:p@h/d?rowsAsArray=true' } },
      'storage.database: has a parameter that is none of: pool, ssl, sslrootcert, socketPath',
    ],
    [
      { storage: { sealKey: SEAL_KEY, database: './x.db' } },
      'storage.database: must be "sqlite:PATH", "postgres://…" or "mysql://…"',
    ],
    [
      { storage: { sealKey: SEAL_KEY, database: 'sqlite:' } },
      'storage.database: has no path after "sqlite:"',
    ],
    [
      { storage: { sealKey: SEAL_KEY, database: 'sqlite://data/x' } },
      /^storage\.database: must have one or three/,
    ],
    // Addresses
    [{ listen: { control: '7200' } }, 'listen.control: must be "host:port" or "[IPv6]:port"'],
    [{ listen: { control: ':7200' } }, 'listen.control: must be "host:port" or "[IPv6]:port"'],
    [{ listen: { control: '::1:7200' } }, 'listen.control: must be "host:port" or "[IPv6]:port"'],
    [{ listen: { control: '127.0.0.1:70000' } }, 'listen.control: has a port above 65535'],
    [{ listen: { control: '127.0.1:1' } }, 'listen.control: has no valid IPv4 address before the port'],
    [{ listen: { control: '[x]:1' } }, 'listen.control: has no IPv6 address between the brackets'],
    [
      { listen: { control: '*:1' } },
      'listen.control: must name an address; all of them are "0.0.0.0" or "[::]"',
    ],
    [{ listen: { control: null } }, 'listen.control: must be a string, not null'],
    [{ listen: { gateway: '127.0.0.1:7200' } }, 'listen.gateway: the same address as listen.control'],
    [
      { listen: { gateway: '0.0.0.0:1' } },
      /^listen\.gateway: other machines reach this address and no caller/,
    ],
    [{ listen: { gateway: 'bridge.internal:1' } }, /^listen\.gateway: other machines reach this address/],
    [{ listen: { gatewayTls: '7243' } }, 'listen.gatewayTls: must be "host:port" or "[IPv6]:port"'],
    [{ listen: { gatewayTls: '[::]:1' } }, /^listen\.gatewayTls: other machines reach this address/],
    [{ listen: { gatewayTls: '127.0.0.1:7200' } }, 'listen.gatewayTls: the same address as listen.control'],
    [{ listen: { gatewayTls: '127.0.0.1:7280' } }, 'listen.gatewayTls: the same address as listen.gateway'],
    [{ gateway: { certificateFile: '' } }, 'gateway.certificateFile: is empty'],
    [
      { gateway: { certificateFile: '/app/cert/' } },
      'gateway.certificateFile: must name a file, not a folder',
    ],
    [{ upstream: { weixin: 'api.weixin.qq.com' } }, /^upstream\.weixin: must/],
    [{ upstream: { weixin: 'https://x/y' } }, /^upstream\.weixin: must be an origin/],
    [{ upstream: { weixin: 'ftp://x' } }, /^upstream\.weixin: must begin with http/],
    [
      { gateway: { replayMemoryBytes: 2 ** 30 } },
      'gateway.replayMemoryBytes: must not be more than gateway.replayMemoryTotalBytes',
    ],
    [
      { gateway: { replayMemoryBytes: 10, replayMemoryTotalBytes: 9 } },
      'gateway.replayMemoryBytes: must not be more than gateway.replayMemoryTotalBytes',
    ],
  ])('%j', (config, fault) => {
    const found = faultsOf(config);
    expect(found).toEqual([typeof fault === 'string' ? fault : expect.stringMatching(fault)]);
  });

  test.each([
    ['[]', ': must be an object, not an array'],
    ['', ': a value is expected'],
    ['{ "log": { "level": \'info\' } }', ': not a value; strings need double quotes'],
    [`{ "storage": { "sealKey": "${SEAL_KEY}" }, "log": {}, "log": {} }`, 'log: is given twice'],
    [`{ "storage": { "sealKey": "${SEAL_KEY}" }, "__proto__": {} }`, '__proto__: is not a setting'],
    [`{ "storage": { "sealKey": "${SEAL_KEY}" }, "constructor": {} }`, 'constructor: is not a setting'],
  ])('in the text %j', (text, fault) => {
    expect(faultsOf(text)).toContain(fault);
  });
});

test('a gateway that other machines reach is fine once there is a caller', () => {
  expect(faultsOf({ listen: { gateway: '0.0.0.0:1' }, callers: [{ name: 'one', key: KEY }] })).toEqual([]);
});

test('an app may be named by its appid', () => {
  expect(faultsOf(apps({ ...app, name: 'wx01' }))).toEqual([]);
});

test('a caller’s app is not called unknown while an app’s name is', () => {
  const config = {
    apps: [{ ...app, name: '${env:NAME}' }],
    callers: [{ name: 'one', key: KEY, apps: ['shop'] }],
  };
  expect(faultsOf(config)).toEqual(['apps[0].name: the environment variable NAME is not set']);
});

test('what is no name is not repeated among the names of apps', () => {
  const config = {
    apps: [app, { ...app, name: 'canary in the wrong place', appid: 'wx02' }],
    callers: [{ name: 'one', key: KEY, apps: ['shpo'] }],
  };
  const faults = faultsOf(config);
  expect(faults).toContain('callers[0].apps[0]: no app has this name or appid; configured apps: shop');
  expect(faults.join()).not.toContain('canary');
});

test('all faults come together, each with its place, in the order of the file', () => {
  const text = [
    '{', // 1
    '  // a comment moves nothing: "apps"', // 2
    '  "apps": [', // 3
    '    { "name": "shop", "platform": "weixin-mp", "appid": "wx01", "secret": "${env:NONE}" },', // 4
    '    { "name": "shop", "platform": "weixin-h5", "appid": "wx:2", "secret": "",', // 5
    '      "colour": "red" }', // 6
    '  ],\r', // 7
    '\t"callers": [{ "name": "one", "key": "短" }],', // 8
    '  "storage": { },', // 9
    '  "log": { "level": "loud" },', // 10
    '}', // 11
  ].join('\n');
  const { faults } = checkConfig({ path: '/open-bridge.json', env: {}, readFile: () => text });
  expect(faults.map(({ path, line, column }) => `${line}:${column} ${path}`)).toEqual([
    '4:75 apps[0].secret',
    '5:15 apps[1].name',
    '5:57 apps[1].appid',
    '5:75 apps[1].secret',
    '6:7 apps[1].colour',
    '8:38 callers[0].key',
    '9:14 storage.sealKey',
    '10:21 log.level',
  ]);
});

test('all syntax faults come together', () => {
  const { faults } = checkConfig({
    path: '/open-bridge.json',
    env: {},
    readFile: () => '{\n  "apps": [1 2],\n  "log": tru,\n  name: 3\n}',
  });
  expect(faults.map(({ line, column }) => `${line}:${column}`)).toEqual(
    expect.arrayContaining(['2:14', '3:10', '4:3']),
  );
});

test.each([
  [[], ''],
  [['apps', 0, 'secret'], 'apps[0].secret'],
  [['a-b', 'c'], '["a-b"].c'],
  [['schedule', '__UNI__X', 'weixin-mp'], 'schedule.__UNI__X["weixin-mp"]'],
])('the path %j is written %s', (path, text) => {
  expect(pathText(path)).toBe(text);
});
