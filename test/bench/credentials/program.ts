import { join } from 'node:path';

/** The parts of the built program that are measured as a library, or that fill its database. */
export interface Program {
  readonly common: typeof import('../../../src/common/index.ts');
  readonly clock: typeof import('../../../src/base/clock.ts');
  readonly config: typeof import('../../../src/config/load.ts');
  readonly apps: typeof import('../../../src/credentials/apps.ts');
  readonly keys: typeof import('../../../src/credentials/keys.ts');
  readonly open: typeof import('../../../src/credentials/open.ts');
}

const FILES: Readonly<Record<keyof Program, string>> = {
  common: 'common/index.js',
  clock: 'base/clock.js',
  config: 'config/load.js',
  apps: 'credentials/apps.js',
  keys: 'credentials/keys.js',
  open: 'credentials/open.js',
};

/** Loads a part of the program from the folder it was compiled into. */
export async function loadPart<Part extends keyof Program>(dist: string, part: Part): Promise<Program[Part]> {
  return import(join(dist, FILES[part]));
}
