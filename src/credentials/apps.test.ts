import { expect, test } from 'vitest';
import { appOf } from '../../test/support/world.ts';
import { createAppDirectory } from './apps.ts';

const shop = appOf('wx01', { name: 'shop' });
const news = appOf('wx02', { name: 'news', default: true });

test('apps are found by name, then by appid', () => {
  const tricky = appOf('shop', { name: 'tricky' });
  const apps = createAppDirectory([shop, news, tricky]);
  expect(apps.find('shop')).toBe(shop);
  expect(apps.find('wx02')).toBe(news);
  expect(apps.find('tricky')).toBe(tricky);
  expect(apps.find('nobody')).toBeUndefined();
  expect(apps.all()).toEqual([shop, news, tricky]);
});

test('an unknown app is answered with the ones there are', () => {
  const wanted = expect.objectContaining({
    code: 'APP_UNKNOWN',
    message: 'no app named "nobody" is configured',
    hint: expect.stringContaining('shop (wx01), news (wx02)'),
  });
  expect(() => createAppDirectory([shop, news]).require('nobody')).toThrow(wanted);
  expect(() => createAppDirectory([]).require('x')).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('none') }),
  );
});

test('the default is the marked app, or the only one', () => {
  expect(createAppDirectory([shop, news]).defaultApp()).toBe(news);
  expect(createAppDirectory([shop]).defaultApp()).toBe(shop);
  expect(createAppDirectory([shop, appOf('wx03')]).defaultApp()).toBeUndefined();
  expect(createAppDirectory([]).defaultApp()).toBeUndefined();
});

test('a replaced list is found whole, and the old one no more', () => {
  const apps = createAppDirectory([shop]);
  apps.replace([news]);
  expect(apps.find('shop')).toBeUndefined();
  expect(apps.find('wx01')).toBeUndefined();
  expect(apps.require('news')).toBe(news);
  expect(apps.defaultApp()).toBe(news);
});

test('a DCloud appid means the app that names it, then the only one of its platform for any', () => {
  const a = appOf('wx0a', { dcloudAppid: 'A', dcloudAliases: ['B'] });
  const c = appOf('wx0c', { dcloudAppid: 'C', dcloudAliases: ['*'] });
  const any = appOf('wx0d');
  const apps = createAppDirectory([a, c]);
  for (const id of ['A', 'B']) expect(apps.findByDcloudAppid(id, 'weixin-mp')).toBe(a);
  for (const id of ['C', 'other']) expect(apps.findByDcloudAppid(id, 'weixin-mp')).toBe(c);
  expect(apps.findByDcloudAppid('A', 'weixin-h5')).toBeUndefined();
  apps.replace([a, any]);
  expect(apps.findByDcloudAppid('other', 'weixin-mp')).toBe(any);
  apps.replace([a, c, any]);
  expect(apps.findByDcloudAppid('C', 'weixin-mp')).toBe(c);
  expect(apps.findByDcloudAppid('other', 'weixin-mp')).toBeUndefined();
});
