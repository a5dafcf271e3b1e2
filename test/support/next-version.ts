import { cpSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** Version and last step of the schema that `makeNextVersion` brings. */
export const NEXT = { version: '999.0.0', step: '9999-next' } as const;

/** What a step of a coming version may do: new tables, new columns that old versions need not know, new indexes. */
const MIGRATIONS = `
import { CREDENTIAL_TABLE } from '../schema.ts';
import { MIGRATIONS as BEFORE } from './migrations-before.ts';

export const MIGRATIONS: typeof BEFORE = [
  ...BEFORE,
  {
    name: '${NEXT.step}',
    async up(editor) {
      const added = [
        { name: 'next_note', type: 'text', optional: true },
        { name: 'next_count', type: 'bigint', default: 0 },
      ] as const;
      const id = { name: '_id', type: 'varchar(512)' } as const;
      await editor.createTable(CREDENTIAL_TABLE, [id, ...added], ['_id']);
      await editor.createTable('open_bridge_leases', added);
      await editor.createTable('open_bridge_call_batches', added);
      await editor.createTable('open_bridge_audit', added);
      await editor.createTable('open_bridge_next', [{ name: 'name', type: 'varchar(128)' }], ['name']);
      await editor.createIndex({ name: 'open_bridge_next_note', table: CREDENTIAL_TABLE, columns: ['next_count'] });
    },
  },
];
`;

/**
 * Makes a copy of this program in a folder, of a version to come whose schema has one step more, and returns
 * its command line's main file. So tests upgrade with a real other program instead of a hook in this one.
 */
export function makeNextVersion(folder: string): string {
  const isTest = (path: string): boolean => /\.(test|fixture)\.ts$/.test(path);
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true, filter: path => !isTest(path) });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: NEXT.version }));
  const migrations = join(folder, 'src/stores/sql/migrations.ts');
  renameSync(migrations, migrations.replace('.ts', '-before.ts'));
  writeFileSync(migrations, MIGRATIONS);
  return join(folder, 'src/cli/main.ts');
}
