import type { UsageCounts } from './store.ts';

/** Sums over no call at all. */
export const NO_USAGE: UsageCounts = {
  calls: 0,
  errors: 0,
  refused: 0,
  replayed: 0,
  requestBytes: 0,
  answerBytes: 0,
};
