import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkTree } from '../../scripts/check-imports.ts';

const script = fileURLToPath(new URL('../../scripts/check-imports.ts', import.meta.url));

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'open-bridge-imports-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

function check(files: Readonly<Record<string, string>>): readonly string[] {
  write(files);
  return checkTree(root).breaches.map(({ file, line, rule }) => `${file}:${line}: ${rule}`);
}

const empty = 'export {};\n';

test('a tree that keeps to the rules passes', () => {
  const breaches = check({
    'package.json': JSON.stringify({ name: 'open-bridge', devDependencies: { vitest: '1' } }),
    'src/base/clock.ts': "import { hash } from 'node:crypto';\nexport const x = hash;\n",
    'src/platforms/platform.ts':
      "import type { x } from '../base/clock.ts';\nimport 'zod';\nexport type X = typeof x;\n",
    'src/platforms/platform.test.ts':
      "import 'vitest';\nimport '../server/server.ts';\nconst e = process.env;\n",
    'src/server/server.ts': "export * from '../platforms/platform.ts';\n",
    'src/cli/main.ts': "import '../server/server.ts';\nexport const env = process.env;\n",
    'src/common/environment.ts': 'export const variables = process.env;\n',
    'src/common/embedded.ts': "import '../credentials/open.ts';\n",
    'src/credentials/open.ts': empty,
    'src/simulator/index.ts':
      "// import '../base/clock.ts'\nexport const text = `import '../base/clock.ts'`;\n",
  });
  expect(breaches).toEqual([]);
});

describe('a breach', () => {
  test.each([
    [
      'an import the wrong way',
      'src/base/a.ts',
      "import '../platforms/b.ts';",
      'base may not import platforms, it imports nothing else of src',
    ],
    [
      'of types',
      'src/stores/a.ts',
      "import type { B } from '../credentials/b.ts';",
      'stores may not import credentials, only base, platforms',
    ],
    [
      'inline types',
      'src/stores/a.ts',
      "import { type B } from '../gateway/b.ts';",
      'stores may not import gateway',
    ],
    [
      'of a type in place',
      'src/client/a.ts',
      "export type A = import('../base/b.ts').B;",
      'client may not import base, only contract',
    ],
    ['exporting', 'src/access/a.ts', "export { b } from '../server/b.ts';", 'access may not import server'],
    [
      'exporting everything',
      'src/simulator/a.ts',
      "export * from '../base/b.ts';",
      'simulator may not import base',
    ],
    [
      'when run',
      'src/gateway/a.ts',
      "export const b = () => import('../config/b.ts');",
      'gateway may not import config',
    ],
    [
      'a path unknown until then',
      'src/gateway/a.ts',
      'export const b = (p: string) => import(p);',
      'import() needs a literal path',
    ],
    [
      'a test',
      'src/base/a.ts',
      "import './b.test.ts';",
      'only tests import tests and their fixtures (./b.test.ts)',
    ],
    ['out of src', 'src/base/a.ts', "import '../../test/b.ts';", 'src imports nothing outside src'],
    [
      'the package itself',
      'src/base/a.ts',
      "import 'open-bridge/client';",
      'src imports itself by relative paths',
    ],
    ['a tool', 'src/base/a.ts', "import 'vitest';", 'src imports no development dependency'],
    ['a scoped tool', 'src/base/a.ts', "import '@scope/tool/x';", 'src imports no development dependency'],
    ['a bare builtin', 'src/base/a.ts', "import 'fs/promises';", 'write node:fs/promises'],
    [
      'the environment',
      'src/server/a.ts',
      'export const a = process.env.HOME;',
      'only src/cli reads process.env',
    ],
    ['by brackets', 'src/server/a.ts', "export const a = process['env'];", 'only src/cli reads process.env'],
    [
      'by the global object',
      'src/server/a.ts',
      'export const a = globalThis.process.env;',
      'only src/cli reads process.env',
    ],
    [
      'the environment in the library',
      'src/common/a.ts',
      'export const a = process.env.HOME;',
      'only src/cli reads process.env, and src/common/environment.ts for the library',
    ],
    ['taken apart', 'src/server/a.ts', 'export const { env } = process;', 'only src/cli reads process.env'],
    [
      'by import',
      'src/server/a.ts',
      "import { env as e } from 'node:process';",
      'only src/cli reads process.env',
    ],
    ['a new folder', 'src/misc/a.ts', empty, 'src/misc is not in the table of folders'],
    ['no folder', 'src/a.ts', empty, 'a file directly in src belongs to no folder'],
    ['no TypeScript', 'src/base/a.ts', 'export const = ;', 'cannot be parsed'],
  ])('%s', (_, path, code, rule) => {
    const breaches = check({
      'package.json': JSON.stringify({
        name: 'open-bridge',
        devDependencies: { vitest: '1', '@scope/tool': '1' },
      }),
      [path]: code,
    });
    expect(breaches).toEqual([expect.stringContaining(`${path}:1: ${rule}`)]);
  });

  test('is found on its line, after text in any script', () => {
    const breaches = check({ 'src/base/a.ts': "// 微信 📱\n/* \n */\nimport '../cli/b.ts';\n" });
    expect(breaches).toEqual([expect.stringMatching(/^src\/base\/a\.ts:4: base may not import cli/)]);
  });
});

describe('a circle', () => {
  test('of values', () => {
    const breaches = check({
      'src/base/a.ts': "\nimport './b.ts';\n",
      'src/base/b.ts': "import './c.ts';\n",
      'src/base/c.ts': "import './a.ts';\n",
      'src/base/d.ts': "import './a.ts';\n",
    });
    expect(breaches).toEqual([
      'src/base/a.ts:2: imports run in a circle: src/base/a.ts → src/base/b.ts → src/base/c.ts → src/base/a.ts',
    ]);
  });

  test('of types alone', () => {
    const breaches = check({
      'src/base/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
      'src/base/b.ts': "import type { A } from './a.ts';\nexport type B = A | 1;\n",
    });
    expect(breaches).toHaveLength(1);
  });

  test('of one file', () => {
    expect(check({ 'src/base/a.ts': "export * from './a.ts';\n" })).toHaveLength(1);
  });

  test('in the command line too, which may import everything', () => {
    const breaches = check({
      'src/cli/a.ts': "import './b.ts';\n",
      'src/cli/b.ts': "import './a.ts';\n",
    });
    expect(breaches).toHaveLength(1);
  });
});

describe('the command', () => {
  const run = () => spawnSync(process.execPath, [script, root], { encoding: 'utf8' });

  test('says so and succeeds when there is nothing to say', () => {
    write({ 'src/base/a.ts': empty });
    expect(run()).toMatchObject({
      status: 0,
      stdout: 'files whose imports keep to the rules: 1\n',
      stderr: '',
    });
  });

  test('prints each breach and fails', () => {
    write({ 'src/base/a.ts': "import '../cli/b.ts';\nimport 'fs';\n" });
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      'src/base/a.ts:1: base may not import cli, it imports nothing else of src (../cli/b.ts)',
      'src/base/a.ts:2: write node:fs (fs)',
    ]);
  });
});
