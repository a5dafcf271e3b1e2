import { parseArgs } from 'node:util';

/** Databases that a run can be made on. */
export const DATABASES = ['sqlite', 'postgres'] as const;

export type DatabaseName = (typeof DATABASES)[number];

/** What one run does. */
export interface FaultOptions {
  /** The same seed gives the same script; processes still race as they like. */
  readonly seed: number;
  readonly database: DatabaseName;
  /** With Redis before the database. */
  readonly redis: boolean;
  /** How long things are broken; quiet times come before and after. */
  readonly stormMs: number;
  /** How long nothing is broken at the start, and at the end. */
  readonly calmMs: number;
  /** Mean pause between two injections. */
  readonly everyMs: number;
  readonly nodes: number;
  /** Callers for each node. */
  readonly callers: number;
  /** Calls a second, all callers together. */
  readonly perSecond: number;
  /** Life of an access token. */
  readonly lifeSeconds: number;
  /** Keeps the logs of a run in which nothing was violated, too. */
  readonly keep: boolean;
}

export const USAGE = `Usage: npm run chaos -- [options]
  --minutes N       how long things are broken (default 2)
  --database NAME   ${DATABASES.join(' or ')} (default sqlite)
  --redis           with Redis before the database
  --seed N          repeats the script of another run (default: a new one, which is printed)
  --nodes N         bridge processes (default 5)
  --callers N       callers for each process (default 200)
  --rate N          calls a second, all callers together (default 300)
  --life N          seconds that an access token lives (default 8)
  --every N         mean seconds between two injections (default 2)
  --keep            keep the folder with all logs even if nothing was violated
  --help            this text`;

/** Reads the command line; a string is the text to show instead of running. Throws TypeError naming the option that is wrong. */
export function readOptions(args: readonly string[], freshSeed: number): FaultOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '2' },
      database: { type: 'string', default: 'sqlite' },
      redis: { type: 'boolean', default: false },
      seed: { type: 'string', default: String(freshSeed) },
      nodes: { type: 'string', default: '5' },
      callers: { type: 'string', default: '200' },
      rate: { type: 'string', default: '300' },
      life: { type: 'string', default: '8' },
      every: { type: 'string', default: '2' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return USAGE;
  const database = DATABASES.find(name => name === values.database);
  if (database === undefined)
    throw new TypeError(`--database: ${values.database} is none of ${DATABASES.join(', ')}`);
  const lifeSeconds = atLeast(4, 'life', values.life);
  return {
    database,
    redis: values.redis,
    seed: whole(0, 'seed', values.seed),
    stormMs: atLeast(0.1, 'minutes', values.minutes) * 60_000,
    calmMs: 2 * lifeSeconds * 1000,
    everyMs: atLeast(0.1, 'every', values.every) * 1000,
    nodes: whole(2, 'nodes', values.nodes),
    callers: whole(1, 'callers', values.callers),
    perSecond: atLeast(1, 'rate', values.rate),
    lifeSeconds,
    keep: values.keep,
  };
}

function whole(least: number, name: string, text: string): number {
  const value = atLeast(least, name, text);
  if (!Number.isInteger(value)) throw new TypeError(`--${name} wants a whole number, not ${text}`);
  return value;
}

function atLeast(least: number, name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value) || value < least)
    throw new TypeError(`--${name} wants a number of at least ${least}, not ${text}`);
  return value;
}
