import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { systemClock } from '../base/clock.ts';
import { Secret } from '../base/secret.ts';
import { sampleSeals } from './seal-sample.ts';
import { createSealer, newSealKey } from './sealing.ts';
import { openSqliteStore } from './sqlite.ts';
import type { StoredTextTable } from './store.ts';

/** A file with so many credentials, each sealed, made in one statement. */
async function fileWith(rows: number, sealed: string): Promise<StoredTextTable> {
  const path = join(temporaryFolder(), 'bridge.db');
  const store = await openSqliteStore({ path, clock: systemClock, random: seededRandom() });
  onTestFinished(() => store.close());
  const raw = new DatabaseSync(path);
  raw
    .prepare(
      `insert into "opendb-open-data" (_id, value, expired, epoch, background)
       with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       select 'uni-id:weixin-mp:wx01:o' || i || ':session-key', ?, -1, 1, 0 from n`,
    )
    .run(rows, sealed);
  raw.close();
  return store.texts;
}

test('what is read does not grow with what is stored', async () => {
  const sealer = createSealer([new Secret(newSealKey())]);
  const texts = await fileWith(50_000, sealer.seal('{}', 'of another row'));
  let read = 0;
  const counted: Pick<StoredTextTable, 'scan'> = {
    async scan(...page) {
      const rows = await texts.scan(...page);
      read += rows.length;
      return rows;
    },
  };
  const sample = await sampleSeals(counted, sealer, sealer.keyIds(), 1200);
  expect(read).toBe(1200);
  expect(sample).toMatchObject({ rows: 1200, isComplete: false, unsealed: 0 });
  const [[id, found] = []] = sample.keys;
  expect(id).toBe(sealer.keyIds()[0]);
  expect(found).toMatchObject({ count: 1200, damaged: 1200 });
  expect(found?.examples).toHaveLength(3);
});

test('a key that is not configured is counted, and nothing is tried with it', async () => {
  const sealer = createSealer([new Secret(newSealKey())]);
  const stranger = createSealer([new Secret(newSealKey())]);
  const texts = await fileWith(10, stranger.seal('{}', 'x'));
  const sample = await sampleSeals(texts, sealer, sealer.keyIds(), 1000);
  expect(sample).toMatchObject({ rows: 10, isComplete: true });
  expect([...sample.keys]).toEqual([[stranger.keyIds()[0], { count: 10, damaged: 0, examples: [] }]]);
});
