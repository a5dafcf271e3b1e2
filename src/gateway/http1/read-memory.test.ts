import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadMemory } from './read-memory.ts';

const SIZE = 64;

test('whatever is read and whenever it is done with, no memory is read into again that is still needed', () => {
  const read = fc.record({
    size: fc.integer({ min: 1, max: SIZE }),
    /** How much of what is needed is done with after it. */
    done: fc.double({ min: 0, max: 1, noNaN: true }),
    ends: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(read, { maxLength: 60 }), reads => {
      const memory = new ReadMemory(Buffer.alloc(SIZE), SIZE);
      let lent: { readonly piece: Buffer; readonly byte: number; readonly end: number }[] = [];
      let received = 0;
      let spent = 0;
      for (const [n, { size, done, ends }] of reads.entries()) {
        const bytes = memory.current.subarray(0, size).fill(n);
        received += size;
        if (memory.lends(bytes)) {
          memory.lent(received);
          lent.push({ piece: bytes, byte: n, end: received });
        }
        for (const { piece, byte } of lent) expect(piece.every(each => each === byte)).toBe(true);
        spent += Math.floor((received - spent) * done);
        lent = lent.filter(({ end }) => end > spent);
        if (ends) memory.reset();
        else memory.provide(spent);
        // A new body is counted from its own beginning.
        if (ends) {
          received = 0;
          spent = 0;
          lent = [];
        }
      }
    }),
  );
});

test('memory that is common to all is never lent, and a connection goes back to it', () => {
  const common = Buffer.alloc(SIZE);
  const memory = new ReadMemory(common, SIZE);
  expect(memory.current).toBe(common);
  expect(memory.lends(common)).toBe(false);
  memory.provide(0);
  expect(memory.current).not.toBe(common);
  memory.reset();
  expect(memory.current).toBe(common);
});

test('a body whose pieces are done with at once is read into one piece of memory', () => {
  const memory = new ReadMemory(Buffer.alloc(SIZE), SIZE);
  memory.provide(0);
  const first = memory.current;
  for (let received = SIZE; received < 100 * SIZE; received += SIZE) {
    expect(memory.lends(memory.current)).toBe(true);
    memory.lent(received);
    memory.provide(received);
    expect(memory.current).toBe(first);
  }
});
