import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandomHex } from './random-hex.ts';

test('gives as many digits as asked for, and none of them twice', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4096 }), { maxLength: 20 }), sizes => {
      const randomHex = createRandomHex();
      const given = sizes.map(bytes => {
        const digits = randomHex(bytes);
        expect(digits).toMatch(/^[0-9a-f]*$/);
        expect(digits).toHaveLength(2 * bytes);
        return digits;
      });
      // Eight bytes that come twice by chance would be seen once in the age of the universe.
      const pieces = given.flatMap(digits => digits.match(/.{16}/g) ?? []);
      expect(new Set(pieces).size).toBe(pieces.length);
    }),
  );
});

test('two sources have nothing in common', () => {
  expect(createRandomHex()(16)).not.toBe(createRandomHex()(16));
});

test('more than there is at once is refused', () => {
  expect(() => createRandomHex()(4097)).toThrow('at most 4096 random bytes at once, not 4097');
});
