import { join } from 'node:path';
import { run } from '../processes.ts';
import type { Measured } from './drive.ts';
import type { EmbeddedSettings } from './embedded-main.ts';
import type { StoredSet } from './stored-set.ts';
import type { WireSettings } from './wire-main.ts';

/** How many session keys are stored, by default and with `--quick`. */
export const DEFAULT_ROWS = [1, 1_000_000, 5_000_000];
export const QUICK_ROWS = [1, 100_000];

export const SUBJECT_NAMES = [
  'redis-get',
  'embedded-memory',
  'embedded-store',
  'http-memory',
  'http-store',
  'http-set',
] as const;

export type SubjectName = (typeof SUBJECT_NAMES)[number];

/** What a subject is measured with. */
export interface SubjectSetup {
  readonly set: StoredSet;
  /** Folder of the compiled program. */
  readonly dist: string;
  /** Operations under way at once. */
  readonly lanes: number;
  readonly seconds: number;
  /** The cores of the process that answers and of the one that asks. */
  readonly cores: { readonly peer: number | undefined; readonly load: number | undefined };
}

/** A way to a stored session key. */
export interface Subject {
  readonly name: SubjectName;
  /** What it does, for the report. */
  readonly about: string;
  /** Whether Redis answers. */
  readonly redis: boolean;
  readonly measure: (setup: SubjectSetup) => Promise<Measured>;
}

/** Everything that is measured, in the order of the report. Redis comes first, as the others are compared with it. */
export const SUBJECTS: readonly Subject[] = [
  {
    name: 'redis-get',
    about:
      'GET of the same key and value, plain text, from redis-server over a bare socket, nothing saved to disk',
    redis: true,
    measure: setup => wire(setup, 'redis-get', 'any'),
  },
  {
    name: 'embedded-memory',
    about:
      'getSessionKey of open-bridge/common with the bridge in the process; users who were just asked for',
    redis: false,
    measure: setup => embedded(setup, 'memory'),
  },
  {
    name: 'embedded-store',
    about: 'the same, every answer read from the database and unsealed',
    redis: false,
    measure: setup => embedded(setup, 'store'),
  },
  {
    name: 'http-memory',
    about:
      'POST /uni-open-bridge/getSessionKey of open-bridge serve with a caller key; users who were just asked for',
    redis: false,
    measure: setup => wire(setup, 'http-get', 'hot'),
  },
  {
    name: 'http-store',
    about: 'the same for any users, read from the database where there are more than the bridge remembers',
    redis: false,
    measure: setup => wire(setup, 'http-get', 'any'),
  },
  {
    name: 'http-set',
    about:
      'POST /uni-open-bridge/setSessionKey with a new value for any users, on disk before it is answered',
    redis: false,
    measure: setup => wire(setup, 'http-set', 'any'),
  },
];

async function embedded(setup: SubjectSetup, from: EmbeddedSettings['from']): Promise<Measured> {
  const { set, dist, lanes, seconds, cores } = setup;
  const settings: EmbeddedSettings = {
    dist,
    config: set.bridge.config,
    rows: set.rows,
    from,
    lanes,
    seconds,
  };
  return measureBy('embedded-main.ts', settings, cores.peer);
}

async function wire(
  { set, lanes, seconds, cores }: SubjectSetup,
  operation: WireSettings['operation'],
  users: WireSettings['users'],
): Promise<Measured> {
  const server = operation === 'redis-get' ? set.redis : set.bridge;
  if (server === undefined) throw new TypeError('nothing to ask');
  const { port, pid } = server;
  const settings: WireSettings = { operation, port, pid, rows: set.rows, users, lanes, seconds };
  return measureBy('wire-main.ts', settings, cores.load);
}

async function measureBy(script: string, settings: object, core: number | undefined): Promise<Measured> {
  const main = join(import.meta.dirname, script);
  return JSON.parse(await run(process.execPath, [main, JSON.stringify(settings)], core)) as Measured;
}
