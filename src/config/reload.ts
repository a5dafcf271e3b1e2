import { dirname, resolve } from 'node:path';
import { type CommandResult, runCommandAside } from './command.ts';
import {
  type ConfigCheck,
  checkConfig,
  contentDigest,
  type LoadedConfig,
  type LoadOptions,
  readText,
} from './load.ts';

/** As `checkConfig`, for a process that serves callers: programs that print keys hold up nothing. */
export async function checkConfigAside(options: LoadOptions): Promise<ConfigCheck> {
  const results = new Map<string, CommandResult>();
  const place = { folder: dirname(resolve(options.path)), env: options.env };
  for (;;) {
    const asked: (readonly string[])[] = [];
    const check = checkConfig({
      ...options,
      runCommand(command) {
        const known = results.get(JSON.stringify(command));
        if (known === undefined) asked.push(command);
        return known ?? { fault: 'not run yet' };
      },
    });
    if (asked.length === 0) return check;
    // The file may change meanwhile, so that yet another program is asked for the next time round.
    for (const command of asked) results.set(JSON.stringify(command), await runCommandAside(command, place));
  }
}

/**
 * Checks a configuration whenever it may have changed, `current` being the one in use. Files that say what
 * they said the last time are not checked anew, which would stop all else for seconds where there are very
 * many apps; with `again` they are, and programs that print keys are run again.
 *
 * @example
 * const read = createConfigReader({ path, env }, current);
 * const check = await read(false);
 */
export function createConfigReader(
  options: LoadOptions,
  current: LoadedConfig,
): (again: boolean) => Promise<ConfigCheck> {
  const { readFile = readText } = options;
  const textOf = (name: string): string | undefined => {
    try {
      return readFile(name);
    } catch {
      return undefined;
    }
  };
  let last: ConfigCheck = { ...current, faults: [] };
  return async again => {
    const isKnown = !again && contentDigest(last.files, textOf) === last.contentDigest;
    if (!isKnown) last = await checkConfigAside(options);
    return last;
  };
}
