import { MIGRATIONS } from './migrations.ts';

/** How the schema of a database differs from that of this version. */
export interface SchemaVersion {
  /** Steps that the next start will take. */
  readonly pending: readonly string[];
  /** Steps this version does not know: a newer one took them. */
  readonly foreign: readonly string[];
}

/** Compares the steps that were taken with those this version knows. */
export function schemaVersion(taken: Iterable<string>): SchemaVersion {
  const applied = new Set(taken);
  const known = MIGRATIONS.map(({ name }) => name);
  return {
    pending: known.filter(name => !applied.has(name)),
    foreign: [...applied].filter(name => !known.includes(name)),
  };
}
