import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a bridge loads node:http, and not the HTTP client behind the global fetch', async () => {
  const file = JSON.stringify(new URL('../../server/index.ts', import.meta.url).href);
  const loadedBy = async (program: string): Promise<readonly string[]> => {
    const text = `${program}; console.log(JSON.stringify(process.moduleLoadList))`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', text]);
    return (JSON.parse(stdout) as string[]).filter(name =>
      / (http|internal\/deps\/undici\/undici)$/.test(name),
    );
  };
  expect(await loadedBy(`await import(${file})`)).toEqual(['NativeModule http']);
  // What is looked for would be seen.
  expect(await loadedBy("await import('node:http')")).toContain('NativeModule internal/deps/undici/undici');
});

test('methods and reason phrases are those of Node.js', async () => {
  const { METHODS, STATUS_CODES } = await import('./node-http.ts');
  expect(METHODS).toContain('POST');
  expect(STATUS_CODES[404]).toBe('Not Found');
});
