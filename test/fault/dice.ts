import { seededRandom } from '../support/temporary.ts';

/** Random choices that are the same whenever the seed is. */
export interface Dice {
  /** In [0, 1). */
  unit(): number;
  /** In [least, most). */
  between(least: number, most: number): number;
  /** One of a list; undefined when it is empty. */
  pick<T>(list: readonly T[]): T | undefined;
  shuffled<T>(list: readonly T[]): readonly T[];
}

export function createDice(seed: number): Dice {
  const unit = seededRandom(seed);
  return {
    unit,
    between: (least, most) => least + unit() * (most - least),
    pick: list => list[Math.floor(unit() * list.length)],
    shuffled(list) {
      const keyed = list.map(item => ({ item, key: unit() }));
      return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
    },
  };
}
