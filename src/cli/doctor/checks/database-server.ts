import { asBridgeError } from '../../../base/errors.ts';
import { serverOf } from '../../../stores/database.ts';
import type { SchemaVersion } from '../../../stores/sql/schema-version.ts';
import type { Store } from '../../../stores/store.ts';
import { type Database, type Examination, type Finding, fail, ok, warn } from '../check.ts';

const PROBE = 'open-bridge doctor';
const PROBE_MS = 1000;

/** So many refused statements are told one by one. */
const MOST_TOLD = 12;

/** Whether a database server answers, is of this version, and lets its user do what the bridge does. */
export async function judgeServer(exam: Examination): Promise<readonly Finding[]> {
  const { database } = exam.settings().storage;
  if (database.kind === 'sqlite') throw new TypeError('a file is no server');
  const name = `the ${database.kind} database ${serverOf(database.kind, database.url).name}`;
  const startedAt = performance.now();
  let opened: Database | undefined;
  try {
    opened = await exam.database();
  } catch (error) {
    return [broken(error)];
  }
  if (opened?.server === undefined) throw new TypeError('a server was not looked at');
  const { version, server, store } = opened;
  if (version.foreign.length > 0) return [newer(name, version)];
  const findings: Finding[] = [];
  if (server.refusals.length > 0) findings.push(forbidden(name, server.refusals));
  if (server.schemaRefusal !== undefined) {
    const { statement, grant } = server.schemaRefusal;
    findings.push(
      fail(
        'database',
        `${name} ${server.isEmpty ? 'has no tables of this program' : `lacks ${version.pending.join(', ')}`}, and its user may not make them: ${statement} is refused`,
        `start the bridge once as a user who may, or let its owner run:\n${grant}`,
      ),
    );
  }
  if (findings.length > 0) return findings;
  if (server.isEmpty)
    return [ok('database', `${name} has no tables of this program yet: the first start makes them`)];
  if (store === undefined)
    return [older(name, version, 'back it up before that start if you may want to go back')];
  try {
    await tryOut(store, exam);
  } catch (error) {
    return [broken(error)];
  }
  const ms = Math.round(performance.now() - startedAt);
  return [ok('database', `${name} is up to date, and takes every statement of daily work (${ms} ms)`)];
}

/** A database that a newer version of this program has worked on. */
export function newer(name: string, { foreign }: SchemaVersion): Finding {
  return fail(
    'database',
    `${name} was written by a newer version of this program (${foreign.join(', ')})`,
    'upgrade this program, or use another database; docs/upgrading.md has the way back',
  );
}

/** One that the next start changes. */
export function older(name: string, { pending }: SchemaVersion, advice: string): Finding {
  return warn(
    'database',
    `${name} is of an older version; the next start brings it up to date (${pending.join(', ')})`,
    advice,
  );
}

/** Reads and writes; resolves to the milliseconds it took. */
export async function tryOut(store: Store, { world }: Examination): Promise<number> {
  const startedAt = performance.now();
  // A lease of its own name shows that writing works and is in nobody's way.
  await store.leases.acquire(PROBE, world.instance, PROBE_MS);
  await store.leases.release(PROBE, world.instance);
  await store.ping();
  return Math.round(performance.now() - startedAt);
}

function forbidden(
  name: string,
  refusals: readonly { readonly statement: string; readonly grant: string }[],
): Finding {
  const told = refusals.slice(0, MOST_TOLD);
  const more = refusals.length - told.length;
  return fail(
    'database',
    `the user of ${name} may not: ${told.map(({ statement }) => statement).join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    `let the owner of the database run (docs/storage.md has all privileges):\n${told.map(({ grant }) => grant).join('\n')}`,
  );
}

function broken(error: unknown): Finding {
  const { message, hint } = asBridgeError(error);
  return fail('database', message, hint ?? 'check storage.database');
}
