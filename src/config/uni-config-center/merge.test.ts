import { join } from 'node:path';
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

describe('our own file over it', () => {
  const files = { 'uni-id/config.json': UNI_ID, 'uni-open-bridge/config.json': UNI_OPEN_BRIDGE };
  const mp = { name: 'shop', platform: 'weixin-mp', appid: 'wx0000000000000001' };

  test('names an app, and has its secret and dcloudAppid filled in', () => {
    const found = check(files, { apps: [{ ...mp, default: true }] });
    const [shop, ...others] = appsOf(found);
    expect(shop).toMatchObject({ name: 'shop', default: true, dcloudAppid: '__UNI__SHOP01', managed: true });
    expect(shop?.secret?.reveal()).toBe('secret-of-the-mini-program');
    expect(shop?.renews).toEqual(['access-token']);
    expect(others.map(({ name }) => name)).not.toContain('weixin-mp');
    expect(others).toHaveLength(5);
  });

  test('an equal entry is fine; dcloudAppids add up', () => {
    const secret = 'secret-of-the-mini-program';
    const found = check(files, { apps: [{ ...mp, secret, dcloudAppid: '__UNI__NEW' }] });
    expect(appsOf(found).map(summary)[0]).toMatchObject({
      dcloudAppids: ['__UNI__NEW', '__UNI__SHOP01'],
    });
  });

  test('an app takes no dcloudAppid from the folder that another of our own has', () => {
    const other = { ...mp, name: 'other', appid: 'wx99', secret: 's', dcloudAppid: '__UNI__SHOP01' };
    const apps = appsOf(check(files, { apps: [{ ...mp, dcloudAppid: 'X' }, other] }));
    expect(apps.slice(0, 2).map(summary)).toMatchObject([
      { name: 'shop', dcloudAppids: ['X'] },
      { name: 'other', dcloudAppids: ['__UNI__SHOP01'] },
    ]);
    const [shop] = appsOf(check(files, { apps: [mp, { ...other, dcloudAppid: ['__UNI__SHOP01', '*'] }] }));
    expect(shop).toMatchObject({ dcloudAppid: undefined, dcloudAliases: [] });
  });

  test('an app with a token server of its own needs no secret and gets none', () => {
    const [shop] = appsOf(check(files, { apps: [{ ...mp, managed: false }] }));
    expect(shop).toMatchObject({ managed: false, secret: undefined, renews: [] });
  });

  test.each([
    [
      { secret: 'other' },
      '["mp-weixin"].oauth.weixin.appsecret: another secret than apps[0].secret of open-bridge\'s own configuration, for the same appid',
    ],
    [
      { platform: 'qq-mp', secret: 's' },
      '["mp-weixin"].oauth.weixin.appid: the same appid as apps[0] of open-bridge\'s own configuration, but another platform: weixin-mp',
    ],
  ])('a contradiction is a fault that names both places: %j', (change, fault) => {
    expect(texts(check(files, { apps: [{ ...mp, ...change }] }).faults)).toEqual([fault]);
  });

  test('has the app of a dcloudAppid, and the folder’s is left out', () => {
    const own = { ...mp, appid: 'wx0000000000000099', secret: 's', dcloudAppid: '__UNI__SHOP01' };
    const found = check(files, { apps: [own] });
    expect(appsOf(found).filter(({ platform }) => platform === 'weixin-mp')).toMatchObject([
      { appid: 'wx0000000000000099', renews: ['access-token'] },
    ]);
    expect(texts(found.warnings)[0]).toBe(
      '["mp-weixin"].oauth.weixin: left out: open-bridge\'s own configuration has another weixin-mp for __UNI__SHOP01, and it wins',
    );
  });

  test('an app for every dcloudAppid stays that; the folder’s keeps its own', () => {
    const found = check(files, { apps: [{ ...mp, appid: 'wx0000000000000099', secret: 's' }] });
    const apps = appsOf(found).filter(({ platform }) => platform === 'weixin-mp');
    expect(apps.map(summary)).toMatchObject([
      { name: 'shop', dcloudAppids: [], renews: ['access-token'] },
      { name: 'weixin-mp', dcloudAppids: ['__UNI__SHOP01'] },
    ]);
  });

  test('a name that is taken is not given to an app of the folder', () => {
    const found = check(files, {
      apps: [{ ...mp, appid: 'wx99', secret: 's', name: 'weixin-mp', dcloudAppid: 'X' }],
    });
    expect(appsOf(found).map(({ name }) => name)).toContain('weixin-mp-wx0000000000000001');
  });

  test('names its apps to callers', () => {
    const key = 'caller-key-0123456789';
    const callers = [{ name: 'orders', key, apps: ['weixin-mp', 'wx0000000000000002'] }];
    expect(check(files, { callers }).faults).toEqual([]);
    const unknown = [{ name: 'orders', key, apps: ['weixin-mq'] }];
    expect(texts(check(files, { callers: unknown }).faults)[0]).toContain(
      'configured apps: weixin-mp, weixin-h5',
    );
  });

  test('its entry of the schedule stands in the place of the folder’s', () => {
    const schedule = { __UNI__SHOP01: { enable: true, 'weixin-h5': { enable: true, tasks: ['ticket'] } } };
    const renews = appsOf(check(files, { schedule })).map(app => [app.platform, app.renews]);
    expect(Object.fromEntries(renews)).toMatchObject({
      'weixin-mp': [],
      'weixin-h5': ['access-token', 'ticket'],
    });
  });

  test('keeps its own faults, and the folder’s come after them', () => {
    const folder = folderWith(
      {
        ...files,
        'uni-id/config.json':
          '{ "mp-weixin": { "oauth": { "weixin": { "appid": "w x", "appsecret": "s" } } }',
      },
      { apps: null, schedule: null, log: { level: 'loud' } },
    );
    expect(texts(folder.check().faults)).toEqual([
      'apps: must be an array, not null',
      'schedule: must be an object, not null',
      'log.level: must be one of "debug", "info", "warn", "error"',
      ': "}" is expected',
    ]);
  });

  test('a fault of an app from the folder is placed in the folder', () => {
    const folder = folderWith({ 'uni-id/config.json': entryOf('A', 'w x') });
    expect(folder.check().faults).toEqual([
      {
        ...{ file: join(folder.path, 'uni-id/config.json'), line: 6, column: 18 },
        ...{ path: '["mp-weixin"].oauth.weixin.appid', message: 'must not contain white space or ":"' },
      },
    ]);
  });
});
