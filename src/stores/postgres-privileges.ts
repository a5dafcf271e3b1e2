import { type Kysely, sql } from 'kysely';
import { DatabaseError } from 'pg';
import type { Tables } from './schema.ts';
import type { Privileges } from './sql/server-inspection.ts';

/** SQLSTATE codes (PostgreSQL documentation, appendix A). */
const INSUFFICIENT_PRIVILEGE = '42501';
const UNDEFINED_TABLE = '42P01';

interface Owner {
  readonly user: string;
  readonly schema: string | null;
  readonly mayCreate: boolean;
  /** A table of ours in the schema that belongs to somebody else. */
  readonly foreignTable: string | null;
}

/** What a user of PostgreSQL may do. Names are quoted by the server itself. */
export const postgresPrivileges: Privileges = {
  isRefusal: error => codeOf(error) === INSUFFICIENT_PRIVILEGE,
  isMissing: error => codeOf(error) === UNDEFINED_TABLE,
  isAllowed: () => false,
  async grant(db, verbs, table) {
    const { rows } = await sql<{
      user: string;
      table: string;
    }>`select quote_ident(current_user) as user, quote_ident(${table}) as table`.execute(db);
    return `grant ${verbs.join(', ')} on ${rows[0]?.table} to ${rows[0]?.user}`;
  },
  async schemaRefusal(db) {
    const { user, schema, mayCreate, foreignTable } = await ownerOf(db);
    if (schema === null) {
      return {
        statement: 'the use of any schema that search_path names',
        grant: `create schema … authorization ${user}, or grant usage, create on schema … to ${user}; then name it: storage.database …?options=-c%20search_path%3DNAME`,
      };
    }
    if (!mayCreate) {
      return {
        statement: `create in the schema ${schema}`,
        grant: `grant create on schema ${schema} to ${user}`,
      };
    }
    if (foreignTable === null) return undefined;
    return {
      statement: `alter table ${foreignTable}, which belongs to another user`,
      grant: `alter table ${foreignTable} owner to ${user}, and so for the other tables`,
    };
  },
};

async function ownerOf(db: Kysely<Tables>): Promise<Owner> {
  const { rows } = await sql<Owner>`
    select quote_ident(current_user) as user,
      quote_ident(current_schema()) as schema,
      coalesce(has_schema_privilege(current_schema(), 'create'), false) as "mayCreate",
      (select quote_ident(min(tablename)) from pg_tables
        where schemaname = current_schema()
          and (tablename = 'opendb-open-data' or tablename like 'open\\_bridge\\_%')
          and not pg_has_role(tableowner, 'usage')) as "foreignTable"`.execute(db);
  const [owner] = rows;
  if (owner === undefined) throw new TypeError('a query of one row gave none');
  return owner;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}
