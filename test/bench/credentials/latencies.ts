/** Each class of durations is this much wider than the one before: percentiles are within half a percent. */
const STEP = Math.log(1.01);

/** The shortest duration told from others, in microseconds. */
const LEAST_US = 0.01;

const CLASSES = 2500;

/**
 * Durations, counted by class: millions of them take no more memory than none, so that keeping them does
 * not show in the memory that is measured.
 */
export class Latencies {
  readonly #counts = new Float64Array(CLASSES);
  #total = 0;

  /** Counts a duration in microseconds. */
  add(us: number): void {
    const index = Math.round(Math.log(Math.max(us, LEAST_US) / LEAST_US) / STEP);
    const place = Math.min(index, CLASSES - 1);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#total += 1;
  }

  /** The duration in microseconds that `share` of all are at or below; NaN of none. */
  percentile(share: number): number {
    let left = Math.max(1, this.#total * share);
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return LEAST_US * Math.exp(index * STEP);
    }
    return Number.NaN;
  }
}
