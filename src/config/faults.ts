import { BridgeError } from '../base/errors.ts';

/** Keys and indexes that lead to a place in the configuration. */
export type ConfigPath = readonly (string | number)[];

/** Something wrong, or worth a warning, before its place in the text is known. */
export interface PathFault {
  readonly path: ConfigPath;
  readonly message: string;
  /** Whether the key or its value is to be pointed at. */
  readonly at: 'key' | 'value';
  /** Where in the text, when the path alone does not tell. */
  readonly offset?: number;
}

/** Something wrong, or worth a warning, at a place of the configuration. */
export interface ConfigFault {
  /** Absolute path of the file, when it is another than the configuration file itself. */
  readonly file?: string;
  /** As in `apps[0].secret`; empty for the file as a whole. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column: number;
  readonly message: string;
}

const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/;

/**
 * Writes a path the way one would in code.
 *
 * @example
 * pathText(['apps', 0, 'secret']); // 'apps[0].secret'
 */
export function pathText(path: ConfigPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!PLAIN_KEY.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** One line for people: `file:line:column path: message`, which terminals and editors turn into a link. */
export function faultText(file: string, fault: ConfigFault): string {
  const where = fault.path === '' ? '' : ` ${fault.path}:`;
  return `${fault.file ?? file}:${fault.line}:${fault.column}${where} ${fault.message}`;
}

/** The error for a configuration that cannot be used. Its message lists every fault, one a line. */
export function configError(file: string, faults: readonly ConfigFault[]): BridgeError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  const lines = faults.map(fault => faultText(file, fault));
  return new BridgeError('CONFIG_INVALID', `the configuration has ${count}:\n${lines.join('\n')}`);
}

/** Orders faults as they stand in the file, those of other files after them, and drops repetitions. */
export function sortFaults(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  const seen = new Set<string>();
  return [...faults]
    .sort((a, b) => compareFiles(a, b) || a.line - b.line || a.column - b.column)
    .filter(fault => {
      const key = JSON.stringify(fault);
      return !seen.has(key) && seen.add(key) !== undefined;
    });
}

function compareFiles({ file: a = '' }: ConfigFault, { file: b = '' }: ConfigFault): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
