import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { CREDENTIAL_TABLE } from '../../stores/schema.ts';
import { previousContext, type Sealer, sealedWith } from '../../stores/sealing.ts';
import { rememberedSealKeys } from '../../stores/sealing-keys.ts';
import { MIGRATIONS } from '../../stores/sql/migrations.ts';
import type { CopiedPage, CopiedRow, CopiedTable } from '../../stores/store.ts';
import { recordCommand } from '../audited.ts';
import { type CliContext, print } from '../context.ts';
import { progress } from '../progress.ts';
import { writeBackup } from './backup-format.ts';
import { withStore } from './stored-data.ts';
import { destinationOf } from './write-out.ts';

/** What a bridge cannot do without. */
const STATE: readonly CopiedTable[] = [
  CREDENTIAL_TABLE,
  'open_bridge_settings',
  'open_bridge_budgets',
  'open_bridge_failures',
];

/** What happened, which no bridge needs. */
const HISTORY: readonly CopiedTable[] = [
  'open_bridge_audit',
  'open_bridge_audit_anchors',
  'open_bridge_usage',
  'open_bridge_call_batches',
];

interface BackupFlags {
  readonly config: string;
  readonly out: string;
  readonly history?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `open-bridge data backup`: the whole database as it stands at one moment, sealed. */
export function backupCommand(context: CliContext): Command {
  return new Command('backup')
    .description('write the database to a file as it stands at one moment; values stay sealed')
    .requiredOption('-o, --out <file>', 'a new file, readable by you alone; - for standard output')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--history', 'with the call log, usage and the audit log')
    .option('--force', 'replace the file if it is there')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nWorks beside running bridges. A backup is useless without the seal keys: keep them elsewhere.',
    )
    .action((flags: BackupFlags) => backup(context, flags));
}

async function backup(context: CliContext, flags: BackupFlags): Promise<void> {
  const { config, out, history = false, force = false, json } = flags;
  const destination = destinationOf(context, out, force);
  const tables = [...STATE, ...(history ? HISTORY : [])];
  const { rows, sealKeys } = await withStore(context, config, 'read', async (store, sealer) => {
    const keys = [...new Set([...sealer.keyIds().slice(0, 1), ...(await rememberedSealKeys(store.texts))])];
    const header = {
      version: context.version,
      at: new Date(systemClock.now()).toISOString(),
      schema: MIGRATIONS.at(-1)?.name ?? '',
      ...{ sealKeys: keys, tables },
    };
    const pages = sealed(store.copies.read(tables), sealer);
    const rows = await destination.open(write =>
      writeBackup(header, pages, write, progress(context, 'rows written')),
    );
    await recordCommand(context, store, { action: 'backup', outcome: 'done', detail: 'data backup' });
    return { rows, sealKeys: keys };
  });
  await print(destination.told, json, { file: out, rows, sealKeys }, () => [
    ...Object.entries(rows).map(([table, count]) => `${table}: ${count}`),
    `written to ${destination.name}, sealed with ${sealKeys.join(', ')}: keep these keys, and keep them elsewhere`,
  ]);
}

/** What uniCloud wrote in clear is sealed on its way: nobody looks for secrets in a backup. */
async function* sealed(pages: AsyncIterable<CopiedPage>, sealer: Sealer): AsyncGenerator<CopiedPage> {
  for await (const { table, rows } of pages)
    yield { table, rows: table === CREDENTIAL_TABLE ? rows.map(row => sealedRow(row, sealer)) : rows };
}

function sealedRow(row: CopiedRow, sealer: Sealer): CopiedRow {
  const id = String(row['_id']);
  const seal = (text: unknown, context: string): string | null => {
    if (typeof text !== 'string') return null;
    return sealedWith(text) === undefined ? sealer.seal(text, context) : text;
  };
  return {
    ...row,
    value: seal(row['value'], id),
    previous_value: seal(row['previous_value'], previousContext(id)),
  };
}
