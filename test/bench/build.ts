import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.ts';

/**
 * Compiles a checkout into a folder and gives the path of its command line. Measured is JavaScript as
 * it is published: stripping types at start-up would be added to every start otherwise.
 */
export async function buildGateway(checkout: string, directory: string): Promise<string> {
  mkdirSync(directory);
  copyFileSync(join(checkout, 'package.json'), join(directory, 'package.json'));
  symlinkSync(join(checkout, 'node_modules'), join(directory, 'node_modules'));
  const main = join(directory, 'dist', 'cli', 'main.js');
  const tsc = join(checkout, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = ['-p', join(checkout, 'tsconfig.build.json'), '--outDir', join(directory, 'dist')];
  try {
    await run(process.execPath, [tsc, ...args], undefined);
  } catch (error) {
    // A type error does not keep the compiler from writing what it can.
    if (!existsSync(main)) throw error;
    console.error(`the checkout in ${checkout} has type errors; measuring it all the same`);
  }
  return main;
}
