import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from '../src/config/json-schema.ts';

/**
 * Writes open-bridge.schema.json, which editors check a configuration file with. With --check it writes
 * nothing and fails when the file is stale.
 */
const NAME = 'open-bridge.schema.json';
const target = fileURLToPath(new URL(`../${NAME}`, import.meta.url));
const biome = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url));

// The formatter has the last word on line breaks, so that it finds nothing to change in the file.
const text = execFileSync(biome, ['format', '--stdin-file-path', NAME], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  input: JSON.stringify(configJsonSchema(), null, 2),
  encoding: 'utf8',
});

if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readIfThere(target) !== text) {
  console.error(`${NAME} is stale: run node scripts/write-config-schema.ts`);
  process.exitCode = 1;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
