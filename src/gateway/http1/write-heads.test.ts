import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../call.ts';
import { createDateHeader } from './date-header.ts';
import { readRequestHead } from './request-head.ts';
import { readResponseHead } from './response-head.ts';
import type { AnswerFraming } from './write-answer-head.ts';
import { writeAnswerHead } from './write-answer-head.ts';
import { writeRequestHead } from './write-request-head.ts';

function answer(change: Partial<Answer> = {}): Answer {
  return {
    status: 200,
    reason: undefined,
    headers: [],
    contentType: '',
    contentEncoding: '',
    body: undefined,
    ...change,
  };
}

const FRAMING: AnswerFraming = {
  connection: 'connection: keep-alive\r\n',
  mayChunk: true,
  bodiless: false,
  date: () => 'today',
};

describe('the head of an answer', () => {
  test('is one that a strict reader reads as it was meant', () => {
    const headers = ['X-A', '1', 'x-a', '2', 'Set-Cookie', 'caf\xe9', 'Content-Length', '3'];
    const { text, bodyEnd } = writeAnswerHead(
      answer({ status: 299, reason: 'Quite Fine', headers, body: Buffer.from('abc') }),
      FRAMING,
    );
    expect(bodyEnd).toBe('counted');
    expect(readResponseHead(text, text.length - 2)).toMatchObject({
      status: 299,
      reason: 'Quite Fine',
      fields: { headers: [...headers, 'date', 'today', 'connection', 'keep-alive'], length: 3 },
    });
  });

  test.each<[string, Partial<Answer>, Partial<AnswerFraming>, string, string]>([
    ['a body of known size', { body: Buffer.from('abc') }, {}, 'content-length: 3', 'counted'],
    ['no body', {}, {}, 'content-length: 0', 'counted'],
    ['a stream', { body: Readable.from([]) }, {}, 'transfer-encoding: chunked', 'chunked'],
    ['a stream for HTTP/1.0', { body: Readable.from([]) }, { mayChunk: false }, 'connection: close', 'close'],
    [
      'a stream whose length is told',
      { body: Readable.from([]), headers: ['CONTENT-LENGTH', '9'] },
      { mayChunk: false },
      'CONTENT-LENGTH: 9',
      'counted',
    ],
  ])('frames %s', (_what, change, framing, line, bodyEnd) => {
    const written = writeAnswerHead(answer(change), { ...FRAMING, ...framing });
    expect(written.text.split('\r\n')).toContain(line);
    expect(written.text.match(/content-length|transfer-encoding/gi) ?? []).toHaveLength(
      bodyEnd === 'close' ? 0 : 1,
    );
    expect(written.text.match(/connection: /gi)).toHaveLength(1);
    expect(written.bodyEnd).toBe(bodyEnd);
  });

  test('without a body adds no framing, and 204 loses what it had', () => {
    const head = writeAnswerHead(answer({ headers: ['content-length', '12345'] }), {
      ...FRAMING,
      bodiless: true,
    });
    expect(head.text).toContain('content-length: 12345\r\n');
    const none = writeAnswerHead(answer({ status: 304 }), { ...FRAMING, bodiless: true });
    expect(none.text).not.toMatch(/content-length/i);
    const emptied = writeAnswerHead(answer({ status: 204, headers: ['Content-Length', '5'] }), {
      ...FRAMING,
      bodiless: true,
    });
    expect(emptied.text).not.toMatch(/content-length/i);
  });

  test('has the usual reason, or none where there is no usual one', () => {
    expect(writeAnswerHead(answer({ status: 404 }), FRAMING).text).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(writeAnswerHead(answer({ status: 299 }), FRAMING).text).toMatch(/^HTTP\/1\.1 299 \r\n/);
  });

  test('has one date', () => {
    expect(writeAnswerHead(answer(), FRAMING).text).toContain('\r\ndate: today\r\n');
    expect(writeAnswerHead(answer({ headers: ['Date', 'then'] }), FRAMING).text.match(/date: .*/gi)).toEqual([
      'Date: then',
    ]);
  });
});

describe('the head of a request', () => {
  const lines = { method: 'GET', target: '/wxa/x?a=1', host: 'a:80', headers: ['X-A', '1', 'x-a', '2'] };

  test('is one that a strict reader reads as it was meant', () => {
    const text = writeRequestHead({ ...lines, method: 'POST', framing: 7 });
    expect(readRequestHead(text, text.length - 2)).toMatchObject({
      method: 'POST',
      target: '/wxa/x?a=1',
      minor: 1,
      fields: {
        headers: ['host', 'a:80', 'connection', 'keep-alive', 'X-A', '1', 'x-a', '2', 'content-length', '7'],
        length: 7,
      },
    });
  });

  test.each([
    ['GET', 'none', undefined],
    ['HEAD', 'none', undefined],
    ['DELETE', 'none', undefined],
    ['POST', 'none', 'content-length: 0'],
    ['PUT', 'none', 'content-length: 0'],
    ['PATCH', 'none', 'content-length: 0'],
    ['GET', 3, 'content-length: 3'],
    ['POST', 'chunked', 'transfer-encoding: chunked'],
  ] as const)('%s with a body of %s', (method, framing, line) => {
    const found = writeRequestHead({ ...lines, method, framing })
      .split('\r\n')
      .filter(each => /content-length|transfer-encoding/.test(each));
    expect(found).toEqual(line === undefined ? [] : [line]);
  });
});

test('the date changes with the second and not before', () => {
  let now = Date.parse('1994-11-06T08:49:37.000Z');
  const date = createDateHeader(() => now);
  expect(date()).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
  now += 999;
  expect(date()).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
  now += 1;
  expect(date()).toBe('Sun, 06 Nov 1994 08:49:38 GMT');
});
