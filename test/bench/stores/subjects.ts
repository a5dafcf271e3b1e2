import { postgresAbsent } from '../servers/postgres.ts';
import { redisAbsent } from '../servers/redis.ts';

/** How many users have a session key, by default and with `--quick`. */
export const DEFAULT_USERS = 100_000;
export const QUICK_USERS = 20_000;

export const YARDSTICK_NAMES = ['sqlite-select', 'postgres-select', 'redis-client-get'] as const;
export const BRIDGE_NAMES = ['store-sqlite', 'store-postgres', 'store-postgres-redis'] as const;
export const STORE_NAMES = [...YARDSTICK_NAMES, ...BRIDGE_NAMES] as const;

export type YardstickName = (typeof YARDSTICK_NAMES)[number];
export type BridgeName = (typeof BRIDGE_NAMES)[number];
export type StoreName = (typeof STORE_NAMES)[number];

/** Something that is read from. */
export interface StoreSubject {
  readonly name: StoreName;
  /** What it is, for the report. */
  readonly about: string;
  /** Why it cannot be measured on this machine; undefined when it can. */
  absent(): string | undefined;
}

const here = (): undefined => undefined;

/** Everything that is measured, in the order of the report. */
export const STORE_SUBJECTS: readonly StoreSubject[] = [
  {
    name: 'sqlite-select',
    about: 'select of a row by its key through node:sqlite, in the process that asks',
    absent: here,
  },
  {
    name: 'postgres-select',
    about: 'the same through pg with ten connections, as a bridge has',
    absent: postgresAbsent,
  },
  {
    name: 'redis-client-get',
    about: 'GET of the same value in plain text through @redis/client with one connection',
    absent: redisAbsent,
  },
  { name: 'store-sqlite', about: 'open-bridge serve on an SQLite file', absent: here },
  { name: 'store-postgres', about: 'open-bridge serve on PostgreSQL', absent: postgresAbsent },
  {
    name: 'store-postgres-redis',
    about: 'open-bridge serve on PostgreSQL with Redis, copies sealed',
    absent: () => postgresAbsent() ?? redisAbsent(),
  },
];

/** What is asked of a bridge. */
export const READS = ['token', 'users'] as const;
export type Read = (typeof READS)[number];

/** What of it is shown beside the name. */
export const READ_TITLES: Readonly<Record<Read, string>> = {
  token: 'access token',
  users: 'session keys',
};

export function isBridge(name: StoreName): name is BridgeName {
  return BRIDGE_NAMES.some(each => each === name);
}
