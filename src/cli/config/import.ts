import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { BridgeError } from '../../base/errors.ts';
import { type ConfigFault, configError, faultText } from '../../config/faults.ts';
import { CENTER_FILES } from '../../config/uni-config-center/files.ts';
import { importUniConfigCenter } from '../../config/uni-config-center/import.ts';
import { type CliContext, print } from '../context.ts';

interface ImportOptions {
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `open-bridge config import`: a configuration file out of a uni-config-center folder. */
export function importCommand(context: CliContext): Command {
  return new Command('import')
    .description('make a configuration file of a uni-config-center folder, and say what was taken and left')
    .argument('<folder>', 'the folder that holds uni-id, uni-open-bridge and uni-cloud-s2s')
    .option('-o, --out <file>', 'where to write it, readable by you alone', 'open-bridge.json')
    .option('--force', 'write over a file that is there')
    .option('--json', 'print JSON')
    .action(async (folder: string, { out, force, json }: ImportOptions) => {
      const path = resolve(folder);
      const { text, taken, faults, warnings, notes } = importUniConfigCenter(path, readText);
      if (text === undefined) throw configError(path, faults);
      writePrivately(out, text, force === true);
      const left = [...notes.map(told), ...othersIn(path)];
      const sealKey = join(dirname(out), 'data', 'seal.key');
      const next = [
        ...(existsSync(sealKey) ? [] : [`open-bridge keys new --out ${sealKey}`]),
        `open-bridge config check ${out}`,
      ];
      await print(context, json, { file: out, taken, left, warnings, next }, () => [
        ...taken.map(each => `taken    ${each}`),
        ...left.map(each => `left     ${each}`),
        ...warnings.map(each => `warning  ${told(each)}`),
        `${out} is written, readable by you alone; the appsecrets stand in it in clear`,
        ...next.map(command => `next     ${command}`),
      ]);
    });
}

/** Faults of the folder have a place; what is said of all of it has none. */
function told(fault: ConfigFault): string {
  return fault.file === undefined ? `${fault.path}: ${fault.message}` : faultText(fault.file, fault);
}

/** What the folder holds beside the files we read. */
function othersIn(folder: string): readonly string[] {
  const read = Object.values(CENTER_FILES).map(name => dirname(name));
  const others = readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !read.includes(entry.name))
    .map(entry => `${join(folder, entry.name)}: not of uni-open-bridge`);
  const uniId = join(folder, CENTER_FILES.uniId);
  return existsSync(uniId)
    ? [`${uniId}: everything but appids, appsecrets and dcloudAppids, which is uni-id's own`, ...others]
    : others;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** Writes a file that only its owner can read, at no moment anything else, and never half of it over another. */
function writePrivately(file: string, text: string, force: boolean): void {
  const draft = force ? `${file}.new` : file;
  try {
    if (force) rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    if (force) renameSync(draft, file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new BridgeError('CONFIG_INVALID', `cannot write ${file} (${code})`, {
      cause,
      hint:
        code === 'EEXIST'
          ? 'name another file with --out, or write over it with --force'
          : 'choose a folder that is there and that you may write to with --out',
    });
  }
}
