import { describe, expect, test } from 'vitest';
import { forwardedHeaders, readAnswerHead, readRequestHeaders } from './headers.ts';

const HOP_BY_HOP = [
  'Connection',
  'Proxy-Connection',
  'Keep-Alive',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'TE',
  'Trailer',
  'Trailers',
  'Transfer-Encoding',
  'Upgrade',
  'Expect',
];

describe('readRequestHeaders', () => {
  test('finds host, key, length and the names Connection lists', () => {
    expect(
      readRequestHeaders([
        'HOST',
        'Api.Weixin.qq.com:80',
        'X-Bridge-Key',
        'k',
        'Content-Length',
        '12',
        'Connection',
        'close, X-One',
        'connection',
        'x-two,TE',
      ]),
    ).toEqual({
      host: 'api.weixin.qq.com',
      key: 'k',
      bodyLength: 12,
      hops: 0,
      hopByHop: new Set(['x-one', 'x-two']),
    });
  });

  test('a body in chunks has no known length, a request without either header has none', () => {
    expect(readRequestHeaders(['Transfer-Encoding', 'Chunked']).bodyLength).toBeUndefined();
    expect(readRequestHeaders([]).bodyLength).toBe(0);
  });

  test.each([
    [['Host', 'a', 'Host', 'a']],
    [['Content-Length', '1', 'content-length', '1']],
    [['Content-Length', '+1']],
    [['Content-Length', '']],
    [['Content-Length', '1', 'Transfer-Encoding', 'chunked']],
    [['Transfer-Encoding', 'gzip, chunked']],
    [['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    [['X-Bridge-Key', 'a', 'x-bridge-key', 'b']],
    [['Host', 'a/b']],
  ])('refuses %j', headers => {
    expect(() => readRequestHeaders(headers)).toThrow(expect.objectContaining({ code: 'REQUEST_MALFORMED' }));
  });
});

describe('forwardedHeaders', () => {
  test.each([...HOP_BY_HOP, 'Host', 'Content-Length', 'X-Bridge-Key'])('removes %s in any case', name => {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(forwardedHeaders([spelling, 'x', 'A', 'b'], undefined, 'p')).toEqual([
        'A',
        'b',
        'x-forwarded-for',
        'p',
      ]);
    }
  });

  test('keeps everything else, with case, order and duplicates', () => {
    const headers = [
      'X-B',
      '1',
      'x-b',
      '2',
      'test-id',
      'te',
      'Authorization',
      'Bearer x',
      'Cookie',
      'a',
      'Cookie',
      'b',
      'User-Agent',
      '',
    ];
    expect(forwardedHeaders(headers, undefined, 'p')).toEqual([...headers, 'x-forwarded-for', 'p']);
  });

  test('removes what Connection lists', () => {
    expect(forwardedHeaders(['X-One', '1', 'x-ONE', '2', 'B', '3'], new Set(['x-one']), 'p')).toEqual([
      'B',
      '3',
      'x-forwarded-for',
      'p',
    ]);
  });

  test('extends x-forwarded-for where it stands, several becoming one', () => {
    expect(
      forwardedHeaders(
        ['X-Forwarded-For', '1.1.1.1, 2.2.2.2', 'A', 'b', 'x-forwarded-for', '3.3.3.3'],
        undefined,
        '::1',
      ),
    ).toEqual(['X-Forwarded-For', '1.1.1.1, 2.2.2.2, 3.3.3.3, ::1', 'A', 'b']);
  });
});

describe('readAnswerHead', () => {
  const head = (...headers: string[]): ReturnType<typeof readAnswerHead> => readAnswerHead(headers);

  test.each([...HOP_BY_HOP, 'X-Openapi-Seqid'])('removes %s', name => {
    expect(head(name, 'x', 'A', 'b').headers).toEqual(['A', 'b']);
  });

  test('keeps the rest as it is and reads what the body needs', () => {
    const headers = [
      'Set-Cookie',
      'a=1',
      'set-cookie',
      'b=2',
      'Content-Type',
      'Application/JSON; charset=UTF-8',
      'content-LENGTH',
      '7',
      'Content-Encoding',
      'GZIP',
      'X-Caf\xe9',
      '\xe9',
    ];
    expect(head(...headers)).toEqual({
      headers,
      length: 7,
      contentType: 'application/json',
      contentEncoding: 'gzip',
    });
  });

  test('removes what Connection lists, wherever it stands', () => {
    expect(head('X-One', '1', 'Connection', 'x-one, keep-alive', 'x-one', '2', 'B', '3').headers).toEqual([
      'B',
      '3',
    ]);
  });
});
