import { createDice } from './dice.ts';

/** One thing that is to be broken. */
export interface Step {
  /** Milliseconds after the storm's beginning. */
  readonly atMs: number;
  readonly kind: string;
  /** Seed of this step's own choices, which therefore do not depend on how long earlier ones took. */
  readonly seed: number;
}

/** What a script is made from. */
export interface ScriptOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Mean pause between two steps. */
  readonly everyMs: number;
  readonly kinds: readonly string[];
}

/**
 * Writes the whole script beforehand, from the seed alone. Kinds are dealt like cards, so that each comes
 * once before any comes twice.
 */
export function scriptOf({ seed, durationMs, everyMs, kinds }: ScriptOptions): readonly Step[] {
  const dice = createDice(seed);
  const steps: Step[] = [];
  let deck: string[] = [];
  for (let atMs = 0; ; ) {
    atMs += everyMs * dice.between(0.3, 1.7);
    if (atMs >= durationMs) return steps;
    if (deck.length === 0) deck = [...dice.shuffled(kinds)];
    const kind = deck.pop();
    if (kind === undefined) return steps;
    steps.push({ atMs: Math.round(atMs), kind, seed: Math.floor(dice.unit() * 2 ** 31) });
  }
}
