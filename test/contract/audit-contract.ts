import { describe, expect, test } from 'vitest';
import type { AuditRow, Store } from '../../src/stores/store.ts';
import type { ManualClock } from '../support/manual-clock.ts';

/** What the tests of one table are given by those of the whole store. */
export interface ContractStage {
  readonly store: Store;
  readonly clock: ManualClock;
  /** `count` connections to the same data, taken in turn. */
  connections(count: number): Promise<(turn: number) => Store>;
}

const START = Date.parse('2026-03-01T04:00:00Z');

const hashOf = (chain: string, number: number): string => `${chain}-${number}-hash`;

function rowOf(chain: string, number: number, change: Partial<AuditRow> = {}): AuditRow {
  return {
    chain,
    number,
    previous: hashOf(chain, number - 1),
    hash: hashOf(chain, number),
    at: START + number,
    action: 'read',
    actor: 'orders',
    appid: 'wx01',
    credential: '0123456789abcdef',
    entry: JSON.stringify({ chain, number, 文: '字'.repeat(20) }),
    ...change,
  };
}

function rowsOf(chain: string, count: number, from = 1): AuditRow[] {
  return Array.from({ length: count }, (_, n) => rowOf(chain, from + n));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const names = (rows: readonly AuditRow[]): string[] => rows.map(row => `${row.chain}${row.number}`);

/** What the audit log of every store must do. */
export function auditContract(stage: () => ContractStage): void {
  describe('the audit log', () => {
    test.each([true, false])('an entry comes back as it was added (durable: %s)', async durable => {
      const { audit } = stage().store;
      const bare = rowOf('a', 2, { actor: undefined, appid: undefined, credential: undefined });
      await audit.append([rowOf('a', 1), bare], durable);
      await audit.append([], durable);
      expect(await audit.get('a', 1)).toEqual(rowOf('a', 1));
      expect(await audit.get('a', 2)).toEqual(bare);
      expect(await audit.get('a', 3)).toBeUndefined();
      expect(await audit.scan('a', 10, 0)).toEqual([rowOf('a', 1), bare]);
      expect(await audit.scan('a', 1, 1)).toEqual([bare]);
    });

    test.each([true, false])('what is sent again changes nothing (durable: %s)', async durable => {
      const { audit } = stage().store;
      const rows = rowsOf('a', 77);
      await audit.append(rows.slice(0, 40), durable);
      await audit.append(
        rows.map(row => ({ ...row, actor: 'another' })),
        durable,
      );
      const kept = await audit.scan('a', 100, 0);
      expect(kept.map(row => row.number)).toEqual(rows.map(row => row.number));
      expect(kept.filter(row => row.actor === 'orders')).toHaveLength(40);
    });

    test('lists the latest first, in pages that lose none, however many share a time', async () => {
      const { audit } = stage().store;
      const all = ['a', 'b', 'c'].flatMap(chain =>
        rowsOf(chain, 12).map(row => ({ ...row, at: START + Math.floor(row.number / 5) })),
      );
      await audit.append(all, false);
      const expected = names(
        all.toSorted((x, y) => y.at - x.at || compare(y.chain, x.chain) || y.number - x.number),
      );
      for (const limit of [1, 5, 36, 100])
        for (const filter of [{}, { actor: 'orders' }, { credential: '0123456789abcdef' }]) {
          const found: AuditRow[] = [];
          let cursor: Awaited<ReturnType<typeof audit.list>>['next'];
          do {
            const page = await audit.list({ ...filter, limit, cursor });
            found.push(...page.rows);
            cursor = page.next;
          } while (cursor !== undefined);
          expect(names(found)).toEqual(expected);
        }
    });

    test('finds by time, action, actor, credential and apps', async () => {
      const { audit } = stage().store;
      await audit.append(
        [
          rowOf('a', 1, { action: 'set' }),
          rowOf('a', 2, { actor: 'admin' }),
          rowOf('a', 3, { credential: 'fedcba9876543210' }),
          rowOf('b', 4, { appid: 'wx02' }),
          rowOf('b', 5, { appid: undefined, actor: undefined }),
        ],
        true,
      );
      const find = async (query: object) => names((await audit.list({ limit: 10, ...query })).rows);
      expect(await find({ since: START + 2, until: START + 4 })).toEqual(['a3', 'a2']);
      expect(await find({ action: 'set' })).toEqual(['a1']);
      expect(await find({ actor: 'admin' })).toEqual(['a2']);
      expect(await find({ credential: 'fedcba9876543210' })).toEqual(['a3']);
      expect(await find({ appids: ['wx02', 'wx03'] })).toEqual(['b4']);
      expect(await find({ appids: [] })).toEqual([]);
      expect(await find({ actor: 'orders', action: 'read', appids: ['wx01'], since: START + 3 })).toEqual([
        'a3',
      ]);
    });

    test('finds the few among many', async () => {
      const { audit } = stage().store;
      const wanted = new Set([1, 5000, 5001, 9999]);
      const all = rowsOf('a', 12_000).map(row => ({
        ...row,
        at: START + Math.floor(row.number / 7),
        actor: wanted.has(row.number) ? 'admin' : 'orders',
      }));
      for (let at = 0; at < all.length; at += 1000) await audit.append(all.slice(at, at + 1000), false);
      for (const limit of [1, 3, 10]) {
        const found: number[] = [];
        let cursor: Awaited<ReturnType<typeof audit.list>>['next'];
        do {
          const page = await audit.list({ actor: 'admin', limit, cursor });
          found.push(...page.rows.map(row => row.number));
          cursor = page.next;
        } while (cursor !== undefined);
        expect(found).toEqual([9999, 5001, 5000, 1]);
      }
    });

    test('knows the chains and their last entries', async () => {
      const { audit } = stage().store;
      expect(await audit.heads(5)).toEqual([]);
      await audit.append([...rowsOf('b', 2), ...rowsOf('a', 3), ...rowsOf('c', 1)], false);
      expect(await audit.chains(10)).toEqual(['a', 'b', 'c']);
      expect(await audit.chains(1, 'a')).toEqual(['b']);
      expect(await audit.heads(2)).toEqual([
        { chain: 'c', number: 1, hash: hashOf('c', 1) },
        { chain: 'b', number: 2, hash: hashOf('b', 2) },
      ]);
    });

    test('removes what is old from the front of each chain, and keeps where it ended', async () => {
      const { audit } = stage().store;
      // One entry of `b` with a late time keeps what follows it: a chain is never cut in its middle.
      const b = rowsOf('b', 6).map(row => (row.number === 3 ? { ...row, at: START + 1000 } : row));
      await audit.append([...rowsOf('a', 20), ...b], false);
      const rule = { olderThan: START + 11, keepAtMost: 1000, limit: 4, now: START + 2000 };
      const steps: number[] = [];
      for (let removed = -1; removed !== 0; steps.push(removed)) removed = await audit.prune(rule);
      expect(steps).toEqual([4, 2, 4, 2, 0]);
      expect(names(await audit.scan('a', 100, 0))).toEqual(names(rowsOf('a', 10, 11)));
      expect(names(await audit.scan('b', 100, 0))).toEqual(['b3', 'b4', 'b5', 'b6']);
      expect(await audit.anchors(10)).toEqual([
        { chain: 'a', number: 10, hash: hashOf('a', 10), at: START + 2000 },
        { chain: 'b', number: 2, hash: hashOf('b', 2), at: START + 2000 },
      ]);
      expect(await audit.anchors(10, 'a')).toHaveLength(1);
      expect(await audit.anchor('a')).toMatchObject({ number: 10 });
      expect(await audit.anchor('c')).toBeUndefined();
    });

    test('removes the earliest of too many, and in time the last traces of a chain', async () => {
      const { audit } = stage().store;
      await audit.append(
        [...rowsOf('a', 10), ...rowsOf('b', 10, 1).map(row => ({ ...row, at: row.at + 20 }))],
        false,
      );
      const rule = { olderThan: 0, keepAtMost: 12, limit: 5, now: START + 100 };
      expect([await audit.prune(rule), await audit.prune(rule), await audit.prune(rule)]).toEqual([5, 3, 0]);
      expect(await audit.scan('a', 100, 0)).toHaveLength(2);
      expect(await audit.scan('b', 100, 0)).toHaveLength(10);
      const all = { olderThan: START + 50, keepAtMost: 12, limit: 100, now: START + 200 };
      expect([await audit.prune(all), await audit.prune(all), await audit.prune(all)]).toEqual([2, 10, 0]);
      expect(await audit.chains(10)).toEqual([]);
      expect(await audit.anchors(10)).toHaveLength(2);
      expect(await audit.prune({ ...all, olderThan: START + 201 })).toBe(0);
      expect(await audit.anchors(10)).toEqual([]);
    });

    test('many that remove at once remove the same, and where it ended never goes back', async () => {
      const { store, clock, connections } = stage();
      await store.audit.append(rowsOf('a', 200), false);
      const at = await connections(3);
      const rule = { olderThan: START + 151, keepAtMost: 1000, now: START };
      const removals = Array.from({ length: 12 }, (_, turn) =>
        at(turn).audit.prune({ ...rule, limit: 10 + 7 * turn }),
      );
      await clock.settled(Promise.all(removals));
      const [first] = await store.audit.scan('a', 1, 0);
      expect(first?.number).toBeLessThanOrEqual(151);
      const anchor = await store.audit.anchor('a');
      expect(anchor?.number).toBe((first?.number ?? 0) - 1);
      expect(anchor?.hash).toBe(first?.previous);
    });
  });
}
