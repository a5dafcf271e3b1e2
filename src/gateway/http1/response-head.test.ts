import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readResponseHead } from './response-head.ts';
import { HttpSyntaxError } from './syntax.ts';

const read = (text: string) => readResponseHead(text, text.length);

test('takes the parts of a response apart', () => {
  expect(read('HTTP/1.1 299 Quite  Fine\r\nA: \xe9\r\nContent-Length: 2\r\n')).toMatchObject({
    status: 299,
    reason: 'Quite  Fine',
    minor: 1,
    fields: { headers: ['A', '\xe9', 'Content-Length', '2'], length: 2 },
  });
});

test.each([
  ['an empty reason', 'HTTP/1.1 200 \r\n', ''],
  ['no reason and no blank', 'HTTP/1.1 200\r\n', ''],
  ['a reason of other bytes', 'HTTP/1.1 200 \xe4\xb8\t\r\n', '\xe4\xb8\t'],
])('%s', (_what, text, reason) => {
  expect(read(text)).toMatchObject({ status: 200, reason, fields: { headers: [] } });
});

test('HTTP/1.0 is told apart', () => {
  expect(read('HTTP/1.0 200 OK\r\n').minor).toBe(0);
});

describe('what is refused', () => {
  test.each([
    ['garbage', 'garbage\r\n'],
    ['nothing', '\r\n'],
    ['a blank before', ' HTTP/1.1 200 OK\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n'],
    ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n'],
    ['no blank after the version', 'HTTP/1.1200 OK\r\n'],
    ['two blanks', 'HTTP/1.1  200 OK\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n'],
    ['a status in hexadecimal', 'HTTP/1.1 2a0 OK\r\n'],
    ['a negative status', 'HTTP/1.1 -20 OK\r\n'],
    ['a tab before the reason', 'HTTP/1.1 200\tOK\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\x01\r\n'],
    ['a bare carriage return in the reason', 'HTTP/1.1 200 O\rK\r\n'],
    ['a bare line feed', 'HTTP/1.1 200 OK\nA: b\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n'],
  ])('%s', (_what, text) => {
    expect(() => read(text)).toThrow(HttpSyntaxError);
  });
});

test('any text is read or refused, with no other error', () => {
  const soup = fc
    .array(fc.constantFrom('HTTP/1.1', ' ', '200', '2', 'OK', '\r\n', '\r', '\n', '\0', 'A: b', ':', '\xff'))
    .map(parts => `${parts.join('')}\r\n`);
  fc.assert(
    fc.property(soup, text => {
      try {
        const { status, minor } = read(text);
        expect(text.startsWith(`HTTP/1.${minor} ${status}`)).toBe(true);
      } catch (error) {
        if (!(error instanceof HttpSyntaxError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
