import { parseArgs } from 'node:util';
import { DEFAULT_ROWS, QUICK_ROWS, SUBJECT_NAMES } from './credentials/subjects.ts';
import {
  DEFAULT_APPS,
  DEFAULT_DUE_SECONDS,
  QUICK_APPS,
  QUICK_DUE_SECONDS,
  RENEWAL_NAMES,
} from './renewal/subjects.ts';
import { DEFAULT_USERS, QUICK_USERS, STORE_NAMES } from './stores/subjects.ts';

/**
 * What can be measured: calls through the gateway, stored credentials, reads through one node on each store,
 * and the renewal of many apps.
 */
export const PARTS = ['gateway', 'credentials', 'stores', 'renewal'] as const;

export type PartName = (typeof PARTS)[number];

/** What is measured when nothing is named. */
const USUAL_PARTS: readonly PartName[] = ['gateway', 'credentials'];

/** What the parts measure, by name; whatever is named nowhere here belongs to the gateway part. */
export const NAMES: Readonly<Record<Exclude<PartName, 'gateway'>, readonly string[]>> = {
  credentials: SUBJECT_NAMES,
  stores: STORE_NAMES,
  renewal: RENEWAL_NAMES,
};

/** What one run of the benchmark does. */
export interface BenchOptions {
  readonly parts: readonly PartName[];
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
  /** How many credentials are stored, for each database that is measured. */
  readonly rows: readonly number[];
  /** How many users have a session key in each store. */
  readonly users: number;
  /** How many apps are renewed, and within how many seconds all of them fall due. */
  readonly apps: number;
  readonly dueSeconds: number;
  /** Rounds of the renewal part, which is long: one unless they are given. */
  readonly renewalRounds: number;
  /** Names of what to measure; undefined for all that is usual. */
  readonly only: ReadonlySet<string> | undefined;
  /** Further checkouts of this project to measure beside this one, by name. */
  readonly against: ReadonlyMap<string, string>;
  /** Where the figures are written as JSON. */
  readonly out: string;
}

export const USAGE = `Usage: npm run bench -- [options]
  --part NAME       gateway, credentials, stores or renewal; may be repeated (default the first two)
  --rounds N        rounds, in each of which every peer is measured in turn (default 3; renewal 1)
  --seconds N       length of each measurement under load (default 3)
  --quick           one short round: whether it works, not how fast it is
  --rate N          requests or reads a second for the latency figures (default 500)
  --connections N   connections at saturation (default 64)
  --rows N,M        how many credentials are stored (default ${DEFAULT_ROWS.join(',')}; with --quick
                    ${QUICK_ROWS.join(',')})
  --users N         users with a session key in each store (default ${DEFAULT_USERS}; with --quick ${QUICK_USERS})
  --apps N          apps that are renewed (default ${DEFAULT_APPS}; with --quick ${QUICK_APPS})
  --due N           seconds within which all of them fall due (default ${DEFAULT_DUE_SECONDS}; with --quick ${QUICK_DUE_SECONDS})
  --only A,B        what to measure. Of the gateway part: direct, nginx, haproxy, http-proxy-3,
                    fastify-http-proxy, gateway, and gateway-quiet, which logs no calls and is measured
                    only when named here. Of the credentials part:
                    ${SUBJECT_NAMES.slice(0, 3).join(', ')},
                    ${SUBJECT_NAMES.slice(3).join(', ')}.
                    Of the stores part: ${STORE_NAMES.slice(0, 3).join(', ')},
                    ${STORE_NAMES.slice(3).join(', ')}.
                    Of the renewal part: ${RENEWAL_NAMES.join(', ')}.
                    A part of which nothing is named is left out
  --against N=DIR   measure the gateway of the checkout in DIR beside this one, under the name N,
                    and nothing but gateways unless --part says so; may be repeated
  --out FILE        where the figures go as JSON (default test/bench/results/latest.json)
  --help            this text`;

/** Reads the command line; a string is the text to show instead of running. */
export function readOptions(args: readonly string[], defaultOut: string): BenchOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      part: { type: 'string', multiple: true },
      rows: { type: 'string' },
      users: { type: 'string' },
      apps: { type: 'string' },
      due: { type: 'string' },
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
  const only = values.only === undefined ? undefined : new Set(values.only.split(','));
  const usualRows = values.quick ? QUICK_ROWS : DEFAULT_ROWS;
  return {
    parts: partsFor(values.part, only, against.size > 0),
    rows: values.rows?.split(',').map(text => whole('rows', text)) ?? usualRows,
    users: whole('users', values.users ?? String(values.quick ? QUICK_USERS : DEFAULT_USERS)),
    apps: whole('apps', values.apps ?? String(values.quick ? QUICK_APPS : DEFAULT_APPS)),
    dueSeconds: positive('due', values.due ?? String(values.quick ? QUICK_DUE_SECONDS : DEFAULT_DUE_SECONDS)),
    renewalRounds: positive('rounds', values.rounds ?? '1'),
    rounds: positive('rounds', values.rounds ?? (values.quick ? '1' : '3')),
    seconds: positive('seconds', values.seconds ?? (values.quick ? '1' : '3')),
    rate: positive('rate', values.rate),
    connections: positive('connections', values.connections),
    bodies: values.quick ? 4 : 8,
    quick: values.quick,
    only,
    against,
    out: values.out,
  };
}

/** The parts that were named, else those of which something was named, else the usual ones. */
function partsFor(
  named: readonly string[] | undefined,
  only: ReadonlySet<string> | undefined,
  comparesGateways: boolean,
): readonly PartName[] {
  const unknown = named?.find(name => !PARTS.some(part => part === name));
  if (unknown !== undefined) throw new TypeError(`--part: ${unknown} is none of ${PARTS.join(', ')}`);
  if (named !== undefined) return PARTS.filter(part => named.includes(part));
  if (only === undefined) return comparesGateways ? ['gateway'] : USUAL_PARTS;
  return PARTS.filter(part => [...only].some(name => partOf(name) === part));
}

/** The part that measures what has this name. */
function partOf(name: string): PartName {
  const part = PARTS.find(each => each !== 'gateway' && NAMES[each].includes(name));
  return part ?? 'gateway';
}

function whole(name: string, text: string): number {
  const value = positive(name, text);
  if (!Number.isInteger(value)) throw new TypeError(`--${name} wants whole numbers, not ${text}`);
  return value;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new TypeError(`--${name} wants a positive number, not ${text}`);
  return value;
}
