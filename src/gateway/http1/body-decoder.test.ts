import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BodyDecoder } from './body-decoder.ts';
import { ChunkedBody, CountedBody, UnboundedBody } from './body-decoder.ts';
import { cutUp } from './pieces.fixture.ts';
import { HttpSyntaxError } from './syntax.ts';

interface Decoded {
  readonly body: string;
  readonly done: boolean;
  readonly refused: boolean;
  /** What came behind the body. */
  readonly rest: string;
  readonly pieces: number;
}

/** Decodes pieces of bytes that come one after the other, until the body is complete. */
function decode(decoder: BodyDecoder, pieces: readonly Buffer[]): Decoded {
  let body = '';
  let rest = '';
  let taken = 0;
  try {
    for (const piece of pieces) {
      const at = decoder.done
        ? 0
        : decoder.read(piece, 0, each => {
            taken += 1;
            expect(each.length).toBeGreaterThan(0);
            body += each.toString('latin1');
          });
      if (decoder.done) rest += piece.toString('latin1', at);
      else expect(at).toBe(piece.length);
    }
    return { body, done: decoder.done, refused: false, rest, pieces: taken };
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    return { body, done: false, refused: true, rest, pieces: taken };
  }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const chunked = (text: string): Decoded => decode(new ChunkedBody(), [bytes(text)]);

/** One chunk as some peer may write it. */
const chunk = fc
  .record({
    data: fc.string({
      unit: fc.constantFrom('a', '\r', '\n', '0', '\xff', '\0'),
      minLength: 1,
      maxLength: 40,
    }),
    zeros: fc.nat(3),
    upper: fc.boolean(),
    extension: fc.constantFrom('', '', ';a=b', ';a="b;c"'),
  })
  .map(({ data, zeros, upper, extension }) => {
    const size = data.length.toString(16);
    return {
      data,
      wire: `${'0'.repeat(zeros)}${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`,
    };
  });

test('chunks come back as they were, however they are cut up, and what follows is left', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 30 }),
      fc.constantFrom('', 'X-A: b\r\n', 'A:\r\nB: \xe9\t\r\n'),
      fc.constantFrom('', 'GET / HTTP/1.1\r\n'),
      fc.array(fc.nat(50)),
      (chunks, trailers, rest, cuts) => {
        const wire = bytes(`${chunks.map(each => each.wire).join('')}0\r\n${trailers}\r\n${rest}`);
        const expected = { body: chunks.map(each => each.data).join(''), done: true, refused: false, rest };
        expect(decode(new ChunkedBody(), cutUp(wire, cuts))).toMatchObject(expected);
        expect(decode(new ChunkedBody(), cutUp(wire, Array(wire.length).fill(1)))).toMatchObject(expected);
      },
    ),
  );
});

test('any bytes are decoded or refused alike however they are cut up, and with no other error', () => {
  const soup = fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\r',
        '\n',
        '0',
        '1',
        '5',
        'a',
        'F',
        ';',
        ';x',
        'abcde',
        ' ',
        '-',
        ':',
        'A: b',
        '\0',
      ),
      {
        maxLength: 20,
      },
    )
    .map(parts => bytes(parts.join('')));
  fc.assert(
    fc.property(soup, fc.array(fc.nat(6)), (wire, cuts) => {
      const { pieces: _, ...one } = decode(new ChunkedBody(), [Buffer.from(wire)]);
      const { pieces: __, ...other } = decode(new ChunkedBody(), cutUp(wire, cuts));
      // A refusal in the middle leaves it open how much of what came before was handed on.
      if (one.refused) expect(other.refused).toBe(true);
      else expect(other).toEqual(one);
    }),
    { numRuns: 3000 },
  );
});

test('tiny chunks that come together are handed on together', () => {
  const { body, pieces } = chunked(`${'1\r\nx\r\n'.repeat(10_000)}0\r\n\r\n`);
  expect(body).toBe('x'.repeat(10_000));
  expect(pieces).toBe(1);
});

test('large chunks are handed on without being moved', () => {
  const wire = bytes(`2710\r\n${'a'.repeat(10_000)}\r\n2710\r\n${'b'.repeat(10_000)}\r\n0\r\n\r\n`);
  const before = Buffer.from(wire);
  expect(decode(new ChunkedBody(), [wire])).toMatchObject({ pieces: 2, done: true });
  expect(wire.equals(before)).toBe(true);
});

describe('chunks that are refused', () => {
  test.each([
    ['no size', '\r\nabc'],
    ['a size that is no number', 'zz\r\nabc'],
    ['a negative size', '-1\r\n'],
    ['a signed size', '+1\r\na\r\n0\r\n\r\n'],
    ['a prefix', '0x1\r\na\r\n0\r\n\r\n'],
    ['a blank before the size', ' 1\r\na\r\n0\r\n\r\n'],
    ['a blank after the size', '1 \r\na\r\n0\r\n\r\n'],
    ['an underscore', '1_0\r\n'],
    ['a size that would overflow', 'fffffffffffffffff\r\n'],
    ['a size of 13 digits', '0000000000001\r\na\r\n0\r\n\r\n'],
    ['a size ended by a line feed alone', '1\na\r\n0\r\n\r\n'],
    ['a size ended by a carriage return alone', '1\ra\r\n0\r\n\r\n'],
    ['an extension without a name, after a size without digits', ';a\r\n'],
    ['an extension with a line feed', '1;a\nb\r\na\r\n0\r\n\r\n'],
    ['an extension with a control character', '1;a\0\r\na\r\n0\r\n\r\n'],
    ['an extension with a carriage return alone', '1;a\rb\r\na\r\n0\r\n\r\n'],
    ['data longer than said', '1\r\nab\r\n0\r\n\r\n'],
    ['data ended by a line feed alone', '1\r\na\n0\r\n\r\n'],
    ['data ended by a carriage return alone', '1\r\na\r0\r\n\r\n'],
    ['an end with a line feed alone', '0\r\n\n'],
    ['an end with a carriage return alone', '0\r\n\rA'],
    ['a trailer without a colon', '0\r\nA\r\n\r\n'],
    ['a trailer without a name', '0\r\n: b\r\n\r\n'],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
    ['a trailer with a blank before the colon', '0\r\nA : b\r\n\r\n'],
    ['a trailer with a control character', '0\r\nA: \x01\r\n\r\n'],
    ['a trailer with a line feed alone', '0\r\nA: b\nC: d\r\n\r\n'],
    ['a trailer with a carriage return alone', '0\r\nA: b\rC: d\r\n\r\n'],
    ['a long extension', `1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`],
    ['many extensions', `${'1;aaaaaaaa\r\na\r\n'.repeat(4000)}0\r\n\r\n`],
    ['long trailers', `0\r\n${'A: b\r\n'.repeat(4000)}\r\n`],
  ])('%s', (_what, wire) => {
    expect(chunked(wire)).toMatchObject({ refused: true, done: false });
    expect(decode(new ChunkedBody(), cutUp(bytes(wire), Array(wire.length).fill(1)))).toMatchObject({
      refused: true,
    });
  });
});

test('a body of known length ends there', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.nat(100), fc.array(fc.nat(20)), (length, more, cuts) => {
      const wire = bytes('x'.repeat(length) + 'y'.repeat(more));
      expect(decode(new CountedBody(length), cutUp(wire, cuts))).toMatchObject({
        body: 'x'.repeat(length),
        done: true,
        rest: 'y'.repeat(more),
      });
      expect(decode(new CountedBody(length + 1), cutUp(bytes('x'.repeat(length)), cuts)).done).toBe(false);
    }),
  );
});

test('a body without a length has no end of its own', () => {
  expect(decode(new UnboundedBody(), [bytes('ab'), bytes('c')])).toMatchObject({ body: 'abc', done: false });
  const offset = new UnboundedBody();
  const taken: string[] = [];
  expect(offset.read(bytes('head body'), 5, piece => taken.push(piece.toString()))).toBe(9);
  expect(taken).toEqual(['body']);
});
