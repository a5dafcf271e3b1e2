// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConfigCheck, checkConfig } from './load.ts';
import { redisUrlFault } from './redis.ts';
import { restartNeeded } from './restart.ts';
import type { Settings } from './settings.ts';

const SEAL_KEY = Buffer.alloc(32, 7).toString('base64');
const CANARY = 'canary-password';
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

function check(storage: object): ConfigCheck {
  const file = { storage: { sealKey: SEAL_KEY, ...storage } };
  return checkConfig({
    path: '/etc/bridge/open-bridge.json',
    env: { REDIS_PASSWORD: CANARY },
    readFile: path => (path === '/etc/bridge/ca.pem' ? PEM : JSON.stringify(file)),
  });
}

const faultsOf = (storage: object): readonly string[] =>
  check(storage).faults.map(({ path, message }) => `${path}: ${message}`);

function settingsOf(storage: object): Settings {
  const { settings, faults } = check(storage);
  if (settings === undefined) throw new Error(JSON.stringify(faults));
  return settings;
}

describe('what may be written', () => {
  test('nothing, or null: no Redis', () => {
    for (const storage of [{}, { redis: null }])
      expect(settingsOf(storage).storage).toMatchObject({ redis: undefined, redisFormat: 'sealed' });
  });

  test.each(['redis://h', 'redis://h:6379/0', 'rediss://user:p%40ss@h:1/15', 'redis://:p@[::1]:6379'])(
    'a URL: %s',
    url => {
      const { redis } = settingsOf({ redis: url }).storage;
      expect(redis?.kind === 'single' && redis.url.reveal()).toBe(url);
    },
  );

  test('a URL with an authority to trust, from a file', () => {
    const { redis } = settingsOf({
      redis: { url: 'rediss://h', tls: { ca: '${file:./ca.pem}', serverName: 'redis.internal' } },
    }).storage;
    expect(redis).toMatchObject({ kind: 'single', tls: { ca: PEM.trimEnd(), serverName: 'redis.internal' } });
  });

  test('Sentinels', () => {
    const { redis } = settingsOf({
      redis: {
        sentinels: ['s1:26379', '[::1]:26380'],
        name: 'shop',
        password: '${env:REDIS_PASSWORD}',
        sentinelPassword: '${env:REDIS_PASSWORD}',
        database: 3,
        tls: true,
      },
    }).storage;
    expect(redis).toMatchObject({
      kind: 'sentinel',
      sentinels: [
        { host: 's1', port: 26379 },
        { host: '::1', port: 26380 },
      ],
      name: 'shop',
      database: 3,
      tls: {},
    });
    expect(redis?.kind === 'sentinel' && redis.password?.reveal()).toBe(CANARY);
    expect(redis?.kind === 'sentinel' && redis.sentinelUser.password?.reveal()).toBe(CANARY);
  });

  test('a cluster', () => {
    const { redis } = settingsOf({ redis: { cluster: ['n1:7000'], username: 'u', password: 'p' } }).storage;
    expect(redis).toMatchObject({ kind: 'cluster', nodes: [{ host: 'n1', port: 7000 }], username: 'u' });
  });

  test('no password shows in the settings', () => {
    const settings = settingsOf({
      redis: { cluster: ['n1:7000'], password: '${env:REDIS_PASSWORD}' },
    });
    expect(inspect(settings, { depth: 20, showHidden: true }) + JSON.stringify(settings)).not.toContain(
      CANARY,
    );
  });
});

describe('what may not', () => {
  test.each<[unknown, RegExp]>([
    [1, /^storage\.redis: must be null, a redis:\/\/ or rediss:\/\/ URL, or an object/],
    ['http://h', /^storage\.redis: must be a URL that begins with redis:\/\//],
    ['redis://', /^storage\.redis: must be redis:\/\/USER/],
    ['redis://h/x', /may have the number of a database/],
    ['redis://h?ssl=1', /must have no parameters/],
    ['redis://u:a#b@h', /^storage\.redis: must/],
    [{}, /^storage\.redis: needs one of "url", "sentinels" and "cluster"/],
    [{ url: 'redis://h', cluster: ['n:1'] }, /needs one of/],
    [{ url: 'redis://h', password: 'p' }, /^storage\.redis\.password: belongs into the URL/],
    [{ url: 'redis://h', tls: true }, /^storage\.redis\.tls: needs a URL that begins with rediss/],
    [{ sentinels: ['s:1'] }, /^storage\.redis\.name: is missing/],
    [{ sentinels: [], name: 'x' }, /^storage\.redis\.sentinels: must not be empty/],
    [{ sentinels: ['s'], name: 'x' }, /^storage\.redis\.sentinels\[0\]: must be "host:port"/],
    [{ cluster: ['n:0'] }, /^storage\.redis\.cluster\[0\]: has the port 0/],
    [{ cluster: ['n:1'], database: 1 }, /^storage\.redis\.database: does nothing with "cluster"/],
    [{ cluster: ['n:1'], tls: { cert: PEM } }, /^storage\.redis\.tls: needs "cert" and "key" together/],
    [{ cluster: ['n:1'], tls: { ca: './ca.pem' } }, /^storage\.redis\.tls\.ca: must be PEM text/],
    [{ cluster: ['n:1'], nodes: [] }, /^storage\.redis\.nodes: is not a setting/],
  ])('%j', (redis, fault) => {
    const faults = faultsOf({ redis });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  test('a fault never quotes the URL', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.constantFrom('redis', 'rediss', 'http'), (url, scheme) => {
        const text = url.replace(/^https?:\/\//, `${scheme}://user:${CANARY}@`);
        expect(redisUrlFault(text) ?? '').not.toContain(CANARY);
      }),
    );
  });
});

test('plain copies are warned of, and a format without Redis', () => {
  const warnings = (storage: object): string =>
    check(storage)
      .warnings.map(({ message }) => message)
      .join();
  expect(warnings({ redis: 'redis://h', redisFormat: 'plain' })).toContain('unsealed');
  expect(warnings({ redisFormat: 'plain' })).toContain('does nothing without storage.redis');
  expect(warnings({ redis: 'redis://h', redisFormat: 'sealed' })).not.toContain('Redis');
});

test('a change takes effect with the next start', () => {
  const before = settingsOf({ redis: 'redis://:one@h' });
  expect(restartNeeded(before, settingsOf({ redis: 'redis://:two@h' }))).toEqual(['storage.redis']);
  expect(restartNeeded(before, settingsOf({ redis: 'redis://:one@h', redisFormat: 'plain' }))).toEqual([
    'storage.redisFormat',
  ]);
});
