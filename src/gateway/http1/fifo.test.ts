import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from './fifo.ts';

test('gives back in order what was put in, whatever the order of putting and taking', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -150, max: 150 }), { maxLength: 30 }), steps => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      let next = 0;
      for (const step of steps) {
        for (let i = 0; i < step; i += 1) {
          fifo.push(next);
          model.push(next);
          next += 1;
        }
        for (let i = 0; i > step; i -= 1) expect(fifo.shift()).toBe(model.shift());
      }
      while (model.length > 0) expect(fifo.shift()).toBe(model.shift());
      expect(fifo.shift()).toBeUndefined();
    }),
  );
});
