import { postgresAbsent } from '../servers/postgres.ts';

/** How many apps there are, by default and with `--quick`. */
export const DEFAULT_APPS = 100_000;
export const QUICK_APPS = 2000;

/** Seconds in which all their tokens fall due. */
export const DEFAULT_DUE_SECONDS = 120;
export const QUICK_DUE_SECONDS = 5;

export const RENEWAL_NAMES = ['renewal-postgres', 'renewal-sqlite'] as const;

export type RenewalName = (typeof RENEWAL_NAMES)[number];

/** Who renews. */
export interface RenewalSubject {
  readonly name: RenewalName;
  /** What it is, for the report. */
  readonly about: string;
  readonly store: 'postgres' | 'sqlite';
  readonly nodes: number;
  /** Why it cannot be measured on this machine; undefined when it can. */
  absent(): string | undefined;
}

export const RENEWAL_SUBJECTS: readonly RenewalSubject[] = [
  {
    name: 'renewal-postgres',
    about: 'two nodes on one PostgreSQL, which is set up by default and waits for its disk',
    store: 'postgres',
    nodes: 2,
    absent: postgresAbsent,
  },
  {
    name: 'renewal-sqlite',
    about: 'one node on an SQLite file',
    store: 'sqlite',
    nodes: 1,
    absent: () => undefined,
  },
];
