import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../../test/support/canary.ts';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../../test/support/temporary.ts';
import { callRow } from '../call-row.fixture.ts';
import { createSeqids } from '../seqids.ts';
import { openSqliteStore } from '../sqlite.ts';
import type { CallQuery, CallRow, CallTable } from '../store.ts';

const START = Date.parse('2026-03-01T04:00:00Z');
const newSeqid = createSeqids(bytes => randomBytes(bytes).toString('hex'));

/** An id as earlier versions made it: all digits after the second are random. */
const formerSeqid = (at: number): string =>
  `${Math.floor(at / 1000).toString(16)}-${randomBytes(8).toString('hex')}`;

function callAt(startedAt: number, change: Partial<CallRow> = {}): CallRow {
  return callRow({ seqid: newSeqid(startedAt), startedAt, ...change });
}

async function open(path: string, log = keptLog()) {
  const store = await openSqliteStore({ path, clock: manualClock(START), random: seededRandom(), log });
  onTestFinished(() => store.close());
  return store;
}

function rawConnection(path: string): DatabaseSync {
  const raw = new DatabaseSync(path);
  onTestFinished(() => raw.close());
  return raw;
}

/** All calls found, over all pages. */
async function all(calls: CallTable, query: CallQuery): Promise<CallRow[]> {
  const found: CallRow[] = [];
  let cursor: string | undefined;
  do {
    const page = await calls.list({ ...query, cursor });
    found.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

test('whatever is asked for, and in pages of whatever size, the answer is that of a plain look through all calls', async () => {
  const { calls } = await open(':memory:');
  const rows: CallRow[] = [];
  const random = seededRandom(7);
  const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  for (let number = 0; number < 400; number += 1) {
    const startedAt = START + Math.floor(random() * pick(4000, 4000, 300_000));
    rows.push(
      callAt(startedAt, {
        seqid: pick(newSeqid, newSeqid, formerSeqid)(startedAt),
        caller: pick('orders', 'reader', undefined),
        appid: pick('wx01', 'wx02'),
        ...pick({}, {}, { errcode: 45009, rid: '65a1b2c3-0f0f0f0f-1a2b3c4d' }, { status: 500 }),
      }),
    );
  }
  // Batches of whatever size, none of them in order, as several nodes with slow calls write them.
  for (let at = 0; at < rows.length; ) {
    const size = pick(1, 2, 7, 30);
    await calls.append(rows.slice(at, at + size));
    at += size;
  }
  const query = fc.record({
    limit: fc.integer({ min: 1, max: 500 }),
    before: fc.option(fc.integer({ min: START - 10, max: START + 300_010 }), { nil: undefined }),
    caller: fc.constantFrom(undefined, undefined, 'orders', 'nobody'),
    appid: fc.constantFrom(undefined, undefined, 'wx02'),
    errcode: fc.constantFrom(undefined, undefined, 45009),
    rid: fc.constantFrom(undefined, undefined, '65a1b2c3-0f0f0f0f-1a2b3c4d'),
    failedOnly: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(query, async asked => {
      const expected = rows
        .filter(row => asked.before === undefined || row.startedAt < asked.before)
        .filter(row => asked.caller === undefined || row.caller === asked.caller)
        .filter(row => asked.appid === undefined || row.appid === asked.appid)
        .filter(row => asked.errcode === undefined || row.errcode === asked.errcode)
        .filter(row => asked.rid === undefined || row.rid === asked.rid)
        .filter(row => !asked.failedOnly || row.errcode !== 0 || row.status >= 400)
        .sort((a, b) => (a.seqid < b.seqid ? 1 : -1));
      expect(await all(calls, asked)).toEqual(expected);
    }),
  );
});

test('calls with ids of today are listed to the millisecond', async () => {
  const { calls } = await open(':memory:');
  const times = [5, 3, 999, 0, 1000, 4, 1001];
  await calls.append(times.map(ms => callAt(START + ms)));
  const listed = await all(calls, { limit: 2 });
  expect(listed.map(row => row.startedAt - START)).toEqual([1001, 1000, 999, 5, 4, 3, 0]);
});

test('a time before or after all others is a time like any', async () => {
  const { calls } = await open(':memory:');
  await calls.append([callAt(START)]);
  for (const before of [0, -1, 1e9, START])
    expect(await all(calls, { limit: 5, before, caller: 'orders' })).toEqual([]);
  for (const before of [START + 1, START + 1e12, 8.64e15])
    expect(await all(calls, { limit: 5, before, caller: 'orders' })).toHaveLength(1);
  expect(await calls.prune({ olderThan: -5e9, keepAtMost: 10, limit: 10 })).toBe(0);
});

test('a page asked for with the wrong time ends all the same', async () => {
  const { calls } = await open(':memory:');
  await calls.append([callAt(START), callAt(START + 5000)]);
  const cursor = newSeqid(START + 9000);
  expect((await calls.list({ limit: 5, before: START + 1000, cursor })).rows).toHaveLength(1);
});

test('age is told to the second, and a batch goes when its last call is too old', async () => {
  const { calls } = await open(':memory:');
  for (const seconds of [0, 1, 2, 3])
    await calls.append([callAt(START + seconds * 1000), callAt(START + seconds * 1000 + 1500)]);
  const removed = await calls.prune({ olderThan: START + 3999, keepAtMost: 100, limit: 100 });
  expect(removed).toBe(4);
  const left = (await all(calls, { limit: 100 })).map(row => row.startedAt - START);
  expect(left).toEqual([4500, 3500, 3000, 2000]);
});

test('a batch of any size is a row of its own, and its calls are found', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  const { calls } = await open(path);
  const raw = rawConnection(path);
  let added = 0;
  for (const size of [1, 19, 500, 0]) {
    const rows = Array.from({ length: size }, (_, n) => callAt(START + added + n));
    await calls.append(rows);
    added += size;
    for (const row of rows) expect(await calls.get(row.seqid)).toEqual(row);
  }
  expect(raw.prepare('select calls from open_bridge_call_batches order by id').all()).toEqual(
    [1, 19, 500].map(calls => ({ calls })),
  );
});

test('no batch spans more than a minute, so that a look-up need not look far', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  const { calls } = await open(path);
  const rows = [0, 61_000, 30_000, 200_000, 60_999, 201_000, 500_000].map(ms => callAt(START + ms));
  await calls.append(rows);
  await calls.append(rows);
  const stored = rawConnection(path)
    .prepare('select * from open_bridge_call_batches order by last_seqid')
    .all();
  expect(stored.map(batch => batch['calls'])).toEqual([3, 1, 2, 1]);
  for (const row of rows) expect(await calls.get(row.seqid)).toEqual(row);
  expect(await all(calls, { limit: 2 })).toEqual(rows.toSorted((a, b) => (a.seqid < b.seqid ? 1 : -1)));
});

test('what is no seqid finds nothing', async () => {
  const { calls } = await open(':memory:');
  await calls.append([callAt(START)]);
  for (const id of ['', 'nobody', '69a3b9c0', 'ffffffff-ffff', '%', '69A3B9C0-007b1f0e2d3c4b5a'])
    expect(await calls.get(id)).toBeUndefined();
  for (const cursor of ['', 'nobody', 'ffffffff-ffff', '00000000-0'])
    expect((await calls.list({ limit: 5, cursor })).rows.length).toBeLessThanOrEqual(1);
});

test('a batch that cannot be read hides no other, and is told of once', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  const log = keptLog();
  const { calls } = await open(path, log);
  const rows = [0, 1000, 2000].map(ms => callAt(START + ms));
  for (const row of rows) await calls.append([row]);
  rawConnection(path).exec(
    "update open_bridge_call_batches set packed = replace(packed, '[[', '[') where id = 2",
  );
  expect(await all(calls, { limit: 5 })).toEqual([rows[2], rows[0]]);
  expect(await all(calls, { limit: 5, caller: 'orders' })).toEqual([rows[2], rows[0]]);
  expect(await calls.get(rows[1]?.seqid ?? '')).toBeUndefined();
  expect(log.messages('warn')).toEqual(['a batch of the call log cannot be read; it is passed over']);
  expect(log.lines[0]?.fields).toMatchObject({ first: rows[1]?.seqid, calls: 1 });
});

test('of few or many batches, so many calls are kept as were asked for, and less than a batch more', async () => {
  const { calls } = await open(':memory:');
  for (let at = 0; at < 40; at += 1)
    await calls.append(Array.from({ length: 25 }, (_, n) => callAt(START + at * 100 + n)));
  const kept = async (keepAtMost: number): Promise<number> => {
    while ((await calls.prune({ olderThan: 0, keepAtMost, limit: 60 })) > 0);
    return (await all(calls, { limit: 1000 })).length;
  };
  expect(await kept(990)).toBe(1000);
  expect(await kept(975)).toBe(975);
  expect(await kept(101)).toBe(125);
  expect(await kept(1)).toBe(25);
});

test('a database of an earlier version takes new calls, and its former table is left alone', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  await (await open(path)).close();
  const raw = rawConnection(path);
  raw.exec(`delete from open_bridge_migrations where name = '0006-call-batches';
    drop table open_bridge_call_batches;
    create table open_bridge_calls (id integer primary key, seqid text);
    insert into open_bridge_calls (seqid) values ('69a3b9c0-007b1f0e2d3c4b5a')`);
  const { calls } = await open(path);
  const row = callAt(START);
  await calls.append([row]);
  expect(await all(calls, { limit: 5 })).toEqual([row]);
  expect(raw.prepare('select seqid from open_bridge_calls').all()).toHaveLength(1);
});
