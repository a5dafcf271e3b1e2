import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { rememberSealKey } from '../stores/sealing-keys.ts';
import { recordCommand } from './audited.ts';
import { type CliContext, print } from './context.ts';
import { backupCommand } from './data/backup.ts';
import { exportRows } from './data/export-rows.ts';
import { importRows } from './data/import-rows.ts';
import { openInputFile } from './data/input.ts';
import { readLines } from './data/line-reader.ts';
import { restoreCommand } from './data/restore.ts';
import { withStore } from './data/stored-data.ts';
import { destinationOf } from './data/write-out.ts';
import { progress } from './progress.ts';

/** A value has a few hundred bytes; a line this long is no row. */
const LONGEST_LINE = 1024 * 1024;
/** Of what is wrong, so much is listed; the rest is counted. */
const MOST_LISTED = 1000;

interface ExportFlags {
  readonly config: string;
  readonly out: string;
  readonly full?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

interface ImportFlags {
  readonly config: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `open-bridge data`: stored credentials in uniCloud's form, out and in; and whole databases. */
export function dataCommand(context: CliContext): Command {
  const data = new Command('data').description(
    'stored credentials, out and in, as uniCloud exports and imports its table opendb-open-data; backups',
  );
  data
    .command('export')
    .description('write all stored credentials to a file, IN CLEAR: one JSON object a line')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option(
      '-o, --out <file>',
      'a new file, readable by you alone; - for standard output',
      'opendb-open-data.json',
    )
    .option('--full', 'add the columns uniCloud does not have, as a field openBridge')
    .option('--force', 'replace the file if it is there')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nWorks beside a running bridge. Exit status: 1 when rows do not open and were left out.',
    )
    .action(async (flags: ExportFlags) => {
      if ((await exportData(context, flags)) > 0) context.exit(1);
    });
  data
    .command('import')
    .description('take stored credentials from a file: one JSON object a line')
    .argument('<file>', 'as uniCloud or open-bridge data export wrote it')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--force', 'replace also what the bridge wrote itself, and what ends later here')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nWorks beside a running bridge. Exit status: 1 when lines are malformed; all others are imported.',
    )
    .action(async (file: string, flags: ImportFlags) => {
      if ((await importData(context, file, flags)) > 0) context.exit(1);
    });
  data.addCommand(backupCommand(context));
  data.addCommand(restoreCommand(context));
  return data;
}

/** Resolves to the number of rows that were left out. */
async function exportData(context: CliContext, flags: ExportFlags): Promise<number> {
  const { config, out, full = false, force = false, json } = flags;
  const destination = destinationOf(context, out, force);
  const left = listing<{ readonly id: string; readonly message: string }>();
  const { rows, broken } = await withStore(context, config, 'read', async ({ credentials, audit }) => {
    await recordCommand(context, { audit }, { action: 'export', outcome: 'done', detail: 'data export' });
    return destination.open(write =>
      exportRows({
        ...{ credentials, full, write },
        onFault: ({ id, fault }) => left.add({ id, message: fault?.message ?? '' }),
        onProgress: progress(context, 'rows written'),
      }),
    );
  });
  for (const { message } of json ? [] : left.listed) context.err(`left out: ${message}`);
  await print(destination.told, json, { file: out, rows, broken, faults: left.listed }, () => [
    `${rows} rows written to ${destination.name}; they are secrets in clear: let nobody else read them, and delete them after use`,
    ...(broken === 0
      ? []
      : [
          `${broken} rows do not open and were left out${left.more(broken)}: is a former key missing in storage.sealKey?`,
        ]),
  ]);
  return broken;
}

/** Resolves to the number of malformed lines. */
async function importData(context: CliContext, file: string, flags: ImportFlags): Promise<number> {
  const { config, force = false, json } = flags;
  const faults = listing<{ readonly line: number; readonly message: string }>();
  const chunks = await openInputFile(file);
  const now = (): number => systemClock.now();
  const counts = await withStore(context, config, 'write', async (store, keys) => {
    const [sealing] = keys.keyIds();
    if (sealing !== undefined) await rememberSealKey(store, sealing, now());
    await recordCommand(context, store, { action: 'import', outcome: 'done', detail: 'data import' });
    return importRows({
      ...{ credentials: store.credentials, force, now },
      lines: readLines(chunks, LONGEST_LINE),
      onFault: fault => faults.add(fault),
      onProgress: progress(context, 'lines read'),
    });
  });
  for (const { line, message } of json ? [] : faults.listed) context.err(`${file}:${line}: ${message}`);
  const { lines, imported, kept, ended, malformed } = counts;
  await print(context, json, { file, ...counts, faults: faults.listed }, () => [
    `${lines} lines: ${imported} imported, ${kept} kept as they stand here, ${ended} ended before and were left out, ${malformed} malformed`,
    ...(kept === 0
      ? []
      : ['kept: written by the bridge itself, or ending later here; --force replaces them']),
    ...(malformed === 0
      ? []
      : [`malformed lines were left out${faults.more(malformed)}; everything else was imported`]),
  ]);
  return malformed;
}

/** Keeps the first of many. */
function listing<T>() {
  const listed: T[] = [];
  return {
    listed: listed as readonly T[],
    add(item: T): void {
      if (listed.length < MOST_LISTED) listed.push(item);
    },
    /** Says how many of `count` are not listed. */
    more: (count: number): string =>
      count > listed.length ? ` (the first ${listed.length} are listed)` : '',
  };
}
