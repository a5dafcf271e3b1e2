import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { callRow } from '../../src/stores/call-row.fixture.ts';
import { foreignRow } from '../../src/stores/foreign-row.ts';
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
import { auditContract } from './audit-contract.ts';

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
  return callRow({
    ...{ seqid: `69a3b9c0-${String(number).padStart(16, '0')}`, startedAt: START + number },
    ...{ method: 'POST', path: '/wxa/msg_sec_check', remoteAddress: '::ffff:10.0.0.1' },
    ...{ requestBytes: 512, answerBytes: 128 },
    ...change,
  });
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
        const row = foreignRow('bare', '{"access_token":"T"}', START + 7_200_000);
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

    describe('rows of every origin', () => {
      /** What a row holds that did not come from us. */
      const foreign = (id: string, change: Partial<CredentialRow> = {}): CredentialRow =>
        rowOf(id, {
          platform: undefined,
          appid: undefined,
          kind: undefined,
          epoch: 0,
          issuedAt: undefined,
          renewAt: undefined,
          background: false,
          fingerprint: undefined,
          ...change,
        });

      async function scanned(limit: number): Promise<CredentialRow[]> {
        const rows: CredentialRow[] = [];
        for (;;) {
          const page = await store.credentials.scan(limit, rows.at(-1)?.id);
          expect(page.length).toBeLessThanOrEqual(limit);
          rows.push(...page);
          // Pages that repeat rows would never end.
          expect(rows.length).toBeLessThan(100);
          if (page.length < limit) return rows;
        }
      }

      async function pruned(before: number, limit: number): Promise<number[]> {
        const steps: number[] = [];
        for (let removed = -1; removed !== 0; steps.push(removed))
          removed = await store.credentials.pruneExpired(before, limit);
        return steps;
      }

      test('a scan passes over no row and repeats none', async () => {
        const rows = [
          rowOf('uni-id:weixin-mp:wx01:access-token', { previous: undefined, expiresAt: NEVER }),
          foreign('uni-id:__UNI__X:weixin-mp:code:0a1:secure-network-cache'),
          foreign(' led by a space'),
          foreign('uni-id:weixin-mp:wx01:oABC:session-key', { expiresAt: NEVER }),
          foreign('uni-id:weixin-mp:wx01:oabc:session-key'),
          foreign('五_é😀', { value: '{"a":"五_é😀"}', expiresAt: START - 1 }),
        ];
        expect(await store.credentials.scan(10)).toEqual([]);
        for (const row of rows) await store.credentials.commit(row, 0);
        const inOrder = rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
        for (const limit of [1, 2, 5, 6, 7]) expect(await scanned(limit)).toEqual(inOrder);
        expect(await store.credentials.scan(10, 'uni-id:weixin-mp:wx01:oabc:session-key')).toHaveLength(1);
      });

      test('merging writes rows that are not there, as they are', async () => {
        const rows = [
          foreign('a'),
          foreign('b', { expiresAt: NEVER, value: '{"session_key":"五_é😀"}' }),
          rowOf('c', {
            epoch: 7,
            previous: { value: '{}', fingerprint: 'aaaabbbbccccdddd', expiresAt: START },
          }),
        ];
        expect(await store.credentials.merge(rows)).toBe(3);
        expect(await scanned(10)).toEqual(rows);
        expect(await store.credentials.merge([])).toBe(0);
        expect(await store.credentials.commit(rowOf('a'), 0)).toBe(true);
        expect(await store.credentials.commit(rowOf('c', { epoch: 8 }), 7)).toBe(true);
      });

      test('merging replaces neither a row of ours nor one that ends later', async () => {
        const { credentials } = store;
        const standing = [
          rowOf('ours', { expiresAt: START - 1 }),
          foreign('later', { expiresAt: START + 10 }),
          foreign('never', { expiresAt: NEVER }),
        ];
        for (const row of standing) await credentials.commit(row, 0);
        await credentials.commit(foreign('same', { expiresAt: START + 5 }), 0);
        await credentials.commit(foreign('earlier', { expiresAt: START + 4 }), 0);
        const change = { expiresAt: START + 5, value: '{"access_token":"new"}' };
        const ids = ['ours', 'later', 'never', 'same', 'earlier', 'none'];
        expect(await credentials.merge(ids.map(id => foreign(id, change)))).toBe(3);
        for (const row of standing) expect(await credentials.get(row.id)).toEqual(row);
        for (const id of ['same', 'earlier', 'none'])
          expect(await credentials.get(id)).toEqual(foreign(id, change));
        const forever = ids.map(id => foreign(id, { ...change, expiresAt: NEVER }));
        expect(await credentials.merge(forever)).toBe(5);
        expect(await credentials.get('ours')).toEqual(standing[0]);
      });

      test('merging by force replaces every row, and one of ours with its next epoch', async () => {
        const { credentials } = store;
        const previous = { value: '{}', fingerprint: 'aaaabbbbccccdddd', expiresAt: START + 1 };
        await credentials.commit(rowOf('planned', { epoch: 4, previous }), 0);
        await credentials.commit(rowOf('asked', { epoch: 2, background: false, kind: 'session-key' }), 0);
        await credentials.commit(foreign('never', { expiresAt: NEVER }), 0);
        const change = { expiresAt: START + 5, value: '{"access_token":"new"}' };
        const ids = ['planned', 'asked', 'never', 'none'];
        const rows = ids.map(id => foreign(id, change));
        expect(await credentials.merge(rows, { force: true })).toBe(4);
        const bare = { ...change, issuedAt: undefined, fingerprint: undefined };
        expect(await credentials.get('planned')).toEqual(rowOf('planned', { ...bare, epoch: 5 }));
        expect(await credentials.get('asked')).toEqual(
          rowOf('asked', { ...bare, epoch: 3, background: false, kind: 'session-key', renewAt: undefined }),
        );
        expect(await credentials.get('never')).toEqual(foreign('never', change));
        expect(await credentials.get('none')).toEqual(foreign('none', change));
        expect(await credentials.commit(rowOf('planned', { epoch: 5 }), 4)).toBe(false);
        expect((await credentials.due(START + 6_900_000, 5)).map(row => row.id)).toEqual(['planned']);

        const full = rowOf('planned', { epoch: 9, renewAt: START + 3, appid: 'wx02', previous });
        expect(await credentials.merge([full], { force: true })).toBe(1);
        expect(await credentials.get('planned')).toEqual(full);
        expect(await credentials.merge([full], { force: true })).toBe(1);
        expect(await credentials.get('planned')).toEqual({ ...full, epoch: 10 });
      });

      test('a merge of as many rows as an import hands over is one', async () => {
        const rows = Array.from({ length: 500 }, (_, n) => foreign(`row-${String(n).padStart(3, '0')}`));
        expect(await store.credentials.merge(rows)).toBe(500);
        expect(await store.credentials.scan(1000)).toEqual(rows);
      });

      test('a merge never comes between a read and its commit unseen', async () => {
        const at = await connections(2);
        for (const force of [false, true]) {
          const id = `raced-${force}`;
          await store.credentials.commit(rowOf(id), 0);
          const merges = Array.from({ length: 10 }, (_, turn) =>
            at(turn).credentials.merge([foreign(id, { value: `{"access_token":"m${turn}"}` })], { force }),
          );
          const commits = Array.from({ length: 10 }, (_, turn) =>
            at(turn + 1).credentials.commit(rowOf(id, { epoch: 2, value: `{"access_token":"c${turn}"}` }), 1),
          );
          const merged = (await clock.settled(Promise.all(merges))).reduce((sum, count) => sum + count, 0);
          const won = (await clock.settled(Promise.all(commits))).filter(Boolean).length;
          expect(merged).toBe(force ? 10 : 0);
          expect(won).toBeLessThanOrEqual(1);
          if (!force) expect(won).toBe(1);
          expect((await store.credentials.get(id))?.epoch).toBe(1 + merged + won);
        }
      });

      test('what ended is removed, a little at a time, and nothing else', async () => {
        const { credentials } = store;
        const kept = [
          foreign('edge', { expiresAt: START }),
          foreign('lasting', { expiresAt: NEVER }),
          foreign('later', { expiresAt: START + 1 }),
          rowOf('renewed', { expiresAt: START - 1_000_000 }),
        ];
        for (const row of kept) await credentials.commit(row, 0);
        for (let n = 0; n < 21; n += 1)
          await credentials.commit(
            rowOf(`ended-${n}`, { background: false, expiresAt: START - 1 - Math.floor(n / 10) }),
            0,
          );
        expect(await pruned(START - 10, 8)).toEqual([0]);
        expect(await pruned(START - 1, 100)).toEqual([11, 0]);
        expect(await pruned(START, 4)).toEqual([4, 4, 2, 0]);
        expect(await scanned(10)).toEqual(kept);
      });

      test('a row that is written anew while others are removed stays', async () => {
        const at = await connections(2);
        for (let n = 0; n < 30; n += 1)
          await store.credentials.commit(rowOf(`r${n}`, { background: false, expiresAt: START - 1 }), 0);
        const commits = Array.from({ length: 30 }, (_, n) =>
          at(1).credentials.commit(rowOf(`r${n}`, { epoch: 2, background: false, expiresAt: START + 1 }), 1),
        );
        const prunes = Array.from({ length: 6 }, () => at(0).credentials.pruneExpired(START, 5));
        const won = (await clock.settled(Promise.all(commits))).filter(Boolean).length;
        const removed = (await clock.settled(Promise.all(prunes))).reduce((sum, count) => sum + count, 0);
        expect(won + removed).toBe(30);
        expect((await store.credentials.scan(100)).map(row => row.epoch)).toEqual(Array(won).fill(2));
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

      test('what holders that died left behind is removed, a little at a time, and nothing else', async () => {
        const { leases } = store;
        for (let n = 0; n < 10; n += 1) await leases.acquire(`long-${n}`, 'a', TTL * 10);
        for (let n = 0; n < 10; n += 1) await leases.acquire(`dead-${n}`, 'gone', TTL);
        await leases.acquire('taken over', 'gone', TTL);
        clock.jump(TTL - 1);
        await leases.acquire('live', 'a', TTL);
        expect(await leases.prune(100)).toBe(0);
        clock.jump(1);
        await leases.acquire('taken over', 'a', TTL);
        expect([await leases.prune(4), await leases.prune(4), await leases.prune(4)]).toEqual([4, 4, 2]);
        expect(await leases.prune(4)).toBe(0);
        expect(await leases.extend('long-0', 'a', TTL)).toBe(true);
        expect(await leases.extend('live', 'a', TTL)).toBe(true);
        expect(await leases.extend('taken over', 'a', TTL)).toBe(true);
        expect(await leases.extend('dead-0', 'gone', TTL)).toBe(false);
        expect(await leases.acquire('dead-0', 'b', TTL)).toBe(true);
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

    describe('what is remembered for a while', () => {
      const TTL = 5000;

      test('the first value stands until its time is over', async () => {
        const { ephemeral } = store;
        expect(await ephemeral.get('n')).toBeUndefined();
        expect(await ephemeral.putIfAbsent('n', 'first 五_é😀', TTL)).toBe(true);
        expect(await ephemeral.putIfAbsent('n', 'second', TTL * 10)).toBe(false);
        expect(await ephemeral.putIfAbsent('other', '', TTL)).toBe(true);
        expect(await ephemeral.get('other')).toBe('');
        clock.jump(TTL - 1);
        expect(await ephemeral.putIfAbsent('n', 'third', TTL)).toBe(false);
        expect(await ephemeral.get('n')).toBe('first 五_é😀');
        clock.jump(1);
        expect(await ephemeral.get('n')).toBeUndefined();
      });

      test('what has ended can be taken over, for a time of its own', async () => {
        const { ephemeral } = store;
        await ephemeral.putIfAbsent('n', 'first', TTL);
        clock.jump(TTL);
        expect(await ephemeral.putIfAbsent('n', 'second', TTL)).toBe(true);
        expect(await ephemeral.putIfAbsent('n', 'third', TTL)).toBe(false);
        expect(await ephemeral.get('n')).toBe('second');
        clock.jump(TTL - 0.5);
        expect(await ephemeral.get('n')).toBe('second');
        clock.jump(0.5);
        expect(await ephemeral.get('n')).toBeUndefined();
      });

      test('names are compared byte by byte, and may be long', async () => {
        const { ephemeral } = store;
        const long = 'x'.repeat(512);
        for (const name of ['n', 'N', 'n ', long])
          expect(await ephemeral.putIfAbsent(name, name, TTL)).toBe(true);
        for (const name of ['n', 'N', 'n ', long]) expect(await ephemeral.get(name)).toBe(name);
      });

      test('of many who put at once exactly one wins, fresh or ended, and its value stands', async () => {
        const at = await connections(3);
        for (const round of [1, 2, 3]) {
          const put = await clock.settled(
            Promise.all(
              Array.from({ length: 30 }, (_, turn) =>
                at(turn).ephemeral.putIfAbsent('raced', `${round}-${turn}`, TTL),
              ),
            ),
          );
          expect(put.filter(Boolean)).toHaveLength(1);
          expect(await at(1).ephemeral.get('raced')).toBe(`${round}-${put.indexOf(true)}`);
          clock.jump(TTL);
        }
      });

      test('what has ended is removed, a little at a time, and nothing else', async () => {
        const { ephemeral } = store;
        for (let n = 0; n < 10; n += 1) await ephemeral.putIfAbsent(`ended-${n}`, 'v', TTL - n);
        await ephemeral.putIfAbsent('lasting', 'v', TTL + 1);
        expect(await ephemeral.prune(100)).toBe(0);
        clock.jump(TTL);
        expect([await ephemeral.prune(4), await ephemeral.prune(4), await ephemeral.prune(4)]).toEqual([
          4, 4, 2,
        ]);
        expect(await ephemeral.prune(4)).toBe(0);
        expect(await ephemeral.get('lasting')).toBe('v');
        expect(await ephemeral.putIfAbsent('ended-0', 'again', TTL)).toBe(true);
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

      test('a batch of calls that have nothing in common is kept, however long their paths', async () => {
        const all = Array.from({ length: 500 }, (_, n) =>
          callOf(n, { path: `/${n}/${'中"\\\u0001'.repeat(120)}`, caller: `caller-${n}`, rid: `r-${n}` }),
        );
        await store.calls.append(all);
        expect((await store.calls.list({ limit: 1000 })).rows).toEqual(all.toReversed());
        expect(await store.calls.get(callOf(321).seqid)).toEqual(all[321]);
        expect((await store.calls.list({ limit: 9, rid: 'r-7' })).rows).toEqual([all[7]]);
      });

      test('a batch that is sent again changes nothing', async () => {
        const batch = [callOf(2), callOf(1), callOf(3)];
        await store.calls.append(batch);
        await store.calls.append([callOf(4)]);
        await store.calls.append(batch);
        await store.calls.append(batch.map(call => ({ ...call, status: 500 })));
        expect(await numbers({ limit: 10 })).toEqual([4, 3, 2, 1]);
        expect((await store.calls.get(callOf(2).seqid))?.status).toBe(200);
      });

      test('batches that overlap are listed as one, in pages that lose none and repeat none', async () => {
        // As of three nodes, one of which writes late, with a slow call among those of another minute.
        const seqidAt = (number: number) =>
          callOf(number, {
            seqid: `${(0x69a3b9c0 + Math.floor(number / 10)).toString(16)}-${String(number).padStart(16, '0')}`,
          });
        const all = Array.from({ length: 2000 }, (_, number) => seqidAt(number));
        const others = all.filter((_, number) => number % 1000 !== 7);
        const slow = all.filter((_, number) => number % 1000 === 7);
        const nodes = [0, 1, 2].map(node => others.filter((_, number) => number % 3 === node));
        const batches = nodes.flatMap((rows, node) =>
          Array.from({ length: Math.ceil(rows.length / (40 + node)) }, (_, at) =>
            rows.slice(at * (40 + node), (at + 1) * (40 + node)),
          ),
        );
        batches.at(-1)?.unshift(...slow);
        for (const batch of batches.toReversed()) await store.calls.append(batch);
        const descending = all.map((_, n) => all.length - 1 - n);
        for (const limit of [17, 300, 2000, 5000]) expect(await numbers({ limit })).toEqual(descending);
        for (const row of [all[0], all[7], all[1007], all[1999]])
          expect(await store.calls.get(row?.seqid ?? '')).toEqual(row);
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
        // Two calls in a batch, each batch a second later than the one before.
        const later = (number: number) => (0x69a3b9c0 + Math.floor(number / 2)).toString(16);
        const call = (number: number) =>
          callOf(number, { seqid: `${later(number)}-${String(number).padStart(16, '0')}` });
        for (let number = 0; number < 50; number += 2)
          await store.calls.append([call(number), call(number + 1)]);
        const rule = { olderThan: START + 10_000, keepAtMost: 9, limit: 7 };
        const steps: number[] = [];
        for (let removed = -1; removed !== 0; steps.push(removed)) removed = await store.calls.prune(rule);
        // The first ten seconds have 20 calls; of the 30 others whole batches go as long as nine are left.
        expect(steps).toEqual([8, 8, 4, 8, 8, 4, 0]);
        expect(await numbers({ limit: 100 })).toEqual([49, 48, 47, 46, 45, 44, 43, 42, 41, 40]);
        await store.calls.append([call(50), call(51)]);
        expect(await store.calls.prune(rule)).toBe(2);
        expect(await store.calls.prune({ ...rule, olderThan: START + 60_000, limit: 100 })).toBe(10);
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

    auditContract(() => ({ store, clock, connections }));

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
