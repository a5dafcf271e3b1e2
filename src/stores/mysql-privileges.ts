import { type Kysely, sql } from 'kysely';
import type { Tables } from './schema.ts';
import type { Privileges } from './sql/server-inspection.ts';

/** Error numbers (MySQL and MariaDB error references): no privilege on database, table, column; no such table. */
const REFUSED: ReadonlySet<unknown> = new Set([1044, 1142, 1143]);
const NO_SUCH_TABLE = 1146;
/** A column that has no default was left out. */
const NO_DEFAULT = 1364;

/** What making and changing tables takes. */
const SCHEMA_VERBS = ['create', 'alter', 'index'] as const;

/** What a user of MySQL or MariaDB may do. */
export const mysqlPrivileges: Privileges = {
  isRefusal: error => REFUSED.has(numberOf(error)),
  isMissing: error => numberOf(error) === NO_SUCH_TABLE,
  isAllowed: error => numberOf(error) === NO_DEFAULT,
  async grant(db, verbs, table) {
    const { user, database } = await place(db);
    return `grant ${verbs.join(', ')} on ${database}.${quoted(table)} to ${user}`;
  },
  async schemaRefusal(db) {
    const { user, database } = await place(db);
    const { rows } = await sql<Record<string, string>>`show grants`.execute(db);
    const grants = rows.flatMap(row => Object.values(row)).map(grant => grant.toLowerCase());
    const lacking = SCHEMA_VERBS.filter(verb => !grants.some(grant => allows(grant, verb, database)));
    // What a role gives is not in every server's list, so with one nothing is claimed.
    if (lacking.length === 0 || grants.some(grant => !grant.includes(' on '))) return undefined;
    return {
      statement: `${lacking.join(', ')} on ${database}`,
      grant: `grant ${lacking.join(', ')} on ${database}.* to ${user}`,
    };
  },
};

/** Whether one line of `show grants` gives a privilege on the whole database. */
function allows(grant: string, verb: string, database: string): boolean {
  const [, verbs = '', on = ''] = /^grant (.+?) on (\S+) to /.exec(grant) ?? [];
  const words = verbs.split(',').map(word => word.trim());
  const covers =
    on === '*.*' || (on.endsWith('.*') && patternOf(on.slice(0, -2)).test(database.toLowerCase()));
  return covers && (words.includes('all privileges') || words.includes(verb));
}

/** The name of a database in a grant is a pattern as of `like`. */
function patternOf(name: string): RegExp {
  const parts = name.match(/\\.|[\s\S]/g) ?? [];
  const words = parts.map(part => (part === '%' ? '.*' : part === '_' ? '.' : RegExp.escape(part.slice(-1))));
  return new RegExp(`^${words.join('')}$`, 's');
}

/** Who we are and where, quoted as the server's own statements have them. */
async function place(db: Kysely<Tables>): Promise<{ readonly user: string; readonly database: string }> {
  const { rows } = await sql<{
    user: string;
    database: string;
  }>`select current_user() as user, database() as ${sql.ref('database')}`.execute(db);
  const [{ user, database } = { user: '', database: '' }] = rows;
  const at = user.lastIndexOf('@');
  return { user: `'${user.slice(0, at)}'@'${user.slice(at + 1)}'`, database: quoted(database) };
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function numberOf(error: unknown): number | undefined {
  const number = (error as { readonly errno?: unknown } | null)?.errno;
  return typeof number === 'number' ? number : undefined;
}
