import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { type ResealReport, reseal } from '../../stores/resealing.ts';
import { recordCommand } from '../audited.ts';
import { type CliContext, print } from '../context.ts';
import { withStore } from '../data/stored-data.ts';
import { progress } from '../progress.ts';

/** Of the values that do not open, so many are named. */
const MOST_NAMED = 20;

interface RotateFlags {
  readonly config: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `open-bridge keys rotate`: the first key seals everything anew. */
export function rotateCommand(context: CliContext): Command {
  return new Command('rotate')
    .description(
      'seal everything that is stored with the first key of storage.sealKey, beside running bridges',
    )
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--dry-run', 'count what is sealed with which key, and change nothing')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nAll nodes must have the new key, as the first, before. May be stopped and run again at any time.\nExit status: 1 when a former key is still needed.',
    )
    .action(async (flags: RotateFlags) => {
      if (!(await rotate(context, flags))) context.exit(1);
    });
}

/** Resolves to whether it came to its end. */
async function rotate(context: CliContext, flags: RotateFlags): Promise<boolean> {
  const { config, dryRun = false, json } = flags;
  const faults: string[] = [];
  const { report, sealing } = await withStore(context, config, 'read', async (store, sealer) => {
    const sealing = sealer.keyIds()[0] ?? '';
    const report = await reseal({
      ...{ store, sealer, dryRun, clock: systemClock },
      onFault({ message }) {
        if (faults.length < MOST_NAMED) faults.push(message);
      },
      onProgress: progress(context, 'rows looked at'),
    });
    const detail = `keys rotate: sealed with key ${sealing}`;
    if (!dryRun) await recordCommand(context, store, { action: 'reseal', outcome: 'done', detail });
    return { sealing, report };
  });
  for (const message of json ? [] : faults) context.err(`does not open: ${message}`);
  await print(context, json, { dryRun, sealing, ...report, faults }, () =>
    dryRun ? countLines(report, sealing) : resultLines(report, sealing),
  );
  return dryRun || (report.needed.length === 0 && report.broken === 0);
}

function countLines({ values, unsealed, broken }: ResealReport, sealing: string): string[] {
  const former = Object.keys(values).filter(id => id !== sealing);
  return [
    `key ${sealing}, which seals: ${counted(values[sealing] ?? 0, 'value')}`,
    ...former.map(id => `key ${id}: ${counted(values[id] ?? 0, 'value')} to be sealed anew`),
    ...(broken === 0 ? [] : [`rows that do not open and would stay as they are: ${broken}`]),
    ...unsealedLines(unsealed),
    'nothing was changed',
  ];
}

function resultLines(
  { resealed, unsealed, broken, released, needed }: ResealReport,
  sealing: string,
): string[] {
  return [
    `${counted(resealed, 'row')} sealed anew with key ${sealing}`,
    ...unsealedLines(unsealed),
    ...(released.length === 0
      ? []
      : [`nothing needs ${released.join(', ')} any more: take it out of storage.sealKey on all nodes`]),
    ...(needed.length === 0
      ? []
      : [
          `still needed: ${needed.join(', ')}; ${
            broken === 0
              ? 'a node seals with it: make the new key the first on all nodes, then run this again'
              : `rows that do not open: ${broken}`
          }`,
        ]),
  ];
}

function unsealedLines(unsealed: number): string[] {
  return unsealed === 0 ? [] : [`not sealed: ${counted(unsealed, 'value')}, as uniCloud writes them`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
