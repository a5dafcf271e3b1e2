import type { Figures, MetricName } from './metrics.ts';
import { median } from './stats.ts';

/** Something the gateway has to reach, and whether it did. */
export interface Verdict {
  readonly target: string;
  readonly measured: string;
  /** Undefined when what it is compared with was not measured. */
  readonly met: boolean | undefined;
}

const GATEWAY = 'gateway';
const NGINX = 'nginx';
const LIBRARIES = ['http-proxy-3', 'fastify-http-proxy'] as const;

/**
 * The middle of the ratios of each round: both sides of a round ran next to each other, so what else the
 * machine did then mostly cancels out.
 */
export function ratio<Name extends string>(
  figures: Figures<Name>,
  metric: Name,
  peer: string,
  base: string,
): number {
  return median(perRound(figures, metric, peer, base, (value, over) => value / over));
}

/** Holds the gateway's figures against its targets. */
export function judge(figures: Figures): readonly Verdict[] {
  // What one core carries is one over what a request takes of it, and other work on the machine does not
  // change that; the rate that was reached depends on how much of the core was left for it.
  const carries = (name: string, rate: MetricName, cpu: MetricName, base: string, least: number): Verdict => {
    const value = 1 / ratio(figures, cpu, GATEWAY, base);
    const byRate = ratio(figures, rate, GATEWAY, base).toFixed(2);
    const target = `${name} a core carries: at least ${least.toFixed(1)} of ${base}`;
    return verdict(target, value, value >= least, `${value.toFixed(2)} (${byRate} by rate)`);
  };
  const moves = (name: string, metric: MetricName): Verdict => {
    const value = ratio(figures, metric, GATEWAY, NGINX);
    return verdict(`${name}: at least 0.5 of nginx`, value, value >= 0.5, value.toFixed(2));
  };
  const most = (target: string, value: number, limit: number, unit: string, digits: number): Verdict =>
    verdict(target, value, value <= limit, `${value.toFixed(digits)} ${unit}`);

  const overNginx = median(perRound(figures, 'p99', GATEWAY, NGINX, (value, other) => value - other));
  const underLoad = figures.of('rssLoad', GATEWAY);
  const after = figures.of('rssAfter', GATEWAY);
  const growth = (after.at(-1) ?? Number.NaN) / (after[0] ?? Number.NaN);
  return [
    carries('small GETs', 'getRate', 'getCpu', NGINX, 0.4),
    carries('small POSTs', 'postRate', 'postCpu', NGINX, 0.4),
    ...LIBRARIES.flatMap(library => [
      carries('small GETs', 'getRate', 'getCpu', library, 2),
      carries('small POSTs', 'postRate', 'postCpu', library, 2),
    ]),
    most('p99 at the fixed rate: at most 1 ms over nginx', overNginx, 1, 'ms over', 2),
    // 120 MB, which is what the target says.
    most('memory idle: at most 114 MiB', median(figures.of('rssIdle', GATEWAY)), 114, 'MiB', 0),
    most('memory under small calls: at most 200 MiB', Math.max(...underLoad), 200, 'MiB', 0),
    most('memory after the last round: at most 1.25 of after the first', growth, 1.25, 'times', 2),
    moves('32 MiB requests', 'upPlain'),
    moves('32 MiB answers', 'downPlain'),
    moves('32 MiB requests, TLS upstream', 'upTls'),
    moves('32 MiB answers, TLS upstream', 'downTls'),
  ];
}

/** Compares two peers round by round; rounds that either of them missed are left out. */
function perRound<Name extends string>(
  figures: Figures<Name>,
  metric: Name,
  peer: string,
  base: string,
  compare: (value: number, over: number) => number,
): number[] {
  const over = figures.of(metric, base);
  return figures
    .of(metric, peer)
    .map((value, round) => compare(value, over[round] ?? Number.NaN))
    .filter(Number.isFinite);
}

function verdict(target: string, value: number, met: boolean, measured: string): Verdict {
  return Number.isFinite(value) ? { target, measured, met } : { target, measured: '-', met: undefined };
}
