import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeadReader } from './head-reader.ts';
import { cutUp } from './pieces.fixture.ts';
import { readRequestHead } from './request-head.ts';
import { HttpSyntaxError } from './syntax.ts';

const read = (text: string) => readRequestHead(text, text.length);

test('takes the parts of a request apart', () => {
  expect(read('POST /wxa/x?a=%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n')).toMatchObject({
    method: 'POST',
    target: '/wxa/x?a=%20b',
    minor: 1,
    fields: { headers: ['Host', 'a', 'Content-Length', '3'], length: 3 },
  });
  expect(read('GET http://api.weixin.qq.com/ HTTP/1.0\r\n')).toMatchObject({
    method: 'GET',
    target: 'http://api.weixin.qq.com/',
    minor: 0,
    fields: { headers: [] },
  });
});

test.each(['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE'])(
  'knows %s',
  method => {
    expect(read(`${method} /a HTTP/1.1\r\n`).method).toBe(method);
  },
);

describe('what is refused', () => {
  test.each([
    ['an unknown method', 'FROB / HTTP/1.1\r\n'],
    ['a method in lower case', 'get / HTTP/1.1\r\n'],
    ['a method that begins like one', 'GETS / HTTP/1.1\r\n'],
    ['no method', ' / HTTP/1.1\r\n'],
    ['a blank before the method', ' GET / HTTP/1.1\r\n'],
    ['an empty line', '\r\nGET / HTTP/1.1\r\n'],
    ['no target', 'GET  HTTP/1.1\r\n'],
    ['two blanks', 'GET  / HTTP/1.1\r\n'],
    ['a tab for a blank', 'GET\t/ HTTP/1.1\r\n'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\n'],
    ['a control character in the target', 'GET /\x01 HTTP/1.1\r\n'],
    ['DEL in the target', 'GET /\x7f HTTP/1.1\r\n'],
    ['a byte over ASCII in the target', 'GET /\xe4 HTTP/1.1\r\n'],
    ['HTTP/0.9', 'GET /\r\n'],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\n'],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n'],
    ['HTTP/1.10', 'GET / HTTP/1.10\r\n'],
    ['a protocol in lower case', 'GET / http/1.1\r\n'],
    ['another protocol', 'GET / ICE/1.1\r\n'],
    ['something after the version', 'GET / HTTP/1.1 \r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\r\n'],
    ['a bare carriage return', 'GET / HTTP/1.1\rHost: a\r\n'],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n'],
    ['nothing', '\r\n'],
  ])('%s', (_what, text) => {
    expect(() => read(text)).toThrow(HttpSyntaxError);
  });
});

test('any bytes are read or refused alike however they are cut up, and with no other error', () => {
  const outcome = (pieces: readonly Buffer[]): unknown => {
    const reader = new HeadReader({ limit: 512, skipsEmptyLine: true });
    const heads: unknown[] = [];
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length && reader.read(piece, at); at = reader.next)
          heads.push(readRequestHead(reader.text, reader.end));
      }
      return { heads, begun: reader.begun };
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      return { heads, refused: true };
    }
  };
  const soup = fc
    .array(
      fc.constantFrom(
        ...['GET / HTTP/1.1\r\n', 'POST /a HTTP/1.0\r\n', 'Host: a\r\n', 'X: y\r\n', 'Content-Length: 1\r\n'],
        ...[
          '\r\n',
          '\r\n',
          '\r',
          '\n',
          ' ',
          ':',
          '\0',
          '\xff',
          'GET',
          '/',
          'HTTP/1.1',
          'Transfer-Encoding: chunked\r\n',
        ],
      ),
      { maxLength: 14 },
    )
    .map(parts => Buffer.from(parts.join(''), 'latin1'));
  fc.assert(
    fc.property(soup, fc.array(fc.nat(60)), (bytes, cuts) => {
      const whole = outcome([Buffer.from(bytes)]);
      const cut = outcome(cutUp(bytes, cuts));
      const bytewise = outcome(cutUp(bytes, Array(bytes.length).fill(1)));
      expect(cut).toEqual(bytewise);
      expect(whole).toEqual(bytewise);
    }),
    { numRuns: 3000 },
  );
});

test('what a well-formed request says comes back', () => {
  const target = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map(code => String.fromCharCode(code)),
    minLength: 1,
  });
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'DELETE', 'M-SEARCH'),
      target,
      fc.constantFrom(0, 1),
      (method, path, minor) => {
        expect(read(`${method} ${path} HTTP/1.${minor}\r\nA: b\r\n`)).toMatchObject({
          method,
          target: path,
          minor,
          fields: { headers: ['A', 'b'] },
        });
      },
    ),
  );
});
