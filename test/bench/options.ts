import { parseArgs } from 'node:util';

/** What one run of the benchmark does. */
export interface BenchOptions {
  readonly rounds: number;
  /** How long each measurement under load takes. */
  readonly seconds: number;
  /** Requests a second for the latency measurement. */
  readonly rate: number;
  /** Connections that the generator keeps busy at saturation. */
  readonly connections: number;
  /** Bodies of 32 MiB moved per measurement. */
  readonly bodies: number;
  /** One short round. */
  readonly quick: boolean;
  /** Names of the peers to measure; undefined for all usual ones. */
  readonly only: ReadonlySet<string> | undefined;
  /** Further checkouts of this project to measure beside this one, by name. */
  readonly against: ReadonlyMap<string, string>;
  /** Where the figures are written as JSON. */
  readonly out: string;
}

export const USAGE = `Usage: npm run bench -- [options]
  --rounds N        rounds, in each of which every peer is measured in turn (default 3)
  --seconds N       length of each measurement under load (default 3)
  --quick           one short round: whether it works, not how fast it is
  --rate N          requests a second for the latency figures (default 500)
  --connections N   connections at saturation (default 64)
  --only A,B        peers to measure: direct, nginx, haproxy, http-proxy-3, fastify-http-proxy, gateway,
                    and gateway-quiet, which logs no calls and is measured only when named here
  --against N=DIR   measure the checkout in DIR beside this one, under the name N; may be repeated
  --out FILE        where the figures go as JSON (default test/bench/results/latest.json)
  --help            this text`;

/** Reads the command line; a string is the text to show instead of running. */
export function readOptions(args: readonly string[], defaultOut: string): BenchOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rate: { type: 'string', default: '500' },
      connections: { type: 'string', default: '64' },
      only: { type: 'string' },
      against: { type: 'string', multiple: true, default: [] },
      out: { type: 'string', default: defaultOut },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return USAGE;
  const against = new Map<string, string>();
  for (const pair of values.against) {
    const equals = pair.indexOf('=');
    if (equals < 1) return `--against wants NAME=DIR, not ${pair}\n\n${USAGE}`;
    against.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return {
    rounds: positive('rounds', values.rounds ?? (values.quick ? '1' : '3')),
    seconds: positive('seconds', values.seconds ?? (values.quick ? '1' : '3')),
    rate: positive('rate', values.rate),
    connections: positive('connections', values.connections),
    bodies: values.quick ? 4 : 8,
    quick: values.quick,
    only: values.only === undefined ? undefined : new Set(values.only.split(',')),
    against,
    out: values.out,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new TypeError(`--${name} wants a positive number, not ${text}`);
  return value;
}
