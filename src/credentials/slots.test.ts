import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSlots } from './slots.ts';

/** Lets everything that waits for nothing but its turn go on. */
async function turn(): Promise<void> {
  for (let step = 0; step < 20; step += 1) await Promise.resolve();
}

test('never more than so many run at once, all are begun in order, and idle waits for the last', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }),
      async (count, endings) => {
        const slots = createSlots(count);
        const begun: number[] = [];
        const open = new Map<number, () => void>();
        const all = endings.map((_, number) =>
          slots.begin(() => {
            begun.push(number);
            return new Promise<void>(resolve => open.set(number, resolve));
          }),
        );
        let ended = false;
        for (const pick of endings) {
          await turn();
          expect(open.size).toBe(Math.min(count, endings.length - begun.length + open.size));
          expect(open.size).toBeLessThanOrEqual(count);
          const numbers = [...open.keys()];
          const number = numbers[pick % numbers.length] as number;
          open.get(number)?.();
          open.delete(number);
        }
        await Promise.all(all);
        slots.idle().then(() => {
          ended = true;
        });
        await turn();
        expect(ended).toBe(true);
        expect(begun).toEqual(endings.map((_, number) => number));
      },
    ),
  );
});

test('a task that hangs is left nothing by those that wait for room meanwhile', async () => {
  let waits = 0;
  class Counted extends Promise<undefined> {
    // biome-ignore lint/suspicious/noThenProperty: it is a promise, and tells who waits for it
    override then<A = undefined, B = never>(
      good?: ((value: undefined) => A | PromiseLike<A>) | null,
      bad?: ((reason: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      waits += 1;
      return super.then(good, bad);
    }
  }
  const slots = createSlots(2);
  await slots.begin(() => new Counted(() => {}));
  const before = waits;
  for (let task = 0; task < 50; task += 1) await slots.begin(turn);
  await turn();
  expect(waits).toBe(before);
});
