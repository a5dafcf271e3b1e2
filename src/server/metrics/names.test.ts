import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAllowList } from '../../access/allow-list.ts';
import { createCallerDirectory } from '../../access/callers.ts';
import { Secret } from '../../base/secret.ts';
import { createAppDirectory } from '../../credentials/apps.ts';
import { PLATFORMS } from '../../platforms/platforms.ts';
import { createPathLabels, OTHER_PATH, readNames } from './names.ts';

const labelIn = (patterns: string[], path: string): string =>
  createPathLabels(patterns, label => label).of(path);

test.each([
  [['/wxa/*', '/wxa/msg_sec_check'], '/wxa/msg_sec_check', '/wxa/msg_sec_check'],
  [['/wxa/*', '/wxa/msg_sec_check'], '/wxa/other_path', '/wxa/*'],
  [['/*', '/wxa/*', '/wxa/business/*'], '/wxa/business/x', '/wxa/business/*'],
  [['/*', '/wxa/*', '/wxa/business/*'], '/wxa/business', '/wxa/*'],
  [['/*', '/wxa/*'], '/cgi-bin/x/y/z', '/*'],
  [['/wxa/*'], '/wxa', 'other'],
  [['/wxa/*'], '/wxa/', 'other'],
  [['/wxa/*'], '/', 'other'],
  [['/wxa/*'], '', 'other'],
  [['/wxa/x'], '/wxa/y', 'other'],
  [[], '/wxa/y', 'other'],
])('among %j the label of %s is %s', (patterns, path, label) => {
  expect(labelIn(patterns, path)).toBe(label);
});

test('what the allow-list lists has a label, and nothing else has', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map(parts => `/${parts.join('/')}`);
  const pattern = fc.oneof(
    path,
    path.map(each => `${each}/*`),
  );
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 6 }), path, (patterns, called) => {
      const label = labelIn(patterns, called);
      expect(label !== OTHER_PATH).toBe(createAllowList(patterns).matches(called));
      if (label !== OTHER_PATH) expect(createAllowList([label]).matches(called)).toBe(true);
    }),
  );
});

test('names are bounded: apps by the setting, paths by a number', () => {
  const apps = Array.from({ length: 5 }, (_, at) => ({
    name: `app${at}`,
    platform: 'weixin-mp' as const,
    appid: `wx${at}`,
    secret: new Secret('s'),
    managed: true,
    dcloudAppid: undefined,
    default: false,
    tokenMode: 'stable' as const,
    renews: [],
  }));
  const names = readNames({
    apps: createAppDirectory(apps),
    callers: createCallerDirectory(
      [{ name: 'orders', keys: ['0'.repeat(64)], addresses: [], tokens: 'real' }],
      () => 0,
    ),
    platforms: PLATFORMS.values(),
    allow: ['/cgi-bin/token', ...Array.from({ length: 500 }, (_, at) => `/wxa/p${at}`)],
    maxApps: 3,
  });
  expect([...names.apps]).toEqual(['app0', 'app1', 'app2']);
  expect(names.appsOmitted).toBe(2);
  expect([...names.callers]).toEqual(['local', 'orders']);
  expect(names.paths).toHaveLength(100);
  expect(names.paths.slice(0, 5)).toEqual([
    '/cgi-bin/token',
    '/cgi-bin/stable_token',
    '/cgi-bin/ticket/getticket',
    '/api/getToken',
    '/wxa/p0',
  ]);
});
