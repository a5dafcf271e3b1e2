import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { seededRandom } from '../../../test/support/temporary.ts';
import { openSqliteStore } from '../../stores/sqlite.ts';
import type { CredentialRow, CredentialTable } from '../../stores/store.ts';
import { importRows } from './import-rows.ts';
import type { Line } from './line-reader.ts';

const clock = manualClock();
const NOW = clock.now();

async function emptyTable(): Promise<CredentialTable> {
  const store = await openSqliteStore({ path: ':memory:', clock, random: seededRandom() });
  onTestFinished(() => store.close());
  return store.credentials;
}

const lineOf = (_id: string, expired: number = NOW + 1000, token = 'T'): string =>
  JSON.stringify({ _id, value: JSON.stringify({ access_token: token }), expired });

async function imported(credentials: CredentialTable, texts: readonly (string | Line)[], force = false) {
  const faults: { readonly line: number; readonly message: string }[] = [];
  const progress: number[] = [];
  async function* lines(): AsyncGenerator<Line> {
    for (const [at, each] of texts.entries())
      yield typeof each === 'string' ? { number: at + 1, text: each } : each;
  }
  const counts = await importRows({
    credentials,
    lines: lines(),
    now: () => clock.now(),
    force,
    onFault: fault => faults.push(fault),
    onProgress: count => progress.push(count),
  });
  return { counts, faults, progress };
}

const tokenOf = (row: CredentialRow | undefined): unknown => row && JSON.parse(row.value).access_token;

test('good lines are imported, and what becomes of the others is told', async () => {
  const credentials = await emptyTable();
  const { counts, faults } = await imported(credentials, [
    lineOf('a'),
    'garbage',
    { number: 3, fault: 'is not UTF-8' },
    lineOf('ended', NOW),
    lineOf('just', NOW + 1),
    lineOf('never', -1),
  ]);
  expect(counts).toEqual({ lines: 6, imported: 3, kept: 0, ended: 1, malformed: 2 });
  expect(faults).toEqual([
    { line: 2, message: 'is not JSON; there must be one whole object in each line' },
    { line: 3, message: 'is not UTF-8' },
  ]);
  expect((await credentials.scan(10)).map(row => row.id)).toEqual(['a', 'just', 'never']);
});

test('importing again, or an older file, takes nothing back', async () => {
  const credentials = await emptyTable();
  const lines = [lineOf('a'), lineOf('b')];
  await imported(credentials, lines);
  expect((await imported(credentials, lines)).counts).toMatchObject({ imported: 2, kept: 0 });
  await imported(credentials, [lineOf('a', NOW + 2000, 'newer')]);
  expect((await imported(credentials, lines)).counts).toMatchObject({ imported: 1, kept: 1 });
  expect(tokenOf(await credentials.get('a'))).toBe('newer');
});

test('what the bridge wrote is replaced by force alone', async () => {
  const credentials = await emptyTable();
  await imported(credentials, [lineOf('a')]);
  const row = await credentials.get('a');
  if (row === undefined) throw new Error('nothing was imported');
  await credentials.commit({ ...row, epoch: 1, expiresAt: NOW + 10, value: '{"access_token":"ours"}' }, 0);
  expect((await imported(credentials, [lineOf('a')])).counts).toMatchObject({ imported: 0, kept: 1 });
  expect(tokenOf(await credentials.get('a'))).toBe('ours');
  expect((await imported(credentials, [lineOf('a')], true)).counts).toMatchObject({ imported: 1, kept: 0 });
  expect(await credentials.get('a')).toMatchObject({ epoch: 2, expiresAt: NOW + 1000 });
  expect(tokenOf(await credentials.get('a'))).toBe('T');
});

test('of two lines with one id the one that ends later stands', async () => {
  for (const [first, second, token] of [
    [NOW + 5, NOW + 6, 'second'],
    [NOW + 6, NOW + 5, 'first'],
    [NOW + 5, NOW + 5, 'second'],
  ] as const) {
    const credentials = await emptyTable();
    const lines = [lineOf('a', first, 'first'), lineOf('b'), lineOf('a', second, 'second')];
    const { counts } = await imported(credentials, lines);
    expect(tokenOf(await credentials.get('a'))).toBe(token);
    expect(counts.imported + counts.kept).toBe(3);
  }
});

test('many lines are written in batches, and none is lost between two', async () => {
  const credentials = await emptyTable();
  const lines = Array.from({ length: 1201 }, (_, n) => lineOf(`row-${n}`));
  const { counts, progress } = await imported(credentials, lines);
  expect(counts).toMatchObject({ lines: 1201, imported: 1201 });
  expect(progress).toEqual([500, 1000, 1201]);
  expect(await credentials.scan(2000)).toHaveLength(1201);
});
