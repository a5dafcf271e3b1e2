import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { openBatches } from './sqlite-batches.ts';

const INSERT = 'insert into t (id, text) values (?, ?)';

function setup() {
  const path = join(temporaryFolder(), 'bridge.db');
  const raw = new DatabaseSync(path);
  raw.exec('pragma journal_mode = wal; create table t (id integer primary key, text text not null)');
  const batches = openBatches(path);
  onTestFinished(async () => {
    await batches.close();
    raw.close();
  });
  const ids = (): unknown[] =>
    raw
      .prepare('select id from t order by id')
      .all()
      .map(row => row['id']);
  return { path, raw, batches, ids };
}

test('tells how many rows changed, of whatever statement', async () => {
  const { batches, ids } = setup();
  const rows = Array.from({ length: 500 }, (_, id) => [id, `五_é😀 '; --${id}`]);
  expect(await batches.run({ sql: INSERT, rows })).toBe(500);
  expect(await batches.run({ sql: 'delete from t where id < ?', rows: [[3], [5]] })).toBe(5);
  expect(await batches.run({ sql: INSERT, rows: [] })).toBe(0);
  expect(ids()).toHaveLength(495);
});

test('a batch with a bad row is refused whole, and the next one is not the worse for it', async () => {
  const { batches, ids } = setup();
  const outcomes = await Promise.allSettled([
    batches.run({ sql: INSERT, rows: [[1, 'a']] }),
    batches.run({
      sql: INSERT,
      rows: [
        [2, 'b'],
        [3, null],
        [4, 'd'],
      ],
    }),
    batches.run({ sql: 'insert into nowhere (id) values (?)', rows: [[1]] }),
    batches.run({ sql: INSERT, rows: [[5, 'e']] }),
  ]);
  expect(outcomes.map(each => each.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({
    reason: { message: expect.stringContaining('NOT NULL'), errcode: 1299 },
  });
  expect(ids()).toEqual([1, 5]);
});

test('a lock that another holds is waited for without stopping the event loop', async () => {
  const { raw, batches, ids } = setup();
  await batches.run({ sql: INSERT, rows: [[1, 'a']] });
  raw.exec('begin immediate');
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  let done = false;
  const pending = batches.run({ sql: INSERT, rows: [[2, 'b']] }).then(() => {
    done = true;
  });
  await delay(300);
  delays.disable();
  expect(done).toBe(false);
  expect(delays.max / 1e6).toBeLessThan(200);
  raw.exec('commit');
  await pending;
  expect(ids()).toEqual([1, 2]);
});

test('closing runs what was given, and nothing after', async () => {
  const { batches, ids } = setup();
  const given = Array.from({ length: 20 }, (_, id) => batches.run({ sql: INSERT, rows: [[id, 'x']] }));
  await batches.close();
  await Promise.all(given);
  expect(ids()).toHaveLength(20);
  await expect(batches.run({ sql: INSERT, rows: [[99, 'x']] })).rejects.toThrow('not open');
  await batches.close();
});

test('a file that cannot be opened fails the batch, until it can', async () => {
  const path = join(temporaryFolder(), 'later', 'bridge.db');
  const batches = openBatches(path);
  onTestFinished(() => batches.close());
  await expect(batches.run({ sql: INSERT, rows: [] })).rejects.toMatchObject({ errcode: 14 });
});

test('an idle thread keeps no program from ending', async () => {
  const { path, ids } = setup();
  const file = JSON.stringify(new URL('./sqlite-batches.ts', import.meta.url).href);
  const program = `const { openBatches } = await import(${file});
    await openBatches(${JSON.stringify(path)}).run({ sql: ${JSON.stringify(INSERT)}, rows: [[7, 'x']] });`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 });
  expect(ids()).toEqual([7]);
});
