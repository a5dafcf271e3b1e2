import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFields } from './fields.ts';
import { HttpSyntaxError } from './syntax.ts';

const read = (...lines: string[]) => {
  const text = lines.map(line => `${line}\r\n`).join('');
  return readFields(text, 0, text.length);
};

const token = fc.string({
  unit: fc.constantFrom(..."!#$%&'*+-.^_`|~019ABCXYZabcxyz"),
  minLength: 1,
  maxLength: 20,
});
/** A value as the reader gives it back: no blanks around it. */
const value = fc
  .string({
    unit: fc
      .oneof(fc.constant(9), fc.integer({ min: 0x20, max: 0xff }))
      .filter(code => code !== 0x7f)
      .map(code => String.fromCharCode(code)),
    maxLength: 30,
  })
  .map(text => text.replace(/^[ \t]+|[ \t]+$/g, ''));
const blanks = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });

test('lists names and values with case, order and duplicates, without the blanks around values', () => {
  const plain = token.filter(name => ![6, 10, 14, 17].includes(name.length));
  fc.assert(
    fc.property(fc.array(fc.tuple(plain, blanks, value, blanks)), lines => {
      const fields = read(...lines.map(([name, before, text, after]) => `${name}:${before}${text}${after}`));
      expect(fields.headers).toEqual(lines.flatMap(([name, , text]) => [name, text]));
      expect(fields).toMatchObject({ length: -1, chunked: false, closes: false, keepsAlive: false });
    }),
  );
});

test('any text either gives a list that writes the same fields, or is refused with an error of its own', () => {
  const soup = fc
    .array(
      fc.constantFrom(
        ...['\r', '\n', '\r\n', ' ', '\t', ':', ',', '\0', '\x7f', '\x0b', '\xe9', 'A', 'B: c', '\r\n '],
        ...['Content-Length: 1', 'content-length:2', 'Transfer-Encoding: chunked', 'TRANSFER-ENCODING:x'],
        ...['Connection: close', 'connection: keep-alive'],
      ),
      { maxLength: 12 },
    )
    .map(parts => `${parts.join('')}\r\n`);
  fc.assert(
    fc.property(soup, text => {
      try {
        const { headers, length, chunked } = readFields(text, 0, text.length);
        const lines: string[] = [];
        for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}:${headers[i + 1]}\r\n`);
        const plain = text.replace(/^([^:\r]*):[ \t]*/gm, '$1:').replace(/[ \t]+\r\n/g, '\r\n');
        expect(lines.join('')).toBe(plain);
        for (const char of ['\0', '\x0b', '\x7f']) expect(plain).not.toContain(char);
        expect(chunked && length !== -1).toBe(false);
      } catch (error) {
        if (!(error instanceof HttpSyntaxError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

describe('the body', () => {
  test.each([
    ['Content-Length: 0', 0],
    ['content-length:  12\t', 12],
    ['CONTENT-LENGTH: 007', 7],
    ['Content-Length: 999999999999999', 999_999_999_999_999],
  ])('%j', (line, length) => {
    expect(read(line)).toMatchObject({ length, chunked: false });
  });

  test('in chunks', () => {
    expect(read('Transfer-Encoding: Chunked')).toMatchObject({ length: -1, chunked: true });
  });
});

describe('what is refused', () => {
  test.each([
    ['two lengths', 'Content-Length: 3', 'content-length: 4'],
    ['the same length twice', 'Content-Length: 3', 'Content-Length: 3'],
    ['a list of lengths', 'Content-Length: 3, 3'],
    ['a signed length', 'Content-Length: +3'],
    ['a negative length', 'Content-Length: -3'],
    ['a hexadecimal length', 'Content-Length: 0x3'],
    ['a length with a blank in it', 'Content-Length: 3 3'],
    ['an empty length', 'Content-Length:'],
    ['a length that is no exact number', 'Content-Length: 9999999999999999'],
    ['a length and chunks', 'Content-Length: 3', 'Transfer-Encoding: chunked'],
    ['chunks and a length', 'Transfer-Encoding: chunked', 'Content-Length: 3'],
    ['chunks twice', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['another coding', 'Transfer-Encoding: gzip'],
    ['a coding before chunks', 'Transfer-Encoding: gzip, chunked'],
    ['chunks before a coding', 'Transfer-Encoding: chunked, gzip'],
    ['a coding hidden by a character', 'Transfer-Encoding: \x0bchunked'],
    ['identity', 'Transfer-Encoding: identity'],
    ['an empty coding', 'Transfer-Encoding:'],
    ['quoted chunks', 'Transfer-Encoding: "chunked"'],
    ['a parameter on chunks', 'Transfer-Encoding: chunked;x=1'],
    ['a folded line', 'A: b', ' c'],
    ['a line folded with a tab', 'A: b', '\tc'],
    ['a blank before the first header', ' A: b'],
    ['a blank before the colon', 'A : b'],
    ['a tab before the colon', 'Content-Length\t: 3'],
    ['no name', ': b'],
    ['no colon', 'A'],
    ['an empty line among them', 'A: b', '', 'C: d'],
    ['a bare line feed', 'A: b\nC: d'],
    ['a bare carriage return', 'A: b\rC: d'],
    ['NUL', 'A: b\0'],
    ['a control character', 'A: \x01'],
    ['DEL', 'A: \x7f'],
    ['a byte over ASCII in a name', 'A\xe9: b'],
    ['a quote in a name', 'A"B: c'],
  ])('%s', (_what, ...lines) => {
    expect(() => read(...lines)).toThrow(HttpSyntaxError);
  });
});

describe('the connection', () => {
  test.each([
    ['close', true, false],
    ['Close', true, false],
    ['keep-alive', false, true],
    ['Keep-Alive, X-A', false, true],
    ['x-a ,\tclose', true, false],
    ['close, keep-alive', true, true],
    ['closed', false, false],
    ['', false, false],
  ])('%j', (text, closes, keepsAlive) => {
    expect(read(`Connection: ${text}`)).toMatchObject({ closes, keepsAlive });
  });

  test('in several lines', () => {
    expect(read('Connection: x', 'connection: close')).toMatchObject({ closes: true });
  });

  test.each([
    ['timeout=5', 5],
    ['max=100, timeout=60', 60],
    ['Timeout=7', 7],
    ['timeout=x', -1],
    ['mytimeout=5', -1],
    ['', -1],
  ])('kept for %j', (text, idleSeconds) => {
    expect(read(`Keep-Alive: ${text}`)).toMatchObject({ idleSeconds });
  });

  test.each([
    ['100-continue', true],
    ['100-Continue', true],
    ['miracles', false],
  ])('expects %j', (text, awaitsContinue) => {
    expect(read(`Expect: ${text}`)).toMatchObject({ awaitsContinue });
  });
});
