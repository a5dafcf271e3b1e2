import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appsOf,
  check,
  entryOf,
  folderWith,
  summary,
  texts,
  UNI_ID,
  UNI_OPEN_BRIDGE,
} from './folder.fixture.ts';

describe('a project’s folder', () => {
  const files = { 'uni-id/config.json': UNI_ID, 'uni-open-bridge/config.json': UNI_OPEN_BRIDGE };

  test('gives every app of uni-id, renewed as the schedule says', () => {
    const found = check(files);
    const dcloudAppids = ['__UNI__SHOP01', '*'];
    expect(appsOf(found).map(summary)).toEqual([
      {
        ...{ name: 'weixin-mp', platform: 'weixin-mp', appid: 'wx0000000000000001' },
        ...{ dcloudAppids, renews: ['access-token'] },
      },
      {
        ...{ name: 'weixin-h5', platform: 'weixin-h5', appid: 'wx0000000000000002' },
        ...{ dcloudAppids, renews: [] },
      },
      {
        ...{ name: 'weixin-web', platform: 'weixin-web', appid: 'wx0000000000000003' },
        ...{ dcloudAppids, renews: [] },
      },
      {
        ...{ name: 'weixin-app', platform: 'weixin-app', appid: 'wx0000000000000004' },
        ...{ dcloudAppids, renews: [] },
      },
      { name: 'qq-mp', platform: 'qq-mp', appid: '1110000006', dcloudAppids, renews: [] },
      { name: 'qq-app', platform: 'qq-app', appid: '101000005', dcloudAppids, renews: [] },
    ]);
    expect(appsOf(found).map(({ secret }) => secret?.reveal())).toContain('secret-of-the-qq-app');
    expect(appsOf(found).every(({ managed, default: isDefault }) => managed && !isDefault)).toBe(true);
    expect(found.settings?.ipWhiteList).toEqual(['0.0.0.0']);
    expect(texts(found.warnings)).toEqual([expect.stringMatching(/^ipWhiteList\[0\]: is no wildcard/)]);
    expect(found.settings?.s2s).toBeUndefined();
  });

  test('is placed: warnings name its file, line and column', () => {
    const folder = folderWith(files);
    const { warnings } = folder.check();
    expect(warnings).toMatchObject([
      { file: join(folder.path, 'uni-open-bridge/config.json'), line: 9, column: 19, path: 'ipWhiteList[0]' },
    ]);
  });

  test('without a schedule keeps access tokens fresh', () => {
    const renews = appsOf(check({ 'uni-id/config.json': UNI_ID })).map(app => [app.platform, app.renews]);
    expect(Object.fromEntries(renews)).toEqual({
      ...{ 'weixin-mp': ['access-token'], 'weixin-h5': ['access-token'], 'qq-mp': ['access-token'] },
      ...{ 'weixin-web': [], 'weixin-app': [], 'qq-app': [] },
    });
  });

  test('shows no secret, in faults, warnings or settings', () => {
    const canary = 'CANARY-secret';
    const entry = (appid: string, appsecret: string) => ({
      dcloudAppid: appid,
      'mp-weixin': { oauth: { weixin: { appid: 'wx1', appsecret } } },
    });
    const found = check({
      'uni-id/config.json': [entry('a', canary), entry('b', `${canary}2`), entry('c', ` ${canary}`)],
      'uni-cloud-s2s/config.json': { type: 'sign', signKey: canary, hashMethod: canary, connectCode: canary },
    });
    expect(found.faults.length).toBeGreaterThan(1);
    expect(JSON.stringify(found)).not.toContain(canary);
    const good = check({
      'uni-id/config.json': entryOf('a', 'wx1'),
      'uni-cloud-s2s/config.json': { type: 'sign', signKey: canary },
    });
    expect(good.settings?.s2s).toMatchObject({
      type: 'sign',
      toleranceMs: 60_000,
      hashMethod: 'hmac-sha256',
    });
    expect(JSON.stringify(good)).not.toMatch(/CANARY|secret-of-wx1/);
  });
});

describe('the folder itself', () => {
  test.each([
    ['empty', {}],
    ['the wrong one', { 'cloudfunctions/uni-id/config.json': '{}' }],
  ])('is a fault when it is %s', (_, files) => {
    expect(texts(check(files).faults)).toEqual([
      expect.stringMatching(/^uniConfigCenter: there is none of uni-id\/config\.json, .* in this folder/),
    ]);
  });

  test('without uni-id has no apps', () => {
    const found = check({ 'uni-open-bridge/config.json': UNI_OPEN_BRIDGE });
    expect(appsOf(found)).toEqual([]);
    expect(texts(found.warnings)).toContain(
      'uniConfigCenter: holds no uni-id/config.json, so no apps come from there',
    );
  });

  test.each([
    ['a file that is no JSON', '{ "a": ', /^: a value is expected/],
    ['an empty file', '', /^: a value is expected/],
    ['a file that is only a comment', '// nothing', /^: a value is expected/],
    ['a word', '"x"', /^: must be an object or an array of objects/],
  ])('with %s is a fault of that file', (_, content, fault) => {
    const folder = folderWith({ 'uni-id/config.json': content });
    const { faults } = folder.check();
    expect(texts(faults)[0]).toMatch(fault);
    expect(faults[0]?.file).toBe(join(folder.path, 'uni-id/config.json'));
  });

  test('a folder in the place of a file cannot be read', () => {
    const { faults } = check({ 'uni-id/config.json/x': '{}' });
    expect(faults).toMatchObject([{ path: '', message: 'cannot be read: it is a folder' }]);
  });

  test('all its files belong to the configuration, also those that are not there', () => {
    const folder = folderWith({ 'uni-id/config.json': entryOf('A', 'wx1') });
    const { files, digest } = folder.check();
    for (const name of ['uni-id', 'uni-open-bridge', 'uni-cloud-s2s'])
      expect(files).toContain(join(folder.path, name, 'config.json'));
    folder.write('uni-cloud-s2s/config.json', {
      type: 'connectCode',
      connectCode: 'connect-code-0123456789',
    });
    expect(folder.check().digest).not.toBe(digest);
  });

  test('whatever its files hold, reading them reports and never throws', () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom({}, [], null));
    const uniId = fc.record(
      { dcloudAppid: value, isDefaultConfig: value, 'mp-weixin': value, web: fc.record({ oauth: value }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(value, uniId, fc.array(uniId, { maxLength: 3 })),
        fc.oneof(
          value,
          fc.record({ schedule: fc.oneof(value, fc.dictionary(fc.string(), value)), ipWhiteList: value }),
        ),
        value,
        (one, two, three) => {
          const found = check({
            'uni-id/config.json': JSON.stringify(one),
            'uni-open-bridge/config.json': JSON.stringify(two),
            'uni-cloud-s2s/config.json': JSON.stringify(three),
          });
          expect(found.settings === undefined).toBe(found.faults.length > 0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
