import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { loadConfig } from './load.ts';
import { createConfigReader } from './reload.ts';

const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

/** A configuration whose app's name is in a file and whose key a program prints. */
function configured() {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const path = at('open-bridge.json');
  writeFileSync(at('print-key'), '#!/bin/sh\ncat ./key\n');
  chmodSync(at('print-key'), 0o700);
  writeFileSync(at('key'), key(1));
  const app = { name: '${file:./name}', platform: 'weixin-mp', appid: 'wx01', secret: 'secret' };
  writeFileSync(at('name'), 'shop');
  writeFileSync(path, JSON.stringify({ apps: [app], storage: { sealKey: { command: ['./print-key'] } } }));
  const current = loadConfig({ path, env: {} });
  return { at, current, read: createConfigReader({ path, env: {} }, current) };
}

test('files that did not change are not checked again', async () => {
  const { at, current, read } = configured();
  expect((await read(false)).settings).toBe(current.settings);
  // As an editor does that saves what was there.
  writeFileSync(at('name'), 'shop');
  expect((await read(false)).settings).toBe(current.settings);
});

test('every change of any of them is seen once', async () => {
  const { at, current, read } = configured();
  writeFileSync(at('name'), 'news');
  const changed = await read(false);
  expect(changed.settings?.apps[0]?.name).toBe('news');
  expect(changed.digest).not.toBe(current.digest);
  expect((await read(false)).settings).toBe(changed.settings);
  rmSync(at('name'));
  const gone = await read(false);
  expect(gone.faults).toHaveLength(1);
  expect(await read(false)).toBe(gone);
  writeFileSync(at('name'), 'shop');
  expect((await read(false)).digest).toBe(current.digest);
});

test('by hand everything is looked at, keys that programs print included', async () => {
  const { at, current, read } = configured();
  writeFileSync(at('key'), key(2));
  expect((await read(false)).settings).toBe(current.settings);
  const again = await read(true);
  expect(again.settings?.storage.sealKeys.map(each => each.reveal())).toEqual([key(2)]);
  expect(again.digest).not.toBe(current.digest);
});
