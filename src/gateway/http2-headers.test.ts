import { describe, expect, test } from 'vitest';
import { http2AnswerHeaders, isSayableInHttp1, readHttp2Head } from './http2-headers.ts';

const PSEUDO = [
  ...[':method', 'POST', ':path', '/wxa/x?a=1', ':scheme', 'https'],
  ...[':authority', 'api.weixin.qq.com'],
];

describe('the head of a request', () => {
  test('pseudo headers become method, target and Host, all others stay as they are', () => {
    expect(readHttp2Head([...PSEUDO, 'x-a', '1', 'x-a', '2', 'content-length', '3'], false)).toEqual({
      method: 'POST',
      target: '/wxa/x?a=1',
      headers: ['host', 'api.weixin.qq.com', 'x-a', '1', 'x-a', '2', 'content-length', '3'],
      awaits: false,
      size: 116,
    });
  });

  test.each<[string, string[], string[]]>([
    ['the same host twice', ['host', 'API.weixin.qq.com'], ['host', 'api.weixin.qq.com']],
    ['two hosts', ['host', 'evil.example'], ['host', 'api.weixin.qq.com', 'host', 'evil.example']],
    [
      'cookies in pieces',
      ['cookie', 'a=1', 'x', '1', 'cookie', 'b=2', 'cookie', 'c=3'],
      ['host', 'api.weixin.qq.com', 'cookie', 'a=1; b=2; c=3', 'x', '1'],
    ],
    ['another protocol', [':protocol', 'websocket'], ['host', 'api.weixin.qq.com']],
  ])('%s', (_what, more, headers) => {
    expect(readHttp2Head([...PSEUDO, ...more], true).headers).toEqual(headers);
  });

  test.each<[string, string[], boolean, string[]]>([
    ['no body', [], true, []],
    ['a declared one', ['content-length', '3'], false, ['content-length', '3']],
    ['one of any length', [], false, ['transfer-encoding', 'chunked']],
  ])('%s is told as HTTP/1.1 tells it', (_what, more, ends, told) => {
    expect(readHttp2Head([':method', 'POST', ...more], ends).headers).toEqual(told);
  });

  test('a wish to be told before the body', () => {
    expect(readHttp2Head(['expect', '100-Continue'], false).awaits).toBe(true);
    expect(readHttp2Head(['expect', 'miracles'], false).awaits).toBe(false);
  });
});

test.each<[string, string[], boolean]>([
  ['an ordinary head', PSEUDO, true],
  ['a method of more than a token', [':method', 'GET / HTTP/1.1\r\nX: y'], false],
  ['no method', [':path', '/'], false],
  ['a line break in a value', [...PSEUDO, 'x-a', 'b\r\nx-bridge-key: k'], false],
  ['a line break in the authority', [':method', 'GET', ':authority', 'a\r\nx: y'], false],
  ['a colon in a name', [...PSEUDO, 'x-a: b', 'c'], false],
  ['an empty name', [...PSEUDO, '', 'c'], false],
])('%s can be said in HTTP/1.1 or is known not to', (_what, raw, sayable) => {
  expect(isSayableInHttp1(readHttp2Head(raw, true))).toBe(sayable);
});

test('the head of an answer: lower case, doubles kept, nothing HTTP/2 forbids', () => {
  const headers = [
    ...['Content-Type', 'a/b', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Connection', 'close'],
    ...['Keep-Alive', '1', 'Proxy-Connection', 'x', 'Transfer-Encoding', 'chunked', 'Upgrade', 'h2c'],
    ...['HTTP2-Settings', 'x', 'TE', 'trailers', 'X-Openapi-Seqid', 's'],
  ];
  expect(
    http2AnswerHeaders({
      status: 201,
      reason: 'Whatever',
      headers,
      contentType: '',
      contentEncoding: '',
      body: undefined,
    }),
  ).toEqual([
    ...[':status', '201', 'content-type', 'a/b', 'set-cookie', 'a=1', 'set-cookie', 'b=2'],
    ...['x-openapi-seqid', 's'],
  ]);
});
