import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import type { KeptBody } from './replay-store.ts';
import { createReplayStore } from './replay-store.ts';

let names = 0;

function setup(): { store: ReturnType<typeof createReplayStore>; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'open-bridge-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const randomHex = (): string => {
    names += 1;
    return String(names);
  };
  return { store: createReplayStore({ clock: manualClock(), tmpDir: folder, randomHex }), folder };
}

async function contentOf(kept: KeptBody): Promise<string | undefined> {
  const body = kept.open();
  if (!(body instanceof Readable)) return body?.toString();
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}

const bytes = (char: string, count = 10): Buffer => Buffer.from(char.repeat(count));

test('what fits stays in memory until it is released', async () => {
  const { store, folder } = setup();
  const kept = store.keep({ memoryBytes: 25, memoryTotalBytes: 100 });
  expect(kept.append(bytes('a'))).toBeUndefined();
  expect(kept.append(bytes('b'))).toBeUndefined();
  expect(store.memoryInUse()).toBe(20);
  expect(await contentOf(kept)).toBe(`${'a'.repeat(10)}${'b'.repeat(10)}`);
  kept.release();
  kept.release();
  expect(store.memoryInUse()).toBe(0);
  expect(kept.open()).toBeUndefined();
  expect(kept.append(bytes('c'))).toBeUndefined();
  expect(store.memoryInUse()).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});

test('what outgrows its share goes to a file without a name, in order even when nobody waits', async () => {
  const { store, folder } = setup();
  const kept = store.keep({ memoryBytes: 15, memoryTotalBytes: 100 });
  expect(kept.append(bytes('a'))).toBeUndefined();
  await Promise.all(['b', 'c', 'd'].map(char => kept.append(bytes(char))));
  expect(store.memoryInUse()).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
  const whole = ['a', 'b', 'c', 'd'].map(char => char.repeat(10)).join('');
  expect(await contentOf(kept)).toBe(whole);
  expect(await contentOf(kept)).toBe(whole);
  kept.release();
});

test('all bodies together keep within the total', async () => {
  const { store } = setup();
  const limits = { memoryBytes: 100, memoryTotalBytes: 15 };
  const one = store.keep(limits);
  const two = store.keep(limits);
  expect(one.append(bytes('a'))).toBeUndefined();
  const written = two.append(bytes('b'));
  expect(written).toBeInstanceOf(Promise);
  await written;
  expect(store.memoryInUse()).toBe(10);
  one.release();
  const three = store.keep(limits);
  expect(three.append(bytes('c'))).toBeUndefined();
  expect(await contentOf(two)).toBe('b'.repeat(10));
  two.release();
  three.release();
  expect(store.memoryInUse()).toBe(0);
});

test('a file that is being read outlives the release', async () => {
  const { store } = setup();
  const kept = store.keep({ memoryBytes: 0, memoryTotalBytes: 0 });
  await kept.append(bytes('x', 500_000));
  const reader = kept.open() as Readable;
  kept.release();
  let size = 0;
  for await (const chunk of reader) size += chunk.length;
  expect(size).toBe(500_000);
});

test('a release while it is being written loses nothing but the copy', async () => {
  const { store } = setup();
  const kept = store.keep({ memoryBytes: 15, memoryTotalBytes: 15 });
  kept.append(bytes('a'));
  const writing = kept.append(bytes('b'));
  kept.release();
  await writing;
  expect(store.memoryInUse()).toBe(0);
  expect(kept.open()).toBeUndefined();
});

test('a disk that cannot be written costs the copy and nothing else', async () => {
  const { store, folder } = setup();
  rmSync(folder, { recursive: true });
  const kept = store.keep({ memoryBytes: 15, memoryTotalBytes: 100 });
  kept.append(bytes('a'));
  await kept.append(bytes('b'));
  expect(kept.append(bytes('c'))).toBeUndefined();
  expect(kept.open()).toBeUndefined();
  expect(store.memoryInUse()).toBe(0);
});
