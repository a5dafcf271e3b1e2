import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { checkConfig } from './load.ts';
import { checkConfigAside } from './reload.ts';

const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

/** A configuration whose keys are these; `program` is what ./print-key does. */
function configured(sealKey: unknown, program = 'echo "$KEY"') {
  const folder = temporaryFolder();
  const script = join(folder, 'print-key');
  const path = join(folder, 'open-bridge.json');
  const write = (keys: unknown) => writeFileSync(path, JSON.stringify({ storage: { sealKey: keys } }));
  writeFileSync(script, `#!/bin/sh\n${program}\n`);
  chmodSync(script, 0o700);
  write(sealKey);
  return { path, script, write };
}

/** Both ways to load agree; the result of one of them. */
async function loaded(path: string, env: Record<string, string> = {}) {
  const check = checkConfig({ path, env });
  const aside = await checkConfigAside({ path, env });
  expect({ ...aside, settings: aside.settings?.storage.sealKeys }).toEqual({
    ...check,
    settings: check.settings?.storage.sealKeys,
  });
  return {
    digest: check.digest,
    keys: check.settings?.storage.sealKeys.map(each => each.reveal()),
    faults: check.faults.map(fault => `${fault.path}: ${fault.message}`),
  };
}

const COMMAND = { command: ['./print-key'] };

test('a program prints a key: alone, or among others in their order', async () => {
  const { path, write } = configured(COMMAND);
  expect((await loaded(path, { KEY: key(1) })).keys).toEqual([key(1)]);
  write([key(2), COMMAND, key(3)]);
  expect((await loaded(path, { KEY: key(1) })).keys).toEqual([key(2), key(1), key(3)]);
});

test('what surrounds the key is trimmed, and arguments reach the program as they are', async () => {
  const { path } = configured(
    { command: ['./print-key', '$KEY; exit 1'] },
    'echo; echo " $KEY "; [ "$1" = "\\$KEY; exit 1" ]',
  );
  expect((await loaded(path, { KEY: key(4) })).keys).toEqual([key(4)]);
});

test('another key printed is another configuration, though no file changed', async () => {
  const { path } = configured(COMMAND);
  const first = await loaded(path, { KEY: key(1) });
  expect((await loaded(path, { KEY: key(1) })).digest).toBe(first.digest);
  expect((await loaded(path, { KEY: key(2) })).digest).not.toBe(first.digest);
});

const ADVICE = 'run it by hand as the user of the bridge: it must print one sealing key and nothing else';

test.each([
  ['exit 3', `the program "./print-key" ended with status 3; ${ADVICE}`],
  ['kill -9 $$', `the program "./print-key" failed (SIGKILL); ${ADVICE}`],
  ['true', `the program "./print-key" printed nothing; ${ADVICE}`],
  ['echo canary-canary >&2; exit 1', `the program "./print-key" ended with status 1; ${ADVICE}`],
  [
    'head -c 100000 /dev/zero | tr "\\0" a',
    `the program "./print-key" printed more than 4096 bytes; ${ADVICE}`,
  ],
  ['echo canary-canary', /^a sealing key is 32 random bytes in base64 \(44 characters\); this one has 13 /],
  ['echo "$KEY"; echo "$KEY"', /^a sealing key is 32 random bytes .* this one has 89 characters/],
])('a program that does this is a fault: %s', async (program, message) => {
  const { path } = configured({ command: ['./print-key', 'canary-argument'] }, program);
  const { faults, keys } = await loaded(path, { KEY: key(1), PATH: '/usr/bin:/bin' });
  expect(keys).toBeUndefined();
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^storage\.sealKey: /);
  expect(faults[0]?.slice('storage.sealKey: '.length)).toEqual(
    typeof message === 'string' ? message : expect.stringMatching(message),
  );
  expect(faults[0]).not.toContain('canary');
});

test('a program that is not there, or may not be run', async () => {
  const { path, script } = configured([COMMAND, { command: ['./other'] }]);
  chmodSync(script, 0o600);
  expect((await loaded(path)).faults).toEqual([
    `storage.sealKey[0]: the program "./print-key" may not be run by this user; ${ADVICE}`,
    `storage.sealKey[1]: the program "./other" is not found; ${ADVICE}`,
  ]);
});

test('the same key from a program and from the file is a fault', async () => {
  const { path } = configured([key(1), COMMAND]);
  expect((await loaded(path, { KEY: key(1) })).faults).toEqual([
    'storage.sealKey[1]: the same key as storage.sealKey[0]',
  ]);
});

test('no program is run for a configuration with another fault', async () => {
  const { path, script } = configured(COMMAND);
  writeFileSync(path, JSON.stringify({ apps: 5, storage: { sealKey: COMMAND } }));
  writeFileSync(script, `#!/bin/sh\ntouch ${script}.ran\n`);
  expect((await loaded(path)).faults).toEqual(['apps: must be an array, not a number']);
  expect(checkConfig({ path: `${script}.ran`, env: {} }).faults[0]?.message).toContain(
    'there is no such file',
  );
});
