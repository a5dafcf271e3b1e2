/** One figure of the report. */
export interface Metric {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  /** Whether more of it is better, as with throughput, or less, as with time. */
  readonly better: 'more' | 'less';
}

const throughput = (title: string): Metric => ({ title, unit: 'req/s', digits: 0, better: 'more' });
const cost = (title: string): Metric => ({ title, unit: 'µs', digits: 1, better: 'less' });
const wait = (title: string): Metric => ({ title, unit: 'ms', digits: 2, better: 'less' });
const memory = (title: string): Metric => ({ title, unit: 'MiB', digits: 0, better: 'less' });
const rate = (title: string): Metric => ({ title, unit: 'MiB/s', digits: 0, better: 'more' });
const bodyCost = (title: string): Metric => ({ title, unit: 'ms', digits: 1, better: 'less' });

/** All figures, in the order of the report. */
export const METRICS = {
  getRate: throughput('small GET, saturated'),
  getCpu: cost('  processor time per request'),
  getCore: { title: '  share of one core used', unit: '%', digits: 0, better: 'less' },
  postRate: throughput('small JSON POST, saturated'),
  postCpu: cost('  processor time per request'),
  tlsRate: throughput('small GET, TLS upstream, saturated'),
  tlsCpu: cost('  processor time per request'),
  p50: wait('latency at the fixed rate, p50'),
  p99: wait('latency at the fixed rate, p99'),
  addedP50: wait('  added to a direct call, p50'),
  addedP99: wait('  added to a direct call, p99'),
  late: wait('  lateness of the generator itself, p99'),
  pacedCpu: cost('  processor time per request'),
  upPlain: rate('32 MiB requests'),
  upPlainCpu: bodyCost('  processor time per body'),
  downPlain: rate('32 MiB answers'),
  downPlainCpu: bodyCost('  processor time per body'),
  upTls: rate('32 MiB requests, TLS upstream'),
  upTlsCpu: bodyCost('  processor time per body'),
  downTls: rate('32 MiB answers, TLS upstream'),
  downTlsCpu: bodyCost('  processor time per body'),
  startMs: { title: 'start until the first 200', unit: 'ms', digits: 0, better: 'less' },
  rssIdle: memory('memory, idle after start'),
  rssLoad: memory('memory, most under small calls'),
  rssBodies: memory('memory, most under 32 MiB bodies'),
  rssAfter: memory('memory, idle after each round'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;

/** Figures of all rounds: metric, then peer, then one value a round. */
export class Figures<Name extends string = MetricName> {
  readonly #values = new Map<Name, Map<string, number[]>>();

  add(metric: Name, peer: string, value: number): void {
    const byPeer = this.#values.get(metric) ?? new Map<string, number[]>();
    this.#values.set(metric, byPeer);
    byPeer.set(peer, [...(byPeer.get(peer) ?? []), value]);
  }

  of(metric: Name, peer: string): readonly number[] {
    return this.#values.get(metric)?.get(peer) ?? [];
  }

  /** Plain objects, for JSON. */
  toJSON(): Record<string, Record<string, number[]>> {
    return Object.fromEntries(
      [...this.#values].map(([metric, byPeer]) => [metric, Object.fromEntries(byPeer)]),
    );
  }
}
