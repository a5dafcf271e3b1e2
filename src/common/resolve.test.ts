import { describe, expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { createAppDirectory } from '../credentials/apps.ts';
import type { App, PlatformId } from '../platforms/platform.ts';
import { type CredentialKey, checkKey } from './key.ts';
import type { BridgeKind } from './methods.ts';
import { resolve } from './resolve.ts';

function app(name: string, platform: PlatformId, dcloudAppid?: string, change: Partial<App> = {}): App {
  return {
    ...{ name, platform, dcloudAppid, appid: `wx-${name}`, secret: new Secret('s'), managed: true },
    ...{ default: false, tokenMode: 'stable', renews: [], ...change },
  };
}

const SHOP = app('shop', 'weixin-mp', '__UNI__A');
const NEWS = app('news', 'weixin-h5', '__UNI__A');
const OTHER = app('other', 'weixin-mp', '__UNI__B');
const ANY = app('any', 'weixin-web');

function found(
  apps: readonly App[],
  key: CredentialKey,
  kind: BridgeKind = 'access-token',
  visible?: (app: App) => boolean,
) {
  return resolve(createAppDirectory(apps), { kind, key: checkKey(kind, key) }, visible);
}

function refusal(...of: Parameters<typeof found>): BridgeError {
  try {
    found(...of);
  } catch (error) {
    if (error instanceof BridgeError) return error;
  }
  throw new Error('it was not refused');
}

test('a DCloud appid and a platform name an app', () => {
  const apps = [SHOP, NEWS, OTHER, ANY];
  expect(found(apps, { dcloudAppid: '__UNI__A', platform: 'weixin-mp' }).app).toBe(SHOP);
  expect(found(apps, { dcloudAppid: '__UNI__B', platform: 'weixin-mp' }).app).toBe(OTHER);
  expect(found(apps, { dcloudAppid: '__UNI__A', platform: 'weixin-h5' }).app).toBe(NEWS);
  expect(found(apps, { dcloudAppid: '__UNI__ANY', platform: 'weixin-web' }).app).toBe(ANY);
});

test('the parts of the key are handed on as the kind needs them', () => {
  const key = { dcloudAppid: '__UNI__A', platform: 'weixin-mp', openid: 'o1', version: '3' };
  expect(found([SHOP], key, 'encrypt-key')).toEqual({
    app: SHOP,
    kind: 'encrypt-key',
    openid: 'o1',
    version: 3,
  });
  expect(found([SHOP], key, 'access-token')).toEqual({ app: SHOP, kind: 'access-token' });
});

describe('an appid', () => {
  test('names an app by itself, or beside what else is true of it', () => {
    for (const key of [
      { appid: 'wx-shop' },
      { appid: 'shop' },
      { appid: 'wx-shop', platform: 'weixin-mp' },
      { appid: 'wx-shop', dcloudAppid: '__UNI__A', provider: 'weixin-mp' },
    ])
      expect(found([SHOP, OTHER], key).app).toBe(SHOP);
  });

  test('goes with any DCloud appid when its app does', () => {
    const second = app('second', 'weixin-web');
    expect(
      found([ANY, second], { appid: 'wx-any', dcloudAppid: '__UNI__Z', platform: 'weixin-web' }).app,
    ).toBe(ANY);
  });

  test('is refused beside what speaks of another app', () => {
    const apps = [SHOP, OTHER];
    expect(refusal(apps, { appid: 'wx-shop', platform: 'weixin-h5' }).message).toContain(
      'platform weixin-h5',
    );
    expect(refusal(apps, { appid: 'wx-shop', dcloudAppid: '__UNI__B' })).toMatchObject({
      code: 'REQUEST_MALFORMED',
      message: expect.stringContaining('__UNI__B'),
    });
    expect(refusal(apps, { appid: 'wx-shop', dcloudAppid: '__UNI__C' }).code).toBe('REQUEST_MALFORMED');
  });

  test('that no app has is refused, naming those there are', () => {
    expect(refusal([SHOP], { appid: 'wx-nobody' })).toMatchObject({
      code: 'APP_UNKNOWN',
      message: 'no app has the appid "wx-nobody"',
      hint: expect.stringContaining('__UNI__A on weixin-mp (wx-shop)'),
    });
  });
});

describe('a pair that means no app', () => {
  test('is refused, naming those there are', () => {
    expect(refusal([SHOP, ANY], { dcloudAppid: '__UNI__Z', platform: 'weixin-mp' })).toMatchObject({
      code: 'APP_UNKNOWN',
      message: 'no app of weixin-mp has the dcloudAppid "__UNI__Z"',
      hint: expect.stringContaining(
        'configured: __UNI__A on weixin-mp (wx-shop), any dcloudAppid on weixin-web (wx-any)',
      ),
    });
    expect(refusal([], { dcloudAppid: '__UNI__Z', platform: 'weixin-mp' }).hint).toContain(
      'configured: none',
    );
  });

  test('names no app that its caller may not know of', () => {
    const { hint } = refusal(
      [SHOP, OTHER],
      { dcloudAppid: 'x', platform: 'qq-mp' },
      'access-token',
      each => each === OTHER,
    );
    expect(hint).toContain('wx-other');
    expect(hint).not.toContain('wx-shop');
  });

  test('says so when several apps could be meant', () => {
    const apps = [
      app('one', 'weixin-mp'),
      app('two', 'weixin-mp', '__UNI__A', { dcloudAliases: ['__UNI__C', '*'] }),
    ];
    expect(found(apps, { dcloudAppid: '__UNI__C', platform: 'weixin-mp' }).app.name).toBe('two');
    const error = refusal(apps, { dcloudAppid: '__UNI__Z', platform: 'weixin-mp' });
    expect(error.message).toContain('2 apps of weixin-mp');
    expect(refusal(apps, { dcloudAppid: '__UNI__Z', platform: 'qq-mp' }).hint).toContain(
      '__UNI__A or __UNI__C or any dcloudAppid on weixin-mp (wx-two)',
    );
  });
});

describe('the ticket of a mini program', () => {
  const key = { dcloudAppid: '__UNI__A', platform: 'weixin-mp' };

  test('is that of the official account of the same DCloud appid', () => {
    expect(found([SHOP, NEWS], key, 'ticket').app).toBe(NEWS);
    expect(found([SHOP, NEWS], { appid: 'wx-shop' }, 'ticket').app).toBe(NEWS);
    expect(found([SHOP, NEWS], key).app).toBe(SHOP);
  });

  test('stays its own, to be refused, when there is no such account', () => {
    expect(found([SHOP], key, 'ticket').app).toBe(SHOP);
    expect(found([OTHER, NEWS], { ...key, dcloudAppid: '__UNI__B' }, 'ticket').app).toBe(OTHER);
  });
});
