import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appsOf, check, entryOf, folderWith, summary, texts } from './folder.fixture.ts';

describe('places of appid and appsecret', () => {
  const leaf = (appid: string) => ({ appid, appsecret: 's' });
  const at = (path: string, value: unknown): object =>
    path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;

  test.each([
    ['weixin-mp', 'mp-weixin.oauth.weixin'],
    ['weixin-h5', 'web.oauth.weixin-h5'],
    ['weixin-h5', 'h5-weixin.oauth.weixin'],
    ['weixin-h5', 'h5.oauth.weixin'],
    ['weixin-web', 'web.oauth.weixin-web'],
    ['weixin-app', 'app.oauth.weixin'],
    ['weixin-app', 'app-plus.oauth.weixin'],
    ['qq-mp', 'mp-qq.oauth.qq'],
    ['qq-app', 'app.oauth.qq'],
    ['qq-app', 'app-plus.oauth.qq'],
  ])('%s is found at %s', (platform, path) => {
    const found = check({ 'uni-id/config.json': at(path, leaf('id')) });
    expect(appsOf(found).map(summary)).toMatchObject([{ platform, appid: 'id' }]);
  });

  const PLACES = {
    'weixin-h5': ['web.oauth.weixin-h5', 'h5-weixin.oauth.weixin', 'h5.oauth.weixin'],
    'weixin-app': ['app.oauth.weixin', 'app-plus.oauth.weixin'],
    'qq-app': ['app.oauth.qq', 'app-plus.oauth.qq'],
  };

  test('of several the first that is there counts, whatever the order of the file', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(PLACES)).chain(places => fc.shuffledSubarray(places)),
        places => {
          fc.pre(places.length > 0);
          const config = Object.assign({}, ...places.map(place => at(place, leaf(place))));
          const first = Object.values(PLACES)
            .flat()
            .find(place => places.includes(place));
          const found = check({ 'uni-id/config.json': config });
          expect(appsOf(found).map(({ appid }) => appid)).toEqual([first]);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('an empty first place hides the others, and that is said with both places', () => {
    const folder = folderWith({
      'uni-id/config.json': {
        ...at('web.oauth.weixin-h5', { appid: '', appsecret: 'x' }),
        ...at('h5.oauth.weixin', leaf('wx2')),
      },
    });
    const found = folder.check();
    expect(appsOf(found)).toEqual([]);
    expect(found.warnings).toContainEqual({
      file: join(folder.path, 'uni-id/config.json'),
      line: 4,
      column: 20,
      path: 'web.oauth["weixin-h5"]',
      message:
        'no weixin-h5 is taken from here: appid must not be empty. This place comes first, so uni-id/config.json: h5.oauth.weixin does not count, as in uniCloud',
    });
  });

  test.each([
    [{}, 'appid and appsecret must'],
    [{ appid: 'wx1' }, 'appsecret must'],
    [{ appid: 5, appsecret: 's' }, 'appid must'],
    ['wx1', 'appid and appsecret must'],
  ])('%j gives no app and a warning', (value, message) => {
    const found = check({ 'uni-id/config.json': at('mp-weixin.oauth.weixin', value) });
    expect(appsOf(found)).toEqual([]);
    expect(texts(found.warnings)[1]).toMatch(
      `["mp-weixin"].oauth.weixin: no weixin-mp is taken from here: ${message}`,
    );
  });
});

describe('several uni-id configurations', () => {
  const list = [
    entryOf('__UNI__A', 'wx1', {
      web: { oauth: { 'weixin-h5': { appid: 'wx2', appsecret: 's2' } } },
    }),
    entryOf('__UNI__B', 'wx3', { isDefaultConfig: true }),
  ];

  test('go by their dcloudAppid, the default one by any other too, under names of their own', () => {
    expect(appsOf(check({ 'uni-id/config.json': list })).map(summary)).toMatchObject([
      { name: 'A-weixin-mp', appid: 'wx1', dcloudAppids: ['__UNI__A'] },
      { name: 'A-weixin-h5', appid: 'wx2', dcloudAppids: ['__UNI__A'] },
      { name: 'B-weixin-mp', appid: 'wx3', dcloudAppids: ['__UNI__B', '*'] },
    ]);
  });

  test('that share an appid are one app with several dcloudAppids', () => {
    const shared = [entryOf('__UNI__A', 'wx1'), entryOf('__UNI__B', 'wx1')];
    const schedule = { __UNI__B: { enable: true, 'weixin-mp': { enable: true, tasks: ['accessToken'] } } };
    const found = check({ 'uni-id/config.json': shared, 'uni-open-bridge/config.json': { schedule } });
    expect(appsOf(found).map(summary)).toEqual([
      {
        ...{ name: 'A-weixin-mp', platform: 'weixin-mp', appid: 'wx1' },
        ...{ dcloudAppids: ['__UNI__A', '__UNI__B'], renews: ['access-token'] },
      },
    ]);
  });

  test.each([
    [
      'another secret for one appid',
      [
        entryOf('a', 'wx1'),
        entryOf('b', 'wx1', { 'mp-weixin': { oauth: { weixin: { appid: 'wx1', appsecret: 'other' } } } }),
      ],
      '[1]["mp-weixin"].oauth.weixin.appsecret: another secret than uni-id/config.json: [0]["mp-weixin"].oauth.weixin, which has the same appid',
    ],
    [
      'another platform for one appid',
      [entryOf('a', 'wx1', { 'mp-qq': { oauth: { qq: { appid: 'wx1', appsecret: 's' } } } })],
      '[0]["mp-qq"].oauth.qq.appid: the same appid as uni-id/config.json: [0]["mp-weixin"].oauth.weixin, which is weixin-mp and not qq-mp',
    ],
    ['an entry that is none', [entryOf('a', 'wx1'), null], '[1]: must be an object'],
  ])('contradict themselves: %s', (_, content, fault) => {
    expect(texts(check({ 'uni-id/config.json': content }).faults)).toEqual([fault]);
  });

  test('of one dcloudAppid the first counts; one without can be nobody’s', () => {
    const found = check({
      'uni-id/config.json': [entryOf('a', 'wx1'), entryOf('a', 'wx2'), entryOf(undefined, 'wx3')],
    });
    expect(appsOf(found).map(({ appid }) => appid)).toEqual(['wx1']);
    expect(texts(found.warnings)).toEqual([
      '[1].dcloudAppid: left out: the same dcloudAppid as uni-id/config.json: [0], which comes first',
      '[2]: left out: has no dcloudAppid, so nothing can find it',
    ]);
  });

  test('have names without surprises, whatever the dcloudAppids are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 80 }), { maxLength: 6 }), ids => {
        const odd = ids.filter(id => !/[\s:*\p{Cc}]/u.test(id) && id !== '__proto__');
        const content = odd.map((id, index) => entryOf(id, `wx${index}`));
        const found = check({ 'uni-id/config.json': content });
        const names = appsOf(found).map(({ name }) => name);
        expect(new Set(names).size).toBe(odd.length);
        for (const name of names) expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
      }),
      { numRuns: 50 },
    );
  });
});
