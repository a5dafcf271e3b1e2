import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostOf, parseTarget } from './target.ts';

describe('parseTarget', () => {
  test.each([
    ['/', { path: '/', query: '' }],
    ['/wxa/msg_sec_check', { path: '/wxa/msg_sec_check', query: '' }],
    ['/wxa/x?', { path: '/wxa/x', query: '' }],
    ['/wxa/x?a=1&b=%20?&c', { path: '/wxa/x', query: 'a=1&b=%20?&c' }],
    ['/a.b~c-d_e/F9', { path: '/a.b~c-d_e/F9', query: '' }],
    ['/.hidden/...', { path: '/.hidden/...', query: '' }],
    ['/x?u=http://a//b/../c', { path: '/x', query: 'u=http://a//b/../c' }],
    ['http://api.weixin.qq.com/wxa/x?a=1', { host: 'api.weixin.qq.com', path: '/wxa/x', query: 'a=1' }],
    ['HTTPS://API.Weixin.QQ.com.:8443/x', { host: 'api.weixin.qq.com', path: '/x', query: '' }],
    ['http://api.weixin.qq.com', { host: 'api.weixin.qq.com', path: '/', query: '' }],
    ['http://api.weixin.qq.com?a=1', { host: 'api.weixin.qq.com', path: '/', query: 'a=1' }],
    ['http://[::1]:7280/x', { host: '[::1]', path: '/x', query: '' }],
  ])('%s', (target, parts) => {
    expect(parseTarget(target)).toEqual({ host: undefined, ...parts });
  });

  test.each([
    ['*', 'must be a path'],
    ['api.weixin.qq.com:443', 'must be a path'],
    ['ftp://api.weixin.qq.com/x', 'must be a path'],
    ['', 'must be a path'],
    ['//evil.example/x', 'empty segment'],
    ['/wxa//x', 'empty segment'],
    ['/wxa/', 'empty segment'],
    ['/wxa/./x', '"." or ".."'],
    ['/wxa/../x', '"." or ".."'],
    ['/wxa/..', '"." or ".."'],
    ['/.', '"." or ".."'],
    ['/wxa/%2e%2e/x', '"%"'],
    ['/wxa/;x', '";"'],
    ['/wxa\\x', '"\\"'],
    ['/wxa/a b', '0x20'],
    ['/wxa/a\u0000b', '0x0'],
    ['/wxa/é', '0xe9'],
    ['/wxa/x#y', '"#"'],
    ['/wxa/x?a#y', '"#"'],
    ['/wxa/x?a\u007f', '0x7f'],
    ['/wxa/x?a=é', 'percent-encoded'],
    ['http://user:pw@api.weixin.qq.com/x', 'user name'],
    ['http://api weixin/x', 'host'],
    ['http://api.weixin.qq.com:x/x', 'host'],
  ])('refuses %j', (target, words) => {
    expect(() => parseTarget(target)).toThrow(
      expect.objectContaining({ code: 'REQUEST_MALFORMED', message: expect.stringContaining(words) }),
    );
  });

  test('what it accepts is canonical, and nothing is lost', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        const target = `/${text}`;
        let parsed: ReturnType<typeof parseTarget>;
        try {
          parsed = parseTarget(target);
        } catch {
          return;
        }
        const { path, query } = parsed;
        expect([path, `${path}?`, `${path}?${query}`]).toContain(target);
        expect(new URL(target, 'http://h').pathname).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });
});

test.each([
  ['api.weixin.qq.com', 'api.weixin.qq.com'],
  ['API.weixin.qq.com:80', 'api.weixin.qq.com'],
  ['127.0.0.1:7280', '127.0.0.1'],
  ['', ''],
  ['a_b-c.d', 'a_b-c.d'],
])('hostOf(%j) is %j', (authority, host) => {
  expect(hostOf(authority)).toBe(host);
});
