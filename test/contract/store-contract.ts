import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  CallCursor,
  CallRow,
  CredentialRow,
  DueCursor,
  DueRow,
  FailureRow,
  Store,
  UsageRow,
} from '../../src/stores/store.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

/** A database that stores under test share: opening twice gives two connections to the same data. */
export interface Backend {
  open(clock: ManualClock): Promise<Store>;
  /** Removes the database, after all stores are closed. */
  destroy(): Promise<void>;
}

/** What differs between backends. */
export interface ContractOptions {
  /** False when every opening has data of its own, as `:memory:` does. */
  readonly shared: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;
const START = Date.parse('2026-03-01T04:00:00Z');

function rowOf(id: string, change: Partial<CredentialRow> = {}): CredentialRow {
  return {
    id,
    value: '{"access_token":"T"}',
    expiresAt: START + 7_200_000,
    platform: 'weixin-mp',
    appid: 'wx01',
    kind: 'access-token',
    epoch: 1,
    issuedAt: START,
    renewAt: START + 6_900_000,
    background: true,
    fingerprint: '0123456789abcdef',
    previous: undefined,
    ...change,
  };
}

function failureOf(id: string, change: Partial<FailureRow> = {}): FailureRow {
  return {
    id,
    identity: 'fedcba9876543210',
    code: 'CREDENTIAL_UNAVAILABLE',
    errcode: 40164,
    errmsg: 'invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist',
    errorClass: 'address',
    hint: '加入白名单 1.2.3.4',
    failures: 3,
    failedAt: START,
    retryAt: START + 60_000,
    ...change,
  };
}

function callOf(number: number, change: Partial<CallRow> = {}): CallRow {
  return {
    seqid: `69a3b8c0-${String(number).padStart(16, '0')}`,
    startedAt: START + number,
    durationMs: 23,
    upstreamMs: 20,
    sends: 1,
    method: 'POST',
    path: '/wxa/msg_sec_check',
    remoteAddress: '::ffff:10.0.0.1',
    caller: 'orders',
    platform: 'weixin-mp',
    app: 'shop',
    appid: 'wx01',
    injected: true,
    credential: '0123456789abcdef',
    status: 200,
    errcode: 0,
    rid: undefined,
    failure: undefined,
    replayed: false,
    requestBytes: 512,
    answerBytes: 128,
    end: 'whole',
    ...change,
  };
}

function usageOf(change: Partial<UsageRow> = {}): UsageRow {
  return {
    day: '2026-03-01',
    caller: 'orders',
    appid: 'wx01',
    calls: 10,
    errors: 2,
    refused: 3,
    replayed: 1,
    requestBytes: 5_000_000_000,
    answerBytes: 7,
    ...change,
  };
}

/**
 * What every store must do, whatever it is made of. `create` makes an empty database for one test.
 */
export function storeContract(
  name: string,
  create: () => Promise<Backend>,
  { shared }: ContractOptions = { shared: true },
): void {
  describe(`the store contract: ${name}`, () => {
    let clock: ManualClock;
    let backend: Backend;
    let store: Store;
    let opened: Store[];

    async function open(): Promise<Store> {
      const another = await backend.open(clock);
      opened.push(another);
      return another;
    }

    /** `count` connections to the same data, taken in turn. */
    async function connections(count: number): Promise<(turn: number) => Store> {
      const all = [store];
      while (shared && all.length < count) all.push(await open());
      return turn => all[turn % all.length] ?? store;
    }

    beforeEach(async () => {
      clock = manualClock(START);
      backend = await create();
      opened = [];
      store = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.map(each => each.close()));
      await backend.destroy();
    });

    test('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });

    describe('credentials', () => {
      test('a row comes back as it was committed', async () => {
        const row = rowOf('uni-id:weixin-mp:wx01:access-token', {
          value: '{"access_token":"五_é😀","errmsg":"\\"quoted\\" \' ; --"}',
          previous: { value: '{"access_token":"P"}', fingerprint: 'aaaabbbbccccdddd', expiresAt: START + 1 },
        });
        expect(await store.credentials.get(row.id)).toBeUndefined();
        expect(await store.credentials.commit(row, 0)).toBe(true);
        expect(await store.credentials.get(row.id)).toEqual(row);
      });

      test('a row without any of our own columns comes back too', async () => {
        const row = rowOf('bare', {
          platform: undefined,
          appid: undefined,
          kind: undefined,
          epoch: 0,
          issuedAt: undefined,
          renewAt: undefined,
          background: false,
          fingerprint: undefined,
        });
        expect(await store.credentials.commit(row, 0)).toBe(true);
        expect(await store.credentials.get('bare')).toEqual(row);
      });

      test('Infinity stands for never, and comes back as such', async () => {
        await store.credentials.commit(rowOf('forever', { expiresAt: NEVER, renewAt: undefined }), 0);
        expect((await store.credentials.get('forever'))?.expiresAt).toBe(NEVER);
        await store.credentials.commit(rowOf('too', { expiresAt: NEVER, renewAt: NEVER }), 0);
        expect((await store.credentials.get('too'))?.renewAt).toBeUndefined();
        expect(await store.credentials.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
      });

      test('a value as long as a token may ever be fits', async () => {
        const value = JSON.stringify({ access_token: 'x'.repeat(16_000) });
        await store.credentials.commit(rowOf('long', { value }), 0);
        expect((await store.credentials.get('long'))?.value).toBe(value);
      });

      test('ids are compared byte by byte', async () => {
        await store.credentials.commit(rowOf('uni-id:oABC:ticket', { value: '{"ticket":"upper"}' }), 0);
        expect(await store.credentials.get('uni-id:oabc:ticket')).toBeUndefined();
        expect(await store.credentials.get('uni-id:oABC:ticket ')).toBeUndefined();
        expect(await store.credentials.commit(rowOf('uni-id:oabc:ticket'), 0)).toBe(true);
        expect((await store.credentials.get('uni-id:oABC:ticket'))?.value).toBe('{"ticket":"upper"}');
      });

      test('a commit wins only over the epoch it expects', async () => {
        const { credentials } = store;
        const commit = (epoch: number, expected: number): Promise<boolean> =>
          credentials.commit(rowOf('a', { epoch, value: `{"access_token":"${epoch}"}` }), expected);
        expect(await commit(2, 1)).toBe(false);
        expect(await credentials.get('a')).toBeUndefined();
        expect(await commit(1, 0)).toBe(true);
        expect(await commit(1, 0)).toBe(false);
        expect(await commit(2, 1)).toBe(true);
        expect(await commit(9, 1)).toBe(false);
        expect(await commit(9, 3)).toBe(false);
        expect(await commit(9, 0)).toBe(false);
        expect(await credentials.get('a')).toEqual(rowOf('a', { epoch: 2, value: '{"access_token":"2"}' }));
      });

      test('epoch 0 also means a row that we did not write', async () => {
        await store.credentials.commit(rowOf('foreign', { epoch: 0 }), 0);
        expect(await store.credentials.commit(rowOf('foreign', { epoch: 1 }), 0)).toBe(true);
        expect(await store.credentials.commit(rowOf('foreign', { epoch: 1 }), 0)).toBe(false);
      });

      test('a commit of the same epoch and the very same values counts as won', async () => {
        await store.credentials.commit(rowOf('same'), 0);
        expect(await store.credentials.commit(rowOf('same'), 1)).toBe(true);
      });

      test('of many commits over one epoch exactly one wins', async () => {
        const at = await connections(2);
        for (const expected of [0, 1, 2]) {
          const won = await Promise.all(
            Array.from({ length: 20 }, (_, turn) =>
              at(turn).credentials.commit(
                rowOf('raced', { epoch: expected + 1, value: `{"access_token":"${expected}-${turn}"}` }),
                expected,
              ),
            ),
          );
          expect(won.filter(Boolean)).toHaveLength(1);
          const row = await at(1).credentials.get('raced');
          expect(row?.epoch).toBe(expected + 1);
          expect(row?.value).toBe(`{"access_token":"${expected}-${won.indexOf(true)}"}`);
        }
      });

      test('a removed row is gone, once', async () => {
        await store.credentials.commit(rowOf('gone'), 0);
        expect(await store.credentials.remove('gone')).toBe(true);
        expect(await store.credentials.remove('gone')).toBe(false);
        expect(await store.credentials.get('gone')).toBeUndefined();
        expect(await store.credentials.commit(rowOf('gone', { epoch: 5 }), 4)).toBe(false);
        expect(await store.credentials.commit(rowOf('gone'), 0)).toBe(true);
      });

      test.runIf(shared)('another connection sees a commit at once', async () => {
        const other = await open();
        await store.credentials.commit(rowOf('seen'), 0);
        expect(await other.credentials.get('seen')).toEqual(rowOf('seen'));
      });
    });

    describe('renewal by due time', () => {
      async function collect(until: number, limit: number): Promise<DueRow[]> {
        const rows: DueRow[] = [];
        let cursor: DueCursor | undefined;
        for (;;) {
          const page = await store.credentials.due(until, limit, cursor);
          expect(page.length).toBeLessThanOrEqual(limit);
          rows.push(...page);
          // Pages that repeat rows would never end.
          expect(rows.length).toBeLessThan(100);
          if (page.length < limit) return rows;
          cursor = page.at(-1);
        }
      }

      test('only background rows whose time has come are due, earliest first', async () => {
        const { credentials } = store;
        await credentials.commit(rowOf('late', { renewAt: START + 30 }), 0);
        await credentials.commit(rowOf('early', { renewAt: START + 10, kind: 'ticket', appid: 'wx02' }), 0);
        await credentials.commit(rowOf('edge', { renewAt: START + 20, platform: 'weixin-h5' }), 0);
        await credentials.commit(rowOf('asked', { renewAt: START, background: false }), 0);
        await credentials.commit(rowOf('unplanned', { renewAt: undefined }), 0);
        expect(await credentials.due(START + 20, 10)).toEqual([
          { id: 'early', renewAt: START + 10, platform: 'weixin-mp', appid: 'wx02', kind: 'ticket' },
          { id: 'edge', renewAt: START + 20, platform: 'weixin-h5', appid: 'wx01', kind: 'access-token' },
        ]);
        expect(await credentials.due(START + 9, 10)).toEqual([]);
        expect((await credentials.due(START + 30, 10)).map(row => row.id)).toEqual(['early', 'edge', 'late']);
      });

      test('pages pass over no row and repeat none, however many share a time', async () => {
        const ids: string[] = [];
        for (let number = 0; number < 23; number += 1) {
          const id = `row-${String(number).padStart(2, '0')}`;
          ids.push(id);
          await store.credentials.commit(rowOf(id, { renewAt: START + (number < 15 ? 0 : number) }), 0);
        }
        for (const limit of [1, 2, 5, 15, 16, 23, 100]) {
          expect((await collect(START + 100, limit)).map(row => row.id)).toEqual(ids);
        }
      });

      test('rescheduling moves a row, only while its epoch stands', async () => {
        const { credentials } = store;
        await credentials.commit(rowOf('r', { epoch: 1, renewAt: START, background: false }), 0);
        await credentials.reschedule('r', 2, { renewAt: START + 5, background: true });
        expect(await credentials.get('r')).toEqual(
          rowOf('r', { epoch: 1, renewAt: START, background: false }),
        );
        await credentials.reschedule('r', 1, { renewAt: START + 5, background: true });
        expect(await credentials.get('r')).toEqual(rowOf('r', { renewAt: START + 5, background: true }));
        await credentials.reschedule('r', 1, { renewAt: START + 7.9, background: false });
        expect(await credentials.get('r')).toEqual(rowOf('r', { renewAt: START + 7, background: false }));
        await credentials.reschedule('nobody', 1, { renewAt: START, background: true });
        await credentials.reschedule('r', 1, { renewAt: NEVER, background: true });
        expect(await credentials.get('r')).toEqual(rowOf('r', { renewAt: undefined, background: true }));
        expect(await credentials.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
      });
    });

    describe('leases', () => {
      const TTL = 5000;

      test('one holder at a time, until it lets go', async () => {
        const { leases } = store;
        expect(await leases.acquire('l', 'a', TTL)).toBe(true);
        expect(await leases.acquire('l', 'b', TTL)).toBe(false);
        expect(await leases.acquire('l', 'a', TTL)).toBe(false);
        expect(await leases.acquire('other', 'b', TTL)).toBe(true);
        await leases.release('l', 'a');
        expect(await leases.acquire('l', 'b', TTL)).toBe(true);
      });

      test('a foreign holder can neither prolong nor release', async () => {
        const { leases } = store;
        await leases.acquire('l', 'a', TTL);
        expect(await leases.extend('l', 'b', TTL)).toBe(false);
        await leases.release('l', 'b');
        expect(await leases.acquire('l', 'c', TTL)).toBe(false);
        expect(await leases.extend('l', 'a', TTL)).toBe(true);
      });

      test('a lease ends when its time is over, not before', async () => {
        const { leases } = store;
        await leases.acquire('l', 'a', TTL);
        clock.jump(TTL - 1);
        expect(await leases.acquire('l', 'b', TTL)).toBe(false);
        clock.jump(1);
        expect(await leases.acquire('l', 'b', TTL)).toBe(true);
        expect(await leases.extend('l', 'a', TTL)).toBe(false);
        await leases.release('l', 'a');
        expect(await leases.extend('l', 'b', TTL)).toBe(true);
      });

      test('a lease that ended cannot be prolonged, even if nobody else took it', async () => {
        const { leases } = store;
        await leases.acquire('l', 'a', TTL);
        clock.jump(TTL);
        expect(await leases.extend('l', 'a', TTL)).toBe(false);
        expect(await leases.extend('never', 'a', TTL)).toBe(false);
      });

      test('prolonging counts from now', async () => {
        const { leases } = store;
        await leases.acquire('l', 'a', TTL);
        clock.jump(3000);
        expect(await leases.extend('l', 'a', TTL)).toBe(true);
        clock.jump(4999);
        expect(await leases.acquire('l', 'b', TTL)).toBe(false);
        clock.jump(1);
        expect(await leases.acquire('l', 'b', TTL)).toBe(true);
      });

      test('of many who want it exactly one gets it, fresh or expired', async () => {
        const at = await connections(3);
        for (const round of [1, 2, 3]) {
          const got = await Promise.all(
            Array.from({ length: 30 }, (_, turn) =>
              at(turn).leases.acquire('raced', `holder-${round}-${turn}`, TTL),
            ),
          );
          expect(got.filter(Boolean)).toHaveLength(1);
          const holder = `holder-${round}-${got.indexOf(true)}`;
          expect(await at(1).leases.extend('raced', holder, TTL)).toBe(true);
          clock.jump(TTL);
        }
      });
    });

    describe('budgets', () => {
      const use = { subject: 'weixin-mp:wx01:token', window: '2026-03-01', limit: 3, spacingMs: 0 };

      test('uses are counted up to the limit', async () => {
        const { budgets } = store;
        expect(await budgets.usage(use.subject, use.window)).toEqual({ used: 0, lastAt: 0 });
        for (const used of [1, 2, 3]) {
          clock.jump(10);
          expect(await budgets.take(use)).toBe(true);
          expect(await budgets.usage(use.subject, use.window)).toEqual({ used, lastAt: clock.now() });
        }
        expect(await budgets.take(use)).toBe(false);
        expect((await budgets.usage(use.subject, use.window)).used).toBe(3);
        expect(await budgets.take({ ...use, limit: 4 })).toBe(true);
        expect(await budgets.take({ ...use, limit: 2 })).toBe(false);
      });

      test('a limit of nothing allows nothing', async () => {
        expect(await store.budgets.take({ ...use, limit: 0 })).toBe(false);
        expect((await store.budgets.usage(use.subject, use.window)).used).toBe(0);
      });

      test('uses keep their distance', async () => {
        const spaced = { ...use, limit: 10, spacingMs: 30_000 };
        expect(await store.budgets.take(spaced)).toBe(true);
        clock.jump(29_999);
        expect(await store.budgets.take(spaced)).toBe(false);
        clock.jump(1);
        expect(await store.budgets.take(spaced)).toBe(true);
        expect((await store.budgets.usage(use.subject, use.window)).used).toBe(2);
      });

      test('uses keep their distance from one window to the next', async () => {
        const spaced = { ...use, limit: 10, spacingMs: 30_000 };
        expect(await store.budgets.take(spaced)).toBe(true);
        clock.jump(20_000);
        expect(await store.budgets.take({ ...spaced, window: '2026-03-02' })).toBe(false);
        clock.jump(10_000);
        expect(await store.budgets.take({ ...spaced, window: '2026-03-02' })).toBe(true);
      });

      test('windows and subjects count apart, and a new window forgets the old ones', async () => {
        const { budgets } = store;
        for (const _ of [1, 2, 3]) await budgets.take(use);
        const other = { ...use, subject: 'weixin-mp:wx02:token' };
        expect(await budgets.take(other)).toBe(true);
        expect(await budgets.take({ ...use, window: '2026-03-02' })).toBe(true);
        expect((await budgets.usage(use.subject, '2026-03-02')).used).toBe(1);
        expect((await budgets.usage(use.subject, '2026-03-01')).used).toBe(0);
        expect((await budgets.usage(other.subject, '2026-03-01')).used).toBe(1);
      });

      test('a clock that runs a little behind another is no reason to refuse', async () => {
        await store.budgets.take(use);
        clock.jump(-5);
        expect(await store.budgets.take(use)).toBe(true);
      });

      test('a clock set back by an hour does not bar a spaced budget for that hour', async () => {
        const spaced = { ...use, limit: 10, spacingMs: 30_000 };
        await store.budgets.take(spaced);
        clock.jump(-3_600_000);
        expect(await store.budgets.take(spaced)).toBe(true);
      });

      test('many at once never take more than there is', async () => {
        const at = await connections(2);
        const taken = await Promise.all(
          Array.from({ length: 50 }, (_, turn) => at(turn).budgets.take({ ...use, limit: 20 })),
        );
        expect(taken.filter(Boolean)).toHaveLength(20);
        expect((await store.budgets.usage(use.subject, use.window)).used).toBe(20);
      });

      test('many at once keep their distance', async () => {
        const at = await connections(2);
        const taken = await Promise.all(
          Array.from({ length: 50 }, (_, turn) =>
            at(turn).budgets.take({ ...use, limit: 20, spacingMs: 1000 }),
          ),
        );
        expect(taken.filter(Boolean)).toHaveLength(1);
      });
    });

    describe('failures', () => {
      test('a failure comes back as it was put, and the last one stands', async () => {
        const { failures } = store;
        expect(await failures.get('f')).toBeUndefined();
        await failures.put(failureOf('f'));
        expect(await failures.get('f')).toEqual(failureOf('f'));
        const bare = failureOf('f', { errcode: undefined, hint: undefined, failures: 4 });
        await failures.put(bare);
        expect(await failures.get('f')).toEqual(bare);
        await failures.put(failureOf('f', { errcode: -1 }));
        expect((await failures.get('f'))?.errcode).toBe(-1);
      });

      test('clearing takes one away and minds no other', async () => {
        const { failures } = store;
        await failures.put(failureOf('f'));
        await failures.put(failureOf('g'));
        await failures.clear('f');
        await failures.clear('never');
        expect(await failures.get('f')).toBeUndefined();
        expect(await failures.get('g')).toEqual(failureOf('g'));
      });

      test('a message of the platform may be long', async () => {
        const errmsg = '错'.repeat(5000);
        await store.failures.put(failureOf('f', { errmsg }));
        expect((await store.failures.get('f'))?.errmsg).toBe(errmsg);
      });

      test('many writers of one failure do not disturb each other', async () => {
        const at = await connections(2);
        await Promise.all(
          Array.from({ length: 20 }, (_, turn) => at(turn).failures.put(failureOf('f', { failures: turn }))),
        );
        expect((await store.failures.get('f'))?.code).toBe('CREDENTIAL_UNAVAILABLE');
      });
    });

    describe('settings', () => {
      test('the first value stands', async () => {
        const { settings } = store;
        expect(await settings.get('admin')).toBeUndefined();
        expect(await settings.putIfAbsent('admin', 'first')).toBe('first');
        expect(await settings.putIfAbsent('admin', 'second')).toBe('first');
        expect(await settings.get('admin')).toBe('first');
      });

      test('all who put at once agree on one value', async () => {
        const at = await connections(3);
        const stands = await Promise.all(
          Array.from({ length: 30 }, (_, turn) => at(turn).settings.putIfAbsent('admin', `value-${turn}`)),
        );
        expect(new Set(stands).size).toBe(1);
        expect(await store.settings.get('admin')).toBe(stands[0]);
      });
    });

    describe('calls', () => {
      /** The numbers of the calls found, over all pages. */
      async function numbers(query: Parameters<Store['calls']['list']>[0]): Promise<number[]> {
        const found: number[] = [];
        let cursor: CallCursor | undefined;
        do {
          const { rows, next } = await store.calls.list({ ...query, cursor });
          expect(rows.length).toBeLessThanOrEqual(query.limit);
          found.push(...rows.map(row => Number(row.seqid.slice(9))));
          cursor = next;
        } while (cursor !== undefined);
        return found;
      }

      test('a call comes back as it was added', async () => {
        const bare = callOf(2, {
          caller: undefined,
          platform: undefined,
          app: undefined,
          appid: undefined,
          injected: false,
          credential: undefined,
          status: 403,
          errcode: undefined,
          failure: 'PATH_NOT_LISTED',
          sends: 0,
          end: 'caller-gone',
        });
        const full = callOf(1, { errcode: -1, rid: '65a1b2c3-0f0f0f0f-1a2b3c4d', replayed: true, sends: 2 });
        await store.calls.append([full, bare]);
        expect(await store.calls.get(full.seqid)).toEqual(full);
        expect(await store.calls.get(bare.seqid)).toEqual(bare);
        expect(await store.calls.get('nobody')).toBeUndefined();
        expect((await store.calls.list({ limit: 5 })).rows).toEqual([bare, full]);
        await store.calls.append([]);
      });

      test('what a caller chose the length of is kept in part', async () => {
        const long = callOf(1, { method: 'M'.repeat(100), path: `/${'p'.repeat(9000)}` });
        await store.calls.append([long]);
        const kept = await store.calls.get(long.seqid);
        expect(long.path.startsWith(kept?.path ?? '-')).toBe(true);
        expect(kept?.path.length).toBe(512);
      });

      test('a batch that is sent again changes nothing', async () => {
        await store.calls.append([callOf(1), callOf(2)]);
        await store.calls.append([callOf(2, { status: 500 }), callOf(3)]);
        expect(await numbers({ limit: 10 })).toEqual([3, 2, 1]);
        expect((await store.calls.get(callOf(2).seqid))?.status).toBe(200);
      });

      test('lists the latest first, in pages that lose none, however many share a time', async () => {
        const all = Array.from({ length: 25 }, (_, n) =>
          callOf(n, { startedAt: START + Math.floor(n / 10) }),
        );
        await store.calls.append(all);
        const descending = all.map((_, n) => 24 - n);
        for (const limit of [1, 4, 25, 100]) expect(await numbers({ limit })).toEqual(descending);
        expect(await numbers({ limit: 4, before: START + 1 })).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
      });

      test('finds by caller, app, errcode, rid and failure', async () => {
        await store.calls.append([
          callOf(1),
          callOf(2, { caller: 'other' }),
          callOf(3, { appid: 'wx02', errcode: 48001, rid: '65a1b2c3-0f0f0f0f-1a2b3c4d' }),
          callOf(4, { failure: 'PATH_NOT_LISTED', errcode: 85107, status: 403 }),
          callOf(5, { end: 'cut', errcode: undefined }),
          callOf(6, { status: 500, errcode: undefined }),
          callOf(7, { caller: undefined, errcode: undefined }),
        ]);
        expect(await numbers({ limit: 2, caller: 'other' })).toEqual([2]);
        expect(await numbers({ limit: 2, appid: 'wx02' })).toEqual([3]);
        expect(await numbers({ limit: 2, errcode: 85107 })).toEqual([4]);
        expect(await numbers({ limit: 2, rid: '65a1b2c3-0f0f0f0f-1a2b3c4d' })).toEqual([3]);
        expect(await numbers({ limit: 2, failedOnly: true })).toEqual([6, 5, 4, 3]);
        expect(await numbers({ limit: 2, failedOnly: true, caller: 'orders', appid: 'wx01' })).toEqual([
          6, 5, 4,
        ]);
        expect(await numbers({ limit: 2, errcode: 1 })).toEqual([]);
      });

      test('finds the few among many', async () => {
        const wanted = new Set([0, 4999, 5000, 5001, 11_999]);
        const all = Array.from({ length: 12_000 }, (_, n) =>
          callOf(n, { startedAt: START + Math.floor(n / 7), errcode: wanted.has(n) ? 45009 : 0 }),
        );
        for (let at = 0; at < all.length; at += 1000) await store.calls.append(all.slice(at, at + 1000));
        const found = [11_999, 5001, 5000, 4999, 0];
        for (const limit of [1, 2, 5, 50]) {
          expect(await numbers({ limit, errcode: 45009 })).toEqual(found);
          expect(await numbers({ limit, failedOnly: true, caller: 'orders' })).toEqual(found);
        }
      });

      test('removes what is too old, then what is too many, a little at a time', async () => {
        await store.calls.append(Array.from({ length: 50 }, (_, n) => callOf(n)));
        const rule = { olderThan: START + 20, keepAtMost: 10, limit: 8 };
        const steps: number[] = [];
        for (let removed = -1; removed !== 0; steps.push(removed)) removed = await store.calls.prune(rule);
        expect(steps).toEqual([8, 8, 4, 8, 8, 4, 0]);
        expect(await numbers({ limit: 100 })).toEqual([49, 48, 47, 46, 45, 44, 43, 42, 41, 40]);
        await store.calls.append([callOf(50)]);
        expect(await store.calls.prune(rule)).toBe(1);
        expect(await store.calls.prune({ ...rule, olderThan: START + 1000, limit: 100 })).toBe(10);
        expect(await store.calls.prune(rule)).toBe(0);
      });

      test('many writers lose nothing', async () => {
        const at = await connections(3);
        const batches = Array.from({ length: 30 }, (_, turn) =>
          at(turn).calls.append(Array.from({ length: 20 }, (_, n) => callOf(turn * 20 + n))),
        );
        await clock.settled(Promise.all(batches));
        expect(new Set(await numbers({ limit: 100 })).size).toBe(600);
      });
    });

    describe('usage', () => {
      test('sums grow, apart for each day, caller and app', async () => {
        await store.usage.add([usageOf(), usageOf({ caller: undefined, appid: undefined, calls: 1 })]);
        await store.usage.add([usageOf({ calls: 5, answerBytes: 1 }), usageOf({ appid: 'wx02' })]);
        await store.usage.add([
          usageOf({ day: '2026-03-02' }),
          usageOf({ day: '2026-02-28', caller: 'other' }),
        ]);
        expect(await store.usage.list({ since: '2026-03-01' })).toEqual([
          usageOf({ day: '2026-03-02' }),
          usageOf({ caller: undefined, appid: undefined, calls: 1 }),
          usageOf({
            calls: 15,
            errors: 4,
            refused: 6,
            replayed: 2,
            requestBytes: 10_000_000_000,
            answerBytes: 8,
          }),
          usageOf({ appid: 'wx02' }),
        ]);
        expect(await store.usage.list({ since: '2026-01-01', caller: 'other' })).toHaveLength(1);
      });

      test('days that are over can be removed', async () => {
        await store.usage.add([usageOf(), usageOf({ day: '2026-02-28' }), usageOf({ day: '2025-12-31' })]);
        expect(await store.usage.prune('2026-03-01')).toBe(2);
        expect(await store.usage.list({ since: '2000-01-01' })).toEqual([usageOf()]);
      });

      test('what many writers add comes together', async () => {
        const at = await connections(3);
        const added = Array.from({ length: 60 }, (_, turn) =>
          at(turn).usage.add([usageOf({ calls: 1 }), usageOf({ appid: 'wx02', calls: 2 })]),
        );
        await clock.settled(Promise.all(added));
        const sums = await store.usage.list({ since: '2026-03-01' });
        expect(sums.map(row => row.calls)).toEqual([60, 120]);
      });
    });

    test('a closed store says that it is unavailable', async () => {
      const other = await open();
      opened.pop();
      await other.close();
      await expect(other.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(other.credentials.get('a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });

    test.runIf(shared)('what one connection wrote is there after all were closed', async () => {
      await store.credentials.commit(rowOf('kept'), 0);
      await store.settings.putIfAbsent('admin', 'kept');
      await Promise.all(opened.splice(0).map(each => each.close()));
      const again = await open();
      expect(await again.credentials.get('kept')).toEqual(rowOf('kept'));
      expect(await again.settings.get('admin')).toBe('kept');
    });
  });
}
