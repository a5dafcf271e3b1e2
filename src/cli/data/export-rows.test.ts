import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { seededRandom } from '../../../test/support/temporary.ts';
import { Secret } from '../../base/secret.ts';
import { foreignRow } from '../../stores/foreign-row.ts';
import { createSealer, newSealKey, sealStore } from '../../stores/sealing.ts';
import { openSqliteStore } from '../../stores/sqlite.ts';
import type { CredentialRow, CredentialTable } from '../../stores/store.ts';
import { exportRows } from './export-rows.ts';
import { readRow } from './row-text.ts';

const foreign = (id: string, change: Partial<CredentialRow> = {}): CredentialRow => ({
  ...foreignRow(id, '{"session_key":"canary-session-key"}', Number.POSITIVE_INFINITY),
  ...change,
});

async function setup() {
  const store = await openSqliteStore({ path: ':memory:', clock: manualClock(), random: seededRandom() });
  onTestFinished(() => store.close());
  const sealed = (): CredentialTable =>
    sealStore(store, createSealer([new Secret(newSealKey())])).credentials;
  return { ours: sealed(), former: sealed() };
}

async function exported(credentials: CredentialTable, full: boolean) {
  const written: string[] = [];
  const faults: string[] = [];
  const progress: number[] = [];
  const counts = await exportRows({
    credentials,
    full,
    write: async lines => void written.push(...lines.split('\n')),
    onFault: row => faults.push(`${row.id}: ${row.fault?.code}`),
    onProgress: rows => progress.push(rows),
  });
  return { counts, written, faults, progress };
}

test('every row is written, over all pages, as it is', async () => {
  const { ours } = await setup();
  const rows = Array.from({ length: 1000 }, (_, n) => foreign(`row-${String(n).padStart(4, '0')}`));
  await ours.merge(rows.slice(0, 500));
  await ours.merge(rows.slice(500));
  const { counts, written, progress } = await exported(ours, false);
  expect(counts).toEqual({ rows: 1000, broken: 0 });
  expect(written.map(readRow)).toEqual(rows);
  expect(progress).toEqual([500, 1000, 1000]);
});

test('our own columns are there on demand alone', async () => {
  const { ours } = await setup();
  const row = foreign('a', { epoch: 3, platform: 'weixin-mp', appid: 'wx01', kind: 'session-key' });
  await ours.commit(row, 0);
  expect((await exported(ours, true)).written.map(readRow)).toEqual([row]);
  expect((await exported(ours, false)).written.map(readRow)).toEqual([foreign('a')]);
});

test('rows that do not open are told of, and hide no others', async () => {
  const { ours, former } = await setup();
  for (const id of ['a', 'c', 'z']) await former.commit(foreign(id), 0);
  for (const id of ['b', 'd']) await ours.commit(foreign(id), 0);
  const { counts, written, faults } = await exported(ours, false);
  expect(counts).toEqual({ rows: 2, broken: 3 });
  expect(written.map(readRow)).toEqual([foreign('b'), foreign('d')]);
  expect(faults).toEqual(['a: SEAL_BROKEN', 'c: SEAL_BROKEN', 'z: SEAL_BROKEN']);
});

test('an empty table makes an empty export', async () => {
  const { ours } = await setup();
  expect(await exported(ours, false)).toMatchObject({ counts: { rows: 0, broken: 0 }, written: [] });
});
