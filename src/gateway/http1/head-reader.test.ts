import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeadReader } from './head-reader.ts';
import { cutUp } from './pieces.fixture.ts';
import { HttpSyntaxError } from './syntax.ts';

const LIMIT = 256;

interface Reading {
  /** The heads found, without the blank line at their end. */
  readonly heads: string[];
  /** What has begun and is not complete. */
  readonly begun: boolean;
  readonly refused: boolean;
  readonly tooLarge: boolean;
}

/** Reads every head in pieces of bytes that come one after the other. */
function readAll(pieces: readonly Buffer[], skipsEmptyLine = true): Reading {
  const reader = new HeadReader({ limit: LIMIT, skipsEmptyLine });
  const heads: string[] = [];
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length && reader.read(piece, at); at = reader.next)
        heads.push(reader.text.slice(0, reader.end));
    }
    return { heads, begun: reader.begun, refused: false, tooLarge: false };
  } catch (error) {
    expect(error).toBeInstanceOf(HttpSyntaxError);
    return { heads, begun: false, refused: true, tooLarge: (error as HttpSyntaxError).headTooLarge };
  }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A line that a head may have, whatever it means. */
const line = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter(code => code !== 0x7f)
    .map(code => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 20,
});
const head = fc.array(line, { minLength: 1, maxLength: 5 }).map(lines => `${lines.join('\r\n')}\r\n`);

test('heads are found whole however they are cut up, and what follows is left', () => {
  fc.assert(
    fc.property(
      fc.array(head, { maxLength: 4 }),
      fc.array(fc.nat(400)),
      fc.boolean(),
      (heads, cuts, blank) => {
        const before = blank ? '\r\n' : '';
        const stream = bytes(heads.map(each => `${before}${each}\r\n`).join(''));
        expect(readAll(cutUp(stream, cuts))).toEqual({
          heads,
          begun: false,
          refused: false,
          tooLarge: false,
        });
      },
    ),
  );
});

describe('refuses, as soon as it shows,', () => {
  test.each([
    ['a line feed alone', 'GET / HTTP/1.1\n'],
    ['a carriage return alone', 'GET / HTTP/1.1\rA'],
    ['a carriage return alone at the start', '\rA'],
    ['a control character', 'GET / HTTP/1.1\r\nA: \x01'],
    ['NUL', '\0'],
    ['DEL', 'A\x7f'],
    ['two empty lines before', '\r\n\r\n'],
  ])('%s', (_what, text) => {
    expect(readAll([...bytes(text)].map(byte => Buffer.from([byte])))).toMatchObject({
      refused: true,
      tooLarge: false,
    });
    expect(readAll([bytes(text)])).toMatchObject({ refused: true, tooLarge: false });
  });

  test.each([1, 7, 64, 1000])('a head over the limit, in pieces of %i', size => {
    const fits = bytes(`A: ${'b'.repeat(LIMIT - 7)}\r\n\r\n`);
    expect(fits).toHaveLength(LIMIT);
    expect(readAll(cutUp(fits, [size, size, size])).refused).toBe(false);
    const over = bytes(`A: ${'b'.repeat(LIMIT - 6)}\r\n\r\n`);
    expect(readAll(cutUp(over, Array(300).fill(size)))).toMatchObject({ refused: true, tooLarge: true });
    expect(readAll([bytes('x'.repeat(LIMIT + 1))])).toMatchObject({ refused: true, tooLarge: true });
  });
});

test('an empty line is skipped only where it may be', () => {
  const stream = bytes('\r\nA: b\r\n\r\n');
  expect(readAll([stream], true).heads).toEqual(['A: b\r\n']);
  expect(readAll([stream, stream], true).heads).toEqual(['A: b\r\n', 'A: b\r\n']);
  expect(
    readAll(
      [...stream].map(byte => Buffer.from([byte])),
      false,
    ).refused,
  ).toBe(true);
});

test('an empty line alone is no head that has begun', () => {
  expect(readAll([bytes('\r\n')]).begun).toBe(false);
  expect(readAll([bytes('\r'), bytes('\n')]).begun).toBe(false);
  expect(readAll([bytes('\r\nG')]).begun).toBe(true);
});
