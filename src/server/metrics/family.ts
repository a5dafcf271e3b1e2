import type { Metric, Registry } from 'prom-client';

/** One value of a family. `name` is given where it differs from the family's, as in a histogram. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly name?: string;
}

/**
 * Metrics of one name. `samples` is a pure reading of what was counted elsewhere, so that counting costs
 * an addition and scrapes at the same time cannot disturb one another.
 */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Names of its labels; `le` of histograms is understood. */
  readonly labels: readonly string[];
  samples(): Iterable<Sample> | Promise<Iterable<Sample>>;
}

/** Enters families in a registry. Throws when a name is taken. */
export function register(registry: Registry, families: Iterable<Family>): void {
  for (const { name, help, type, samples } of families) {
    const metric = {
      name,
      help,
      type,
      async get() {
        const values = [];
        for (const sample of await samples())
          values.push({ labels: sample.labels ?? {}, value: sample.value, metricName: sample.name ?? name });
        return { name, help, type, values, aggregator: 'sum' };
      },
    };
    // The registry reads no more of a metric than this; its own classes look labels up at every count.
    registry.registerMetric(metric as unknown as Metric);
  }
}

/** Upper bounds in seconds: from a cached answer to the longest call the gateway allows by default. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const BOUNDS_MS = Float64Array.from(BOUNDS, seconds => seconds * 1000);

/** Durations counted by size. */
export interface Durations {
  readonly counts: Float64Array;
  sumMs: number;
}

/** No durations yet. */
export function newDurations(): Durations {
  return { counts: new Float64Array(BOUNDS.length + 1), sumMs: 0 };
}

/** Counts one duration, in milliseconds. */
export function observe(durations: Durations, ms: number): void {
  // A clock that was set back must not make a sum of durations go down.
  const duration = ms > 0 ? ms : 0;
  let at = 0;
  while (at < BOUNDS.length && duration > (BOUNDS_MS[at] as number)) at += 1;
  durations.counts[at] = (durations.counts[at] as number) + 1;
  durations.sumMs += duration;
}

/** The samples of one histogram of the family `name`, in seconds. */
export function* histogramSamples(
  name: string,
  labels: Readonly<Record<string, string>>,
  { counts, sumMs }: Durations,
): Generator<Sample> {
  let upTo = 0;
  for (const [at, bound] of [...BOUNDS, '+Inf'].entries()) {
    upTo += counts[at] ?? 0;
    yield { name: `${name}_bucket`, labels: { ...labels, le: bound }, value: upTo };
  }
  yield { name: `${name}_sum`, labels, value: sumMs / 1000 };
  yield { name: `${name}_count`, labels, value: upTo };
}
