import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { createMemoryBlocks, type KeptBytes } from './memory-blocks.ts';

const contentOf = (kept: KeptBytes): Buffer => Buffer.concat(kept.pieces());

test('each keeper has what it was given, whatever others keep and let go', () => {
  const step = fc.record({
    keeper: fc.nat(3),
    size: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 60_000, max: 200_000 })),
    releases: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), steps => {
      const memory = createMemoryBlocks(manualClock());
      const keepers = Array.from({ length: 4 }, () => ({ kept: memory.keep(), given: Buffer.alloc(0) }));
      for (const [n, { keeper, size, releases }] of steps.entries()) {
        const one = keepers[keeper] as (typeof keepers)[number];
        if (releases) {
          one.kept.release();
          one.given = Buffer.alloc(0);
        }
        const bytes = Buffer.alloc(size, n + 1);
        one.kept.append(bytes);
        one.given = Buffer.concat([one.given, bytes]);
        bytes.fill(0);
        for (const { kept, given } of keepers) {
          expect(kept.size()).toBe(given.length);
          expect(contentOf(kept).equals(given)).toBe(true);
        }
      }
      memory.close();
    }),
    { numRuns: 40 },
  );
});

/** The memory that the first byte of a further keeper lies in, without keeping it. */
function memoryOf(kept: KeptBytes): ArrayBufferLike {
  kept.append(Buffer.from('x'));
  return (kept.pieces()[0] as Buffer).buffer;
}

test('memory is used again, until nobody has used it for a while', async () => {
  const clock = manualClock();
  const memory = createMemoryBlocks(clock);
  const kept = memory.keep();
  const first = memoryOf(kept);
  expect(memoryOf(memory.keep())).not.toBe(first);
  kept.release();
  await clock.advance(20_000);
  expect(memoryOf(kept)).toBe(first);
  kept.release();
  // It was used meanwhile.
  await clock.advance(20_000);
  expect(memoryOf(kept)).toBe(first);
  kept.release();
  await clock.advance(30_000);
  expect(clock.sleepers()).toBe(0);
  expect(memoryOf(kept)).not.toBe(first);
});

test('nothing stands by or is watched once it is closed', async () => {
  const clock = manualClock();
  const memory = createMemoryBlocks(clock);
  const [one, two] = [memory.keep(), memory.keep()];
  const first = memoryOf(one);
  const second = memoryOf(two);
  one.release();
  memory.close();
  two.release();
  await clock.advance(0);
  expect(clock.sleepers()).toBe(0);
  const third = memoryOf(memory.keep());
  expect([first, second]).not.toContain(third);
});
