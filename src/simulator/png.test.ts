import { describe, expect, test } from 'vitest';
import { codePicture, encodePng } from './png.ts';
import { decodePng } from './png-decode.fixture.ts';

describe('PNG', () => {
  test('pixels come back', () => {
    const isDark = (x: number, y: number) => (x * 7 + y * 3) % 5 < 2;
    const decoded = decodePng(encodePng(19, isDark));
    expect([decoded.width, decoded.height]).toEqual([19, 19]);
    for (let y = 0; y < 19; y += 1) {
      for (let x = 0; x < 19; x += 1) expect(decoded.isDark(x, y)).toBe(isDark(x, y));
    }
  });

  test('a code has finders in three corners, a quiet edge, and depends on its text alone', () => {
    const png = codePicture('a', 410); // 10 pixels a module
    expect(codePicture('a', 410).equals(png)).toBe(true);
    expect(codePicture('b', 410).equals(png)).toBe(false);
    const { isDark } = decodePng(png);
    const row = (x: number, y: number) =>
      Array.from({ length: 9 }, (_, i) => (isDark((x + i) * 10 + 5, y * 10 + 5) ? '#' : '.')).join('');
    for (const [x, y] of [
      [3, 4],
      [29, 4],
      [3, 30],
    ] as const) {
      expect([0, 1, 2, 3, 4, 5, 6].map(i => row(x, y + i))).toEqual([
        '.#######.',
        '.#.....#.',
        '.#.###.#.',
        '.#.###.#.',
        '.#.###.#.',
        '.#.....#.',
        '.#######.',
      ]);
    }
    expect(row(0, 0)).toBe('.........');
  });
});
