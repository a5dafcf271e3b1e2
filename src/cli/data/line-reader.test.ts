import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Line, readLines } from './line-reader.ts';

async function linesOf(chunks: readonly Uint8Array[], maxBytes = 100): Promise<Line[]> {
  async function* source() {
    yield* chunks;
  }
  const lines: Line[] = [];
  for await (const line of readLines(source(), maxBytes)) lines.push(line);
  return lines;
}

test('lines are the same however the text comes in chunks', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', '五', '😀', ' ', '\t', '"'), maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.constantFrom('\n', '\r\n'),
      fc.array(fc.nat(200)),
      fc.boolean(),
      async (lines, newline, cuts, ended) => {
        const bytes = Buffer.from(lines.join(newline) + (ended ? newline : ''));
        const bounds = [0, ...cuts.map(cut => Math.min(cut, bytes.length)).toSorted((a, b) => a - b)];
        const chunks = bounds.map((from, at) => bytes.subarray(from, bounds[at + 1] ?? bytes.length));
        expect(await linesOf(chunks)).toEqual(
          lines.map((text, at) => ({ number: at + 1, text: text.trim() })).filter(({ text }) => text !== ''),
        );
      },
    ),
  );
});

test('a byte order mark is no part of the text', async () => {
  expect(await linesOf([Buffer.from('\u{feff}{}\n')])).toEqual([{ number: 1, text: '{}' }]);
});

test('a line that is too long or not UTF-8 is passed over, and no other', async () => {
  const long = Buffer.from('x'.repeat(11));
  const chunks = ['1\n', '1234567890\n', long, '\n', long, long, '\n', [0xff, 0x0a], '7', '\n', long];
  const lines = await linesOf(
    chunks.map(chunk => Buffer.from(chunk)),
    10,
  );
  expect(lines).toEqual([
    { number: 1, text: '1' },
    { number: 2, text: '1234567890' },
    { number: 3, fault: 'is longer than 10 bytes' },
    { number: 4, fault: 'is longer than 10 bytes' },
    { number: 5, fault: 'is not UTF-8' },
    { number: 6, text: '7' },
    { number: 7, fault: 'is longer than 10 bytes' },
  ]);
});

test('nothing holds no lines', async () => {
  expect(await linesOf([])).toEqual([]);
  expect(await linesOf([Buffer.from('\n\r\n  \n')])).toEqual([]);
});
