import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { BridgeError } from '../base/errors.ts';
import type { CallLogSettings } from '../config/call-log.ts';
import type { CallRecord } from '../gateway/record.ts';
import { callRow } from '../stores/call-row.fixture.ts';
import { createSeqids } from '../stores/seqids.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import type { Store } from '../stores/store.ts';
import { createCallLog } from './call-log.ts';
import { usageDay } from './usage.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

async function setup(wrap: (store: Store) => Pick<Store, 'calls' | 'usage'> = store => store) {
  const clock = manualClock();
  const log = keptLog();
  const settings: { live: CallLogSettings } = { live: { enabled: true, maxAgeDays: 7, maxCalls: 1000 } };
  const path = join(temporaryFolder(), 'bridge.db');
  const store = await openSqliteStore({ path, clock, random: seededRandom() });
  // What is written is real I/O, which the clock waits for.
  const { calls, usage } = wrap(store);
  const awaited = {
    calls: {
      ...calls,
      append: (...args: Parameters<typeof calls.append>) => clock.during(() => calls.append(...args)),
      prune: (...args: Parameters<typeof calls.prune>) => clock.during(() => calls.prune(...args)),
    },
    usage: {
      ...usage,
      add: (...args: Parameters<typeof usage.add>) => clock.during(() => usage.add(...args)),
      prune: (...args: Parameters<typeof usage.prune>) => clock.during(() => usage.prune(...args)),
    },
  };
  const callLog = createCallLog({ store: awaited, settings: () => settings.live, clock, log });
  onTestFinished(async () => {
    await callLog.close();
    await store.close();
  });
  let noted = 0;
  const note = (count: number, change: Partial<CallRecord> = {}): void => {
    for (let turn = 0; turn < count; turn += 1) {
      noted += 1;
      callLog.note({ ...recordOf(noted, clock.now()), ...change });
    }
  };
  const kept = async (): Promise<number[]> =>
    (await store.calls.list({ limit: 100_000 })).rows.map(row => numberOf(row.seqid));
  return { clock, log, settings, store, callLog, note, kept };
}

const numberOf = (seqid: string | undefined): number => Number(seqid?.slice(-12));

function recordOf(number: number, startedAt: number): CallRecord {
  return callRow({
    seqid: createSeqids(() => String(number).padStart(12, '0'))(startedAt),
    startedAt,
    ...{ durationMs: 1, upstreamMs: 1, requestBytes: 10, answerBytes: 20 },
  });
}

test('calls are written a moment later, and at once when they are many', async () => {
  const { clock, note, kept } = await setup();
  note(3);
  await clock.advance(900);
  expect(await kept()).toEqual([]);
  await clock.advance(101);
  await expect.poll(kept).toHaveLength(3);
  note(999);
  await clock.advance(0);
  expect(await kept()).toHaveLength(3);
  note(1);
  await expect.poll(kept).toHaveLength(1003);
});

test('nothing waits for a timer while no calls come', async () => {
  const { clock, note } = await setup();
  expect(clock.sleepers()).toBe(0);
  note(1);
  expect(clock.sleepers()).toBe(1);
  await clock.advance(2000);
  expect(clock.sleepers()).toBe(0);
});

test('flushing waits for all that was noted, whatever is under way', async () => {
  const { callLog, note, kept } = await setup();
  await callLog.flush();
  note(2450);
  const first = callLog.flush();
  note(5);
  await new Promise(resolve => setImmediate(resolve));
  note(5);
  const second = callLog.flush();
  await Promise.all([first, second]);
  expect(await kept()).toHaveLength(2460);
});

test('closing writes what is left', async () => {
  const { callLog, note, kept, store } = await setup();
  callLog.start();
  note(1250);
  await callLog.close();
  expect(await kept()).toHaveLength(1250);
  expect((await store.usage.list({ since: '2000-01-01' }))[0]?.calls).toBe(1250);
});

/** A store whose call log fails or hangs as told. */
function faulty() {
  const state: { mode: 'works' | 'fails' | 'hangs'; release: () => void } = { mode: 'works', release() {} };
  const guard = async (): Promise<void> => {
    if (state.mode === 'fails') throw new BridgeError('STORE_UNAVAILABLE', 'the disk is full');
    if (state.mode === 'hangs') await new Promise<void>(resolve => (state.release = resolve));
  };
  return {
    state,
    wrap: (store: Store): Pick<Store, 'calls' | 'usage'> => ({
      calls: { ...store.calls, append: async rows => guard().then(() => store.calls.append(rows)) },
      usage: { ...store.usage, add: async rows => guard().then(() => store.usage.add(rows)) },
    }),
  };
}

test('while the store fails calls wait, and are written in order when it works again', async () => {
  const { state, wrap } = faulty();
  const { clock, log, callLog, note, kept, store } = await setup(wrap);
  state.mode = 'fails';
  note(300);
  await clock.advance(60_000);
  note(300);
  await clock.advance(60_000);
  expect(await kept()).toEqual([]);
  expect(log.messages('warn')).toEqual(['the call log cannot be written; trying again']);
  state.mode = 'works';
  await clock.advance(2000);
  await expect.poll(kept, { timeout: 10_000 }).toHaveLength(600);
  await callLog.flush();
  expect((await store.usage.list({ since: '2000-01-01' })).map(row => row.calls)).toEqual([600]);
  expect(log.messages('info')).toEqual(['the call log is written again']);
});

test('what could not be written is written again, and what could be is not there twice', async () => {
  let turn = 0;
  const asked: number[] = [];
  const names = new Set<string>();
  const { clock, callLog, note, kept } = await setup(store => ({
    usage: store.usage,
    calls: {
      ...store.calls,
      async append(rows) {
        turn += 1;
        const mine = turn;
        asked.push(rows.length);
        names.add(`${rows[0]?.seqid} ${rows.length}`);
        if (mine === 2) throw new BridgeError('STORE_UNAVAILABLE', 'the disk is full');
        await store.calls.append(rows);
        // The third is written, and its acknowledgement lost.
        if (mine === 3) throw new BridgeError('STORE_UNAVAILABLE', 'the connection broke');
      },
    },
  }));
  note(1400);
  await callLog.flush();
  expect((await kept()).length).toBe(500);
  note(7);
  for (let round = 0; round < 3; round += 1) await clock.advance(1001);
  await callLog.flush();
  // Where a batch ends is never changed, or the store would not know it again.
  expect(asked).toEqual([500, 500, 500, 407, 500]);
  expect(names.size).toBe(3);
  expect(await kept()).toEqual(Array.from({ length: 1407 }, (_, n) => 1407 - n));
});

test('a store that hangs holds nobody up: the oldest calls are left out, which is told now and then', async () => {
  const { state, wrap } = faulty();
  const { clock, log, callLog, note, kept, store } = await setup(wrap);
  state.mode = 'hangs';
  note(200);
  await clock.advance(1001);
  const began = performance.now();
  note(50_000);
  expect(performance.now() - began).toBeLessThan(2000);
  expect(log.messages('warn')).toEqual([
    'calls are left out of the call log: the store is slower than they come',
  ]);
  clock.jump(61_000);
  note(200);
  expect(log.messages('warn')).toHaveLength(2);
  expect(log.lines.at(-1)?.fields['left_out']).toBeGreaterThan(30_000);
  state.mode = 'works';
  state.release();
  const latest = async () => numberOf((await store.calls.list({ limit: 1 })).rows[0]?.seqid);
  await expect.poll(latest, { timeout: 10_000 }).toBe(50_400);
  const numbers = await kept();
  expect(numbers.length).toBeLessThan(20_500);
  // The batch that hung, then the latest.
  expect(numbers.slice(-200).sort((a, b) => a - b)[0]).toBe(1);
  // Usage is never left out.
  await callLog.flush();
  expect((await store.usage.list({ since: '2000-01-01' }))[0]?.calls).toBe(50_400);
});

test('what cannot be written when the program ends is told', async () => {
  const { state, wrap } = faulty();
  const { callLog, log, note } = await setup(wrap);
  state.mode = 'fails';
  note(3);
  await callLog.close();
  expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { left_out: 3 } });
});

test('old calls and too many calls go, and a reload counts', async () => {
  const { clock, settings, callLog, note, kept } = await setup();
  note(2000);
  await callLog.flush();
  callLog.start();
  /** Lets rounds of tidying pass. */
  const keeps = (count: number) =>
    expect
      .poll(() => clock.advance(31_000).then(async () => (await kept()).length), { timeout: 20_000 })
      .toBe(count);
  await keeps(1000);
  settings.live = { ...settings.live, maxCalls: 100 };
  // Batches go whole, and there are to be no fewer.
  await keeps(500);
  clock.jump(4 * DAY_MS);
  note(10);
  await callLog.flush();
  await keeps(510);
  note(100);
  await callLog.flush();
  await keeps(100);
  clock.jump(3 * DAY_MS);
  await keeps(100);
  clock.jump(1 * DAY_MS);
  settings.live = { ...settings.live, maxAgeDays: 1 };
  await keeps(0);
}, 60_000);

test('with the log switched off usage is counted still', async () => {
  const { settings, callLog, note, kept, store } = await setup();
  settings.live = { ...settings.live, enabled: false };
  note(5);
  await callLog.flush();
  expect(await kept()).toEqual([]);
  expect((await store.usage.list({ since: '2000-01-01' }))[0]?.calls).toBe(5);
});

test('usage tells apart errors of the platform, refusals of ours and replays, by day in China', async () => {
  const { callLog, note, store } = await setup();
  const midnight = Date.parse('2026-03-01T16:00:00Z');
  note(2, { startedAt: midnight - 1 });
  note(1, { startedAt: midnight - 1, errcode: 45009, replayed: true });
  note(1, { startedAt: midnight - 1, errcode: 85107, failure: 'PATH_NOT_LISTED', sends: 0 });
  note(1, { startedAt: midnight - 1, errcode: 40001, sends: 0 });
  note(1, { startedAt: midnight, errcode: undefined, appid: undefined, caller: undefined });
  note(1, { startedAt: midnight - DAY_MS - 1 });
  await callLog.flush();
  const bytes = (calls: number) => ({ requestBytes: 10 * calls, answerBytes: 20 * calls });
  const none = { errors: 0, refused: 0, replayed: 0 };
  expect(await store.usage.list({ since: '2026-02-01' })).toEqual([
    { day: '2026-03-02', caller: undefined, appid: undefined, calls: 1, ...none, ...bytes(1) },
    {
      day: '2026-03-01',
      caller: 'orders',
      appid: 'wx01',
      calls: 5,
      errors: 1,
      refused: 2,
      replayed: 1,
      ...bytes(5),
    },
    { day: '2026-02-28', caller: 'orders', appid: 'wx01', calls: 1, ...none, ...bytes(1) },
  ]);
  expect(usageDay(midnight)).toBe('2026-03-02');
});
