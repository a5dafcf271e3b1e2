import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allowPatternFault, createAllowList } from './allow-list.ts';

const segment = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,8}$/);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map(parts => `/${parts.join('/')}`);

describe('createAllowList', () => {
  test.each([
    ['/wxa/msg_sec_check', '/wxa/msg_sec_check', true],
    ['/wxa/msg_sec_check', '/wxa/msg_sec_check/x', false],
    ['/wxa/msg_sec_check', '/WXA/msg_sec_check', false],
    ['/cgi-bin/*', '/cgi-bin/a', true],
    ['/cgi-bin/*', '/cgi-bin/a/b', true],
    ['/cgi-bin/*', '/cgi-bin', false],
    ['/cgi-bin/*', '/cgi-bin/', false],
    ['/cgi-bin/*', '/cgi-binx', false],
    ['/cgi-bin/*', '/cgi-binx/a', false],
    ['/cgi-bin/a/*', '/cgi-bin/a/b/c', true],
    ['/cgi-bin/a/*', '/cgi-bin/b', false],
    ['/*', '/anything/at/all', true],
    ['/*', '/', true],
    ['/', '/', true],
    ['/', '/a', false],
  ])('%s and %s: %s', (pattern, asked, listed) => {
    expect(createAllowList([pattern]).matches(asked)).toBe(listed);
  });

  test('an empty list allows nothing', () => {
    expect(createAllowList([]).matches('/wxa/x')).toBe(false);
  });

  test('agrees with the plain reading of the patterns', () => {
    const pattern = fc.oneof(
      path,
      path.map(each => `${each}/*`),
    );
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), path, path, (patterns, base, rest) => {
        const list = createAllowList([...patterns, `${base}/*`]);
        expect(list.matches(base + rest)).toBe(true);
        const plain = [...patterns, `${base}/*`].some(each =>
          each.endsWith('/*') ? rest.startsWith(each.slice(0, -1)) : each === rest,
        );
        expect(list.matches(rest)).toBe(plain);
      }),
    );
  });

  test('names the pattern it cannot use', () => {
    expect(() => createAllowList(['/ok', 'wxa/x'])).toThrow(/allow pattern "wxa\/x" must begin with/);
  });
});

describe('allowPatternFault', () => {
  test.each(['/', '/*', '/wxa/x', '/wxa/*', '/a/b/c/*', '/sns/component/jscode2session', '/a~b/c.d_e-f'])(
    'accepts %s',
    pattern => {
      expect(allowPatternFault(pattern)).toBeUndefined();
    },
  );

  test.each([
    ['', 'empty'],
    ['wxa', 'begin with'],
    ['*', 'begin with'],
    ['http://api.weixin.qq.com/wxa', 'without a host'],
    ['//api.weixin.qq.com/wxa', 'without a host'],
    ['/wxa?x=1', 'query'],
    ['/wxa#x', 'fragment'],
    ['/wxa*', '"*" only'],
    ['/*/x', '"*" only'],
    ['/w*a/*', '"*" only'],
    ['/wxa/**', '"*" only'],
    ['/wxa/', 'empty segment'],
    ['/wxa//*', 'empty segment'],
    ['/wxa/../x', '".."'],
    ['/./x', '"."'],
    ['/wxa/%2e', 'segment'],
    ['/wxa/中', 'segment'],
    ['/wxa/a b', 'segment'],
  ])('refuses %j: %s', (pattern, words) => {
    expect(allowPatternFault(pattern)).toContain(words);
    expect(() => createAllowList([pattern])).toThrow(TypeError);
  });

  test('never accepts a pattern that the list cannot compile, nor the reverse', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        const compiles = (): boolean => {
          try {
            createAllowList([`/${text}`]);
            return true;
          } catch {
            return false;
          }
        };
        expect(compiles()).toBe(allowPatternFault(`/${text}`) === undefined);
      }),
    );
  });
});
