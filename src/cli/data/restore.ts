import { statSync } from 'node:fs';
import { Command } from 'commander';
import { BridgeError } from '../../base/errors.ts';
import { sealedWith } from '../../stores/sealing.ts';
import { MIGRATIONS } from '../../stores/sql/migrations.ts';
import type { CopiedPage } from '../../stores/store.ts';
import { recordCommand } from '../audited.ts';
import { type CliContext, print } from '../context.ts';
import { progress } from '../progress.ts';
import { type BackupHeader, readBackup } from './backup-format.ts';
import { openInputFile } from './input.ts';
import { readLines } from './line-reader.ts';
import { withStore } from './stored-data.ts';

/** A row has a few hundred bytes, an entry of the audit log some thousands, a batch of calls at worst two million. */
const LONGEST_LINE = 4 * 1024 * 1024;

interface RestoreFlags {
  readonly config: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `open-bridge data restore`: a backup into the configured database. */
export function restoreCommand(context: CliContext): Command {
  return new Command('restore')
    .description('fill an empty database, of whatever kind, from a backup')
    .argument('<file>', 'as open-bridge data backup wrote it')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--force', 'replace what the database holds')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nStop all bridges on the database before. Nothing is changed unless the backup is whole and the seal\nkeys open it.',
    )
    .action((file: string, flags: RestoreFlags) => restore(context, file, flags));
}

async function restore(context: CliContext, file: string, flags: RestoreFlags): Promise<void> {
  const { config, force = false, json } = flags;
  refuseOtherThanFile(file);
  const { header, rows, keys } = await examine(file, progress(context, 'rows checked'));
  await withStore(context, config, 'write', async (store, sealer) => {
    const missing = [...keys].filter(id => !sealer.keyIds().includes(id));
    if (missing.length > 0) throw keysMissing(missing, sealer.keyIds());
    const pages = (): AsyncIterable<CopiedPage> =>
      counted(
        pagesOf(file, () => {}),
        progress(context, 'rows restored'),
      );
    await store.copies.write(header.tables, pages, { replace: force });
    const detail = `data restore: as it stood at ${header.at}`;
    await recordCommand(context, store, { action: 'restore', outcome: 'done', detail });
  });
  await print(context, json, { file, at: header.at, rows }, () => [
    ...Object.entries(rows).map(([table, count]) => `${table}: ${count}`),
    `restored from ${file}, as it stood at ${header.at}`,
  ]);
}

/** Reads the whole file, so that nothing is begun that could not be finished. */
async function examine(file: string, onProgress: (rows: number) => void) {
  const keys = new Set<string>();
  let header: BackupHeader | undefined;
  const pages = pagesOf(file, found => {
    header = found;
  });
  const rows: Record<string, number> = {};
  for await (const { table, rows: some } of counted(pages, onProgress)) {
    rows[table] = (rows[table] ?? 0) + some.length;
    for (const text of some.flatMap(row => [row['value'], row['previous_value']])) {
      const id = typeof text === 'string' ? sealedWith(text) : undefined;
      if (id !== undefined) keys.add(id);
    }
  }
  if (header === undefined) throw new TypeError('a backup that was read to its end has a header');
  return { header, rows, keys };
}

async function* pagesOf(file: string, onHeader: (header: BackupHeader) => void): AsyncGenerator<CopiedPage> {
  const lines = readLines(await openInputFile(file), LONGEST_LINE);
  const steps = MIGRATIONS.map(({ name }) => name);
  yield* readBackup({ name: file, lines, steps, onHeader });
}

async function* counted(
  pages: AsyncIterable<CopiedPage>,
  onProgress: (rows: number) => void,
): AsyncGenerator<CopiedPage> {
  let total = 0;
  for await (const page of pages) {
    yield page;
    total += page.rows.length;
    onProgress(total);
  }
}

/** It is read twice. */
function refuseOtherThanFile(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return;
  throw new BridgeError('NOT_FOUND', `there is no file ${file}`, {
    hint: 'give the file that open-bridge data backup wrote; a pipe cannot be restored from',
  });
}

function keysMissing(missing: readonly string[], configured: readonly string[]): BridgeError {
  return new BridgeError(
    'SEAL_BROKEN',
    `the backup is sealed with keys that are not configured: ${missing.join(', ')}; nothing was changed`,
    {
      hint: `configured: ${configured.join(', ')}. Add the missing keys to storage.sealKey (a list: the first seals, all open)`,
    },
  );
}
