import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { createBatchRunner } from './sqlite-batch.ts';

const INSERT = 'insert into t (id, text) values (?, ?)';

function setup() {
  const path = join(temporaryFolder(), 'bridge.db');
  const database = new DatabaseSync(path, { timeout: 1 });
  onTestFinished(() => database.close());
  database.exec(`pragma journal_mode = wal; pragma synchronous = full;
    create table t (id integer primary key, text text not null)`);
  const ids = (): unknown[] =>
    database
      .prepare('select id from t order by id')
      .all()
      .map(row => row['id']);
  const synchronous = () => database.prepare('pragma synchronous').get()?.['synchronous'];
  return { path, database, run: createBatchRunner(database), ids, synchronous };
}

const FULL = 2;

test('tells how many rows changed, of whatever statement', () => {
  const { run, ids } = setup();
  const rows = Array.from({ length: 500 }, (_, id) => [id, `五_é😀 '; --${id}`]);
  expect(run({ sql: INSERT, rows })).toBe(500);
  expect(run({ sql: 'delete from t where id < ?', rows: [[3], [5]] })).toBe(5);
  expect(run({ sql: INSERT, rows: [] })).toBe(0);
  expect(ids()).toHaveLength(495);
});

test('a statement for many rows takes as many as it can, and the other the rest', () => {
  const { database, run, ids } = setup();
  // What the statement for many adds is told from what the other adds.
  const many = { sql: 'insert into t (id, text) values (?, ?), (?, ?), (?, ?)', rows: 3 };
  const sql = "insert into t (id, text) values (?, 'alone' || ?)";
  const rowsOf = (count: number, from: number) => Array.from({ length: count }, (_, n) => [from + n, 'x']);
  for (const [count, from] of [
    [2, 10],
    [3, 20],
    [7, 30],
    [0, 40],
  ] as const)
    expect(run({ sql, rows: rowsOf(count, from), many })).toBe(count);
  expect(ids()).toEqual([10, 11, 20, 21, 22, 30, 31, 32, 33, 34, 35, 36]);
  const alone = database.prepare("select id from t where text = 'alonex' order by id").all();
  expect(alone.map(row => row['id'])).toEqual([10, 11, 36]);
  // The last row is refused, so the six before it are not there either.
  expect(() => run({ sql, rows: [...rowsOf(6, 50), [10, 'x']], many })).toThrow('UNIQUE');
  expect(ids()).toHaveLength(12);
});

test('a batch with a bad row is refused whole, and the next one is not the worse for it', () => {
  const { run, ids } = setup();
  const rows = [
    [2, 'b'],
    [3, null],
    [4, 'd'],
  ];
  expect(() => run({ sql: INSERT, rows })).toThrow(
    expect.objectContaining({ message: expect.stringContaining('NOT NULL'), errcode: 1299 }),
  );
  expect(() => run({ sql: 'insert into nowhere (id) values (?)', rows: [[1]] })).toThrow('nowhere');
  expect(run({ sql: INSERT, rows: [[5, 'e']] })).toBe(1);
  expect(ids()).toEqual([5]);
});

test('it alone does not wait for the disk: all commits after it do, however it ended', () => {
  const { path, database, run, synchronous } = setup();
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  let during: unknown;
  database.function('look', () => {
    during = synchronous();
    return 1;
  });
  run({ sql: 'insert into t (id, text) values (?, look())', rows: [[1]] });
  expect(during).toBe(1);
  expect(synchronous()).toBe(FULL);
  expect(() => run({ sql: INSERT, rows: [[1, 'again']] })).toThrow('UNIQUE');
  expect(synchronous()).toBe(FULL);
  other.exec('begin immediate');
  expect(() => run({ sql: INSERT, rows: [[2, 'x']] })).toThrow(expect.objectContaining({ errcode: 5 }));
  expect(synchronous()).toBe(FULL);
  expect(database.isTransaction).toBe(false);
});
