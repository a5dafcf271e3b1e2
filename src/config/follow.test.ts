import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import { openAuthority } from '../gateway/tls/authority.ts';
import { createSealer, newSealKey } from '../stores/sealing.ts';
import { checkConfig, loadConfig } from './load.ts';

const KEY = 'canary-follow-key-0123456789';
const shop = { name: 'shop', platform: 'weixin-mp', appid: 'wx0000000000000001' };
const follow = { gateway: 'https://bridge.internal:7243', key: KEY };

/** A configuration of a follower with some settings changed. */
function options(change: Record<string, unknown> = {}, files: Readonly<Record<string, string>> = {}) {
  const config = {
    apps: [shop],
    storage: { sealKey: Buffer.alloc(32, 7).toString('base64') },
    follow,
    ...change,
  };
  return {
    path: '/etc/bridge/open-bridge.json',
    env: {},
    readFile(path: string): string {
      const found = path === '/etc/bridge/open-bridge.json' ? JSON.stringify(config) : files[path];
      if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return found;
    },
  };
}

const faultsOf = (change: Record<string, unknown>): string[] =>
  checkConfig(options(change)).faults.map(({ path, message }) => `${path} ${message}`);

/** The certificate of an authority as a bridge publishes it. */
async function authorityCertificate(): Promise<string> {
  const rows = new Map<string, string>();
  const authority = await openAuthority({
    settings: {
      get: async name => rows.get(name),
      async putIfAbsent(name, value) {
        rows.set(name, rows.get(name) ?? value);
        return rows.get(name) ?? value;
      },
      async put(name, value) {
        rows.set(name, value);
      },
    },
    sealer: createSealer([new Secret(newSealKey())]),
    hosts: ['api.weixin.qq.com'],
    now: Date.parse('2026-03-01T00:00:00Z'),
  });
  return authority.certificate;
}

describe('a bridge that follows another', () => {
  test('needs no secret, renews nothing, and keeps its key to itself', () => {
    const { settings, warnings } = loadConfig(
      options({ follow: { ...follow, gateway: `${follow.gateway}/` } }),
    );
    expect(warnings).toEqual([]);
    expect(settings.follow?.gateway).toBe('https://bridge.internal:7243');
    expect(settings.follow?.key.reveal()).toBe(KEY);
    expect(settings.gateway.follow).toBe(settings.follow);
    expect(settings.apps[0]).toMatchObject({ secret: undefined, renews: [] });
    expect(JSON.stringify(settings) + inspect(settings, { depth: 9 })).not.toContain(KEY);
  });

  test('is told to remove secrets and upstreams, each where it stands', () => {
    const faults = faultsOf({
      apps: [shop, { ...shop, name: 'news', appid: 'wx2', secret: 'canary-secret' }],
      upstream: { weixin: 'https://proxy.example' },
    });
    expect(faults).toEqual([
      expect.stringMatching(/^apps\[1\]\.secret must go: .*holds the secret/),
      expect.stringMatching(/^upstream must go: .*follow\.gateway/),
    ]);
    expect(faults.join()).not.toContain('canary');
  });

  test('is told that a schedule does nothing', () => {
    const app = { ...shop, dcloudAppid: '__UNI__A' };
    const { warnings, settings } = loadConfig(
      options({
        apps: [app],
        schedule: { __UNI__A: { enable: true, 'weixin-mp': { enable: true, tasks: ['accessToken'] } } },
      }),
    );
    expect(warnings).toEqual([
      expect.objectContaining({ path: 'schedule', message: expect.stringMatching(/does nothing/) }),
    ]);
    expect(settings.apps[0]?.renews).toEqual([]);
  });

  test.each([
    [{ key: KEY }, /^follow\.gateway/],
    [{ gateway: 'bridge.internal:7243', key: KEY }, /^follow\.gateway must/],
    [
      { gateway: 'https://me:canary@bridge.internal', key: KEY },
      /^follow\.gateway must not hold a user name/,
    ],
    [{ gateway: 'https://bridge.internal/path', key: KEY }, /^follow\.gateway must be an origin/],
    [{ gateway: 'https://api.weixin.qq.com', key: KEY }, /^follow\.gateway names the platform itself/],
    [{ gateway: 'https://graph.qq.com:443', key: KEY }, /^follow\.gateway names the platform itself/],
    [{ gateway: 'https://bridge.internal' }, /^follow\.key/],
    [{ gateway: 'https://bridge.internal', key: 'short' }, /^follow\.key must have at least 16/],
    [{ ...follow, ca: 'canary: no certificate' }, /^follow\.ca holds no certificate in PEM/],
    [{ ...follow, control: 'https://bridge.internal:7200' }, /control/],
  ])('is not taken with %o', (wrong, message) => {
    const faults = faultsOf({ follow: wrong });
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(faults.join()).not.toContain('canary');
  });

  test('does not take its own key for that of a caller', () => {
    const callers = [{ name: 'app', key: KEY }];
    expect(faultsOf({ callers })).toEqual([
      expect.stringMatching(/^follow\.key .*the same key as callers\[0\]\.key/),
    ]);
  });

  test('takes the certificate of the other one from a file, for https', async () => {
    const pem = await authorityCertificate();
    const files = { '/etc/bridge/gateway-ca.crt': pem };
    const ca = '${file:gateway-ca.crt}';
    const { settings } = loadConfig(options({ follow: { ...follow, ca } }, files));
    expect(settings.follow?.ca?.trim()).toBe(pem.trim());
    const plain = { ...follow, gateway: 'http://127.0.0.1:7280', ca };
    const { faults } = checkConfig(options({ follow: plain }, files));
    expect(faults).toEqual([
      expect.objectContaining({ path: 'follow.ca', message: expect.stringContaining('https') }),
    ]);
  });

  test('is warned of plain http to another machine', () => {
    const warned = (gateway: string) => loadConfig(options({ follow: { ...follow, gateway } })).warnings;
    expect(warned('http://10.0.0.7:7280')).toEqual([expect.objectContaining({ path: 'follow.gateway' })]);
    expect(warned('http://127.0.0.1:7280')).toEqual([]);
  });
});

test('without follow an app still needs its secret', () => {
  expect(faultsOf({ follow: undefined })).toEqual([expect.stringMatching(/^apps\[0\]\.secret is missing/)]);
});

describe('callers[].expires', () => {
  const load = (expires: string) =>
    checkConfig(options({ callers: [{ name: 'app', key: 'a-key-of-some-length', expires }] }));

  test.each([
    ['2026-12-31T00:00:00Z', '2026-12-31T00:00:00Z'],
    ['2026-12-31T08:00:00+08:00', '2026-12-31T00:00:00Z'],
    ['2026-12-31T00:00:00.250Z', '2026-12-31T00:00:00.250Z'],
  ])('%s is a moment', (written, meant) => {
    expect(load(written).settings?.callers[0]?.expiresAt).toBe(Date.parse(meant));
  });

  test.each([
    '',
    'tomorrow',
    '2026-12-31',
    '2026-12-31T00:00:00',
    '2026-02-30T00:00:00Z',
    '2026-12-31 00:00Z',
    '1798675200000',
  ])('%o is none', written => {
    expect(load(written).faults).toEqual([
      expect.objectContaining({
        path: 'callers[0].expires',
        message: expect.stringContaining('with its zone'),
      }),
    ]);
  });
});

test('the examples of the guide load', async () => {
  const guide = readFileSync(new URL('../../docs/environments.md', import.meta.url), 'utf8');
  const [production = '', follower = ''] = guide
    .split('```jsonc\n')
    .slice(1)
    .map(text => text.split('```')[0] ?? '');
  const sealKey = Buffer.alloc(32, 7).toString('base64');
  const pem = await authorityCertificate();
  const load = (text: string) =>
    loadConfig({
      path: '/etc/bridge/open-bridge.json',
      env: { STAGING_KEY: KEY, PROD_BRIDGE_KEY: KEY },
      readFile: path => (path.endsWith('.json') ? text : path.endsWith('.crt') ? pem : sealKey),
    });
  const apps = JSON.stringify([{ ...shop, secret: 'of-the-shop' }]);
  const there = load(`{ "apps": ${apps}, "storage": { "sealKey": "${sealKey}" }, ${production} }`);
  const here = load(follower);
  expect([there.warnings, here.warnings]).toEqual([[], []]);
  expect(there.settings.callers[0]).toMatchObject({
    scopes: ['call'],
    expiresAt: Date.parse('2026-12-31T00:00:00Z'),
  });
  expect(here.settings.follow?.key.reveal()).toBe(KEY);
});
