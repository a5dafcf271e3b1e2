import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { folderWith, UNI_ID, UNI_OPEN_BRIDGE } from '../../config/uni-config-center/folder.fixture.ts';
import { configCommand } from '../config.ts';

/** Runs `open-bridge config import` in this process. */
async function importFolder(...args: string[]): Promise<string> {
  const printed: string[] = [];
  const command = configCommand({
    ...{ version: '0', instance: 'test', env: {}, tmpDir: '/tmp', uid: undefined },
    async out(text) {
      printed.push(text);
    },
    err: text => void printed.push(text),
    onSignal() {},
    exit(code) {
      throw new Error(`exits with ${code}`);
    },
  });
  await command.parseAsync(['import', ...args], { from: 'user' });
  return printed.join('\n');
}

function project() {
  const { path } = folderWith({
    'uni-id/config.json': UNI_ID,
    'uni-open-bridge/config.json': UNI_OPEN_BRIDGE,
    'uni-pay/config.json': {},
  });
  return { path, out: join(dirname(path), 'made.json') };
}

const modeOf = (file: string): number => statSync(file).mode & 0o777;

test('writes a file for its owner alone, and tells what was taken, what was left and what comes next', async () => {
  const { path, out } = project();
  const told = await importFolder(path, '--out', out);
  expect(modeOf(out)).toBe(0o600);
  expect(readFileSync(out, 'utf8')).toContain('"secret": "secret-of-the-mini-program"');
  expect(told).toContain('taken    app weixin-mp (weixin-mp, wx0000000000000001)');
  expect(told).toContain('taken    schedule of __UNI__SHOP01');
  expect(told).toMatch(
    /left {5}\S+uni-id\/config\.json:\d+:\d+ app\.oauth\.apple: not a platform of open-bridge/,
  );
  expect(told).toMatch(/left {5}\S+uni-pay: not of uni-open-bridge/);
  expect(told).toMatch(/warning {2}\S+uni-open-bridge\/config\.json:9:19 ipWhiteList\[0\]: is no wildcard/);
  expect(told).toContain(`next     open-bridge keys new --out ${join(dirname(out), 'data', 'seal.key')}`);
  expect(told).toContain(`next     open-bridge config check ${out}`);
  expect(told).not.toMatch(/secret-of|token-secret|password-secret/);
});

test('never writes over a file unasked, and leaves it for its owner alone when asked', async () => {
  const { path, out } = project();
  writeFileSync(out, 'mine');
  chmodSync(out, 0o644);
  await expect(importFolder(path, '--out', out)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: expect.stringContaining('--force'),
  });
  expect(readFileSync(out, 'utf8')).toBe('mine');

  await importFolder(path, '--out', out, '--force');
  expect(readFileSync(out, 'utf8')).toContain('"apps"');
  expect(modeOf(out)).toBe(0o600);
  expect(readdirSync(dirname(out)).filter(name => name.startsWith('made.json'))).toEqual(['made.json']);
});

test('prints JSON for scripts', async () => {
  const { path, out } = project();
  const told = JSON.parse(await importFolder(path, '--out', out, '--json'));
  expect(told).toMatchObject({ file: out, warnings: [{ path: 'ipWhiteList[0]', line: 9 }] });
  expect(told.taken).toHaveLength(8);
  expect(told.next).toHaveLength(2);
});

test('a folder that cannot be taken is refused with all its faults, and nothing is written', async () => {
  const { path, out } = project();
  writeFileSync(join(path, 'uni-id', 'config.json'), '[1]');
  writeFileSync(join(path, 'uni-open-bridge', 'config.json'), '[]');
  await expect(importFolder(path, '--out', out)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(
      /2 faults:\n.*uni-id.*must be an object\n.*uni-open-bridge.*must be an object/,
    ),
  });
  expect(existsSync(out)).toBe(false);
});

test('a folder that is not there says what is wanted', async () => {
  await expect(importFolder('/nowhere/at/all')).rejects.toMatchObject({
    message: expect.stringContaining('name the uni-config-center folder itself'),
  });
});
