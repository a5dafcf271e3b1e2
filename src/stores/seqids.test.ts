import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSeqids, secondOfSeqid, seqidsBegin, seqidsEnd } from './seqids.ts';

const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex');
const START = Date.parse('2026-03-01T04:00:00Z');
/** From 1970 to 2106, as far as eight digits of seconds go. */
const moment = fc.integer({ min: 0, max: 2 ** 32 * 1000 - 1 });

test('an id is the second, the millisecond in it and random digits', () => {
  const digits: number[] = [];
  const newSeqid = createSeqids(bytes => {
    digits.push(bytes);
    return '1f0e2d3c4b5a';
  });
  expect(newSeqid(START)).toBe('69a3b9c0-00001f0e2d3c4b5a');
  expect(newSeqid(START + 999)).toBe('69a3b9c0-03e71f0e2d3c4b5a');
  expect(newSeqid(START + 1000.7)).toBe('69a3b9c1-00001f0e2d3c4b5a');
  expect(newSeqid(0)).toBe('00000000-00001f0e2d3c4b5a');
  expect(new Set(digits)).toEqual(new Set([6]));
});

test('ids of one moment differ', () => {
  const newSeqid = createSeqids(randomHex);
  expect(new Set(Array.from({ length: 10_000 }, () => newSeqid(START))).size).toBe(10_000);
});

test('ids sort as their calls began, whatever made them and however the clock moved between', () => {
  const newSeqid = createSeqids(randomHex);
  fc.assert(
    fc.property(moment, moment, (one, other) => {
      const [first, second] = [newSeqid(one), createSeqids(randomHex)(other)];
      expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{16}$/);
      if (one !== other) expect(first < second).toBe(one < other);
    }),
  );
});

test('the end of a moment is above every id of that second, former ones too, and below the next', () => {
  fc.assert(
    fc.property(moment, at => {
      const second = Math.floor(at / 1000);
      const former = `${second.toString(16).padStart(8, '0')}-${'f'.repeat(16)}`;
      const end = seqidsEnd(at);
      // The very last second has no end.
      if (second === 2 ** 32 - 1) return;
      expect(former < end).toBe(true);
      expect(createSeqids(randomHex)((second + 1) * 1000) > end).toBe(true);
    }),
  );
  for (const at of [-1, Number.MIN_SAFE_INTEGER]) expect(seqidsEnd(at) <= '00000000').toBe(true);
  for (const at of [2 ** 45, Number.MAX_SAFE_INTEGER]) expect(seqidsEnd(at)).toBe('ffffffff');
});

test('the beginning of a second is below all its ids, and above those before', () => {
  fc.assert(
    fc.property(moment, at => {
      const seqid = createSeqids(randomHex)(at);
      expect(seqidsBegin(at) < seqid).toBe(true);
      if (at >= 1000) expect(createSeqids(randomHex)(at - 1000) < seqidsBegin(at)).toBe(true);
    }),
  );
});

test('an id tells its second, and what is none tells nothing', () => {
  fc.assert(
    fc.property(moment, at => {
      expect(secondOfSeqid(createSeqids(randomHex)(at))).toBe(Math.floor(at / 1000));
      expect(secondOfSeqid(seqidsBegin(at))).toBe(Math.floor(at / 1000));
    }),
  );
  for (const other of ['', 'nobody', '69a3b9c', '69a3b9c01', '69A3B9C0-0', 'x69a3b9c0-0'])
    expect(secondOfSeqid(other)).toBeNaN();
});
