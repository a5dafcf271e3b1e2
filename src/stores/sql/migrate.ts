import { type Kysely, sql } from 'kysely';
import { BridgeError } from '../../base/errors.ts';
import { MIGRATION_TABLE, type Tables } from '../schema.ts';
import { MIGRATIONS } from './migrations.ts';
import { createSchemaEditor, type DdlDialect } from './schema-editor.ts';
import { schemaVersion } from './schema-version.ts';

/**
 * Names the steps that this program would take, which is none when the schema is up to date. Throws when
 * the database is newer than this program, because writing to it could lose what the newer one keeps there.
 */
export async function pendingSteps(
  db: Kysely<Tables>,
  ddl: Pick<DdlDialect, 'columns'>,
): Promise<readonly string[]> {
  const known = MIGRATIONS.map(({ name }) => name);
  if ((await ddl.columns(db, MIGRATION_TABLE)).size === 0) return known;
  const done = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(db);
  const { pending, foreign } = schemaVersion(done.rows.map(row => row.name));
  if (foreign.length > 0) {
    throw new BridgeError(
      'STORE_UNAVAILABLE',
      `the database was written by a newer version of this program (${foreign.join(', ')})`,
      { hint: 'upgrade this program, or use another database; docs/upgrading.md has the way back' },
    );
  }
  return pending;
}

/**
 * Brings the schema up to date. The caller holds whatever keeps other nodes out (an immediate
 * transaction, an advisory lock) for as long as this runs. Throws as `pendingSteps` does.
 */
export async function migrate(db: Kysely<Tables>, ddl: DdlDialect): Promise<void> {
  const editor = createSchemaEditor(db, ddl);
  const pending = await pendingSteps(db, ddl);
  if (pending.length === MIGRATIONS.length)
    await editor.createTable(MIGRATION_TABLE, [{ name: 'name', type: 'varchar(128)' }], ['name']);
  for (const step of MIGRATIONS) {
    if (!pending.includes(step.name)) continue;
    await step.up(editor);
    await sql`insert into ${sql.table(MIGRATION_TABLE)} (name) values (${step.name})`.execute(db);
  }
}
