import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the heap's young generation small while the program starts. Starting makes garbage once; a young
 * generation that grew for it never shrinks, and an idle bridge would hold 15 MiB more for good. V8 reads
 * the factor whenever it thinks of growing, so that it can be changed while the program runs.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Lets it grow again, as calls want it to: garbage that dies young costs next to nothing. */
export function letYoungGenerationGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
