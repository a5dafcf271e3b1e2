import { sealKeyFault } from '../stores/sealing.ts';
import type { CommandResult } from './command.ts';
import { type ConfigPath, type PathFault, pathText } from './faults.ts';
import type { ConfigFile } from './schema.ts';

/** Runs a program and takes what it prints. */
export type RunCommand = (command: readonly string[]) => CommandResult;

/** The keys of `storage.sealKey`. */
export interface SealKeys {
  /** In their order; one is missing for each fault. */
  readonly keys: readonly string[];
  readonly faults: readonly PathFault[];
}

/** Takes keys as they are written, and has programs print the others. */
export function readSealKeys(written: ConfigFile['storage']['sealKey'], run: RunCommand): SealKeys {
  const keys = new Map<string, ConfigPath>();
  const faults: PathFault[] = [];
  const entries = Array.isArray(written) ? written : [written];
  for (const [index, entry] of entries.entries()) {
    const path = ['storage', 'sealKey', ...(Array.isArray(written) ? [index] : [])];
    const result = typeof entry === 'string' ? { output: entry } : run(entry.command);
    const message = faultOf(result, keys);
    if (message !== undefined) faults.push({ path, message, at: 'value' });
    else if ('output' in result) keys.set(result.output, path);
  }
  return { keys: [...keys.keys()], faults };
}

function faultOf(result: CommandResult, known: ReadonlyMap<string, ConfigPath>): string | undefined {
  if ('fault' in result) return result.fault;
  const same = known.get(result.output);
  return same === undefined ? sealKeyFault(result.output) : `the same key as ${pathText(same)}`;
}
