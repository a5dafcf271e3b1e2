import type { CliContext } from './context.ts';

/** How many rows lie between two words of progress. */
const EVERY = 100_000;

/** Tells on standard error how far a long command is, given the count so far. */
export function progress(context: CliContext, what: string): (count: number) => void {
  let next = EVERY;
  return count => {
    if (count < next) return;
    context.err(`${count} ${what}`);
    next = count - (count % EVERY) + EVERY;
  };
}
