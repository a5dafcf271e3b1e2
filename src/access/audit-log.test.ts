import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { BridgeError } from '../base/errors.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import type { AuditRow, AuditTable } from '../stores/store.ts';
import type { AuditEvent } from './audit.ts';
import { readEntry } from './audit-chain.ts';
import { createAuditLog } from './audit-log.ts';
import { anchorLine, entryLine, exportedAudit } from './audit-text.ts';
import { type AuditFault, storedAudit, verifyAudit } from './audit-verify.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const READ: AuditEvent = {
  action: 'read',
  outcome: 'done',
  actor: 'orders',
  remoteAddress: '10.0.0.9',
  kind: 'access-token',
  app: { name: 'shop', appid: 'wx01' },
  credential: '0123456789abcdef',
  detail: 'getAccessToken',
};

async function openStage() {
  const clock = manualClock();
  const path = join(temporaryFolder(), 'bridge.db');
  const store = await openSqliteStore({ path, clock, random: seededRandom() });
  onTestFinished(() => store.close());
  const retention = { maxAgeDays: 400, maxEntries: 100_000 };
  const appends: { readonly rows: number; readonly durable: boolean }[] = [];
  let failure: BridgeError | undefined;
  // What is written is real I/O, which the clock waits for.
  const table: AuditTable = {
    ...store.audit,
    append: (rows, durable) =>
      clock.during(async () => {
        if (failure !== undefined) throw failure;
        appends.push({ rows: rows.length, durable });
        await store.audit.append(rows, durable);
      }),
    prune: rule => clock.during(() => store.audit.prune(rule)),
  };
  let nodes = 0;
  const log = keptLog();
  const node = (version = 'open-bridge 9.9.9') => {
    nodes += 1;
    const number = nodes;
    const audit = createAuditLog({
      table,
      node: `node-${number}`,
      version,
      retention: () => retention,
      clock,
      randomHex: bytes => String(number).padStart(2 * bytes, '0'),
      log,
    });
    onTestFinished(() => clock.settled(audit.close()));
    return audit;
  };
  const chains = async () => {
    const all: AuditRow[][] = [];
    for (const chain of await store.audit.chains(1000))
      all.push([...(await store.audit.scan(chain, 1_000_000, 0))]);
    return all;
  };
  const verify = async () => {
    const faults: AuditFault[] = [];
    const verdict = await verifyAudit(storedAudit(store.audit), fault => faults.push(fault));
    expect(verdict.faults).toBe(faults.length);
    return faults;
  };
  /** Does something to the database behind the program's back. */
  const tamper = (statement: string): void => {
    const raw = new DatabaseSync(path, { timeout: 5000 });
    raw.exec(statement);
    raw.close();
  };
  return {
    ...{ clock, store, table, retention, appends, log, node, chains, verify, tamper },
    fail(error: BridgeError | undefined) {
      failure = error;
    },
  };
}

const down = new BridgeError('STORE_UNAVAILABLE', 'the database is down');

const entriesOf = (rows: readonly AuditRow[] = []) => rows.map(row => readEntry(row.entry));

describe('writing', () => {
  test('a noted event is in the store within 250 ms, linked as anybody can reckon it', async () => {
    const { clock, node, chains, verify, appends } = await openStage();
    const audit = node();
    audit.note(READ);
    audit.note({
      ...READ,
      action: 'login',
      kind: undefined,
      user: 'fedcba9876543210',
      credential: undefined,
    });
    await clock.advance(249);
    expect(appends).toEqual([]);
    await clock.advance(1);
    const [rows = []] = await chains();
    expect(appends).toEqual([{ rows: 3, durable: false }]);
    expect(entriesOf(rows)).toMatchObject([
      { number: 1, action: 'start', node: 'node-1', version: 'open-bridge 9.9.9', heads: [] },
      { number: 2, action: 'read', actor: 'orders', address: '10.0.0.9', app: 'shop', appid: 'wx01' },
      { number: 3, action: 'login', user: 'fedcba9876543210' },
    ]);
    let previous = '0'.repeat(64);
    for (const row of rows) {
      expect(row.previous).toBe(previous);
      previous = createHash('sha256').update(`${previous}\n${row.entry}`).digest('hex');
      expect(row.hash).toBe(previous);
    }
    expect(await verify()).toEqual([]);
  });

  test('a recorded event is in the store before anybody is told, with what was noted before it', async () => {
    const { clock, node, chains, appends } = await openStage();
    const audit = node();
    audit.note(READ);
    await audit.record({ ...READ, action: 'set' });
    expect(entriesOf((await chains())[0]).map(entry => entry?.action)).toEqual(['start', 'read', 'set']);
    expect(appends).toEqual([{ rows: 3, durable: true }]);
    await Promise.all(Array.from({ length: 30 }, () => audit.record({ ...READ, action: 'set' })));
    // They share their writes.
    expect(appends.length).toBeLessThan(5);
    expect(clock.sleepers()).toBe(0);
  });

  test('the same event again within a minute is counted, and none is lost at the end', async () => {
    const { clock, node, chains } = await openStage();
    const audit = node();
    for (let turn = 0; turn < 5; turn += 1) audit.note(READ);
    await clock.advance(250);
    for (let turn = 0; turn < 1000; turn += 1) {
      audit.note(READ);
      audit.note({ ...READ, credential: 'fedcba9876543210' });
      if (turn % 100 === 0) await clock.advance(10_000);
    }
    await clock.settled(audit.close());
    const [rows = []] = await chains();
    const reads = entriesOf(rows).filter(entry => entry?.action === 'read');
    const sum = (credential: string): number =>
      reads
        .filter(entry => entry?.credential === credential)
        .reduce((total, entry) => total + (entry?.times ?? 1), 0);
    expect(sum('0123456789abcdef')).toBe(1005);
    expect(sum('fedcba9876543210')).toBe(1000);
    expect(rows.length).toBeLessThan(20);
    for (const entry of reads) expect(entry?.since ?? 0).toBeLessThanOrEqual(entry?.at ?? 0);
    expect(entriesOf(rows).at(-1)).toMatchObject({ action: 'stop' });
  });

  test('a process that serves writes what it counted when the minute is over', async () => {
    const { clock, node, chains } = await openStage();
    const audit = node();
    audit.start();
    await clock.advance(10);
    audit.note(READ);
    await clock.advance(1000);
    audit.note(READ);
    audit.note(READ);
    await clock.advance(61_000);
    expect(entriesOf((await chains())[0]).map(entry => entry?.times ?? 1)).toEqual([1, 1, 2]);
  });

  test('many events do not wait for the 250 ms', async () => {
    const { clock, node, appends } = await openStage();
    const audit = node();
    for (let turn = 0; turn < 450; turn += 1) audit.note({ ...READ, credential: String(turn) });
    await clock.advance(0);
    expect(appends.map(each => each.rows)).toEqual([200, 200, 51]);
  });

  test('a process that does nothing writes nothing', async () => {
    const { clock, node, chains } = await openStage();
    await clock.settled(node().close());
    expect(await chains()).toEqual([]);
  });
});

describe('while the store is down', () => {
  test('who waits is refused, and what happened is written once it can be', async () => {
    const { clock, node, fail, chains, verify, log } = await openStage();
    const audit = node();
    await audit.record({ ...READ, action: 'set' });
    fail(down);
    audit.note(READ);
    const refused = await audit.record({ ...READ, action: 'remove' }).catch(error => error);
    expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE', cause: down });
    await clock.advance(5000);
    expect(log.messages('error')).toEqual(['the audit log cannot be written; trying again']);
    fail(undefined);
    await clock.advance(1000);
    expect(entriesOf((await chains())[0]).map(entry => entry?.action)).toEqual([
      'start',
      'set',
      'read',
      'remove',
    ]);
    expect(await verify()).toEqual([]);
  });

  test('memory is bounded, and what was lost stands in the chain afterwards', async () => {
    const { clock, node, fail, chains, verify } = await openStage();
    const audit = node();
    await audit.record({ ...READ, action: 'set' });
    fail(down);
    for (let turn = 0; turn < 25_000; turn += 1) audit.note({ ...READ, credential: String(turn) });
    await expect(audit.record(READ)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(audit.counts.lost).toBe(5001);
    fail(undefined);
    await clock.settled(audit.flush());
    const entries = entriesOf((await chains())[0]);
    expect(entries).toHaveLength(2 + 20_000 + 1);
    expect(entries.at(-1)).toMatchObject({ action: 'gap', outcome: 'lost', times: 5001 });
    expect(await verify()).toEqual([]);
  });

  test('an acknowledgement that was lost makes no entry twice', async () => {
    const { clock, store, node, table, chains, verify } = await openStage();
    const { append } = table;
    let once = true;
    table.append = async (rows, durable) => {
      await append(rows, durable);
      if (once) {
        once = false;
        throw down;
      }
    };
    const audit = node();
    await expect(audit.record({ ...READ, action: 'set' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await audit.record({ ...READ, action: 'remove' });
    await clock.advance(2000);
    expect(entriesOf((await chains())[0]).map(entry => entry?.action)).toEqual(['start', 'set', 'remove']);
    expect(await verify()).toEqual([]);
    expect(await store.audit.chains(5)).toHaveLength(1);
  });
});

describe('refusals', () => {
  test('a scanner fills no log: the rest is counted by address, then for all', async () => {
    const { clock, node, chains } = await openStage();
    const audit = node();
    const refusal = (address: string, n: number): AuditEvent => ({
      action: 'refused',
      outcome: 'CALLER_UNKNOWN',
      remoteAddress: address,
      detail: `trial-${n}`,
    });
    for (let n = 0; n < 500; n += 1) audit.note(refusal('10.0.0.1', n));
    for (let n = 0; n < 5000; n += 1) audit.note(refusal(`10.1.${n >> 8}.${n & 255}`, 0));
    await clock.settled(audit.flush());
    const [rows = []] = await chains();
    expect(rows.length).toBeLessThan(130);
    const times = entriesOf(rows)
      .filter(entry => entry?.action === 'refused')
      .reduce((sum, entry) => sum + (entry?.times ?? 1), 0);
    expect(times).toBe(5500);
    await clock.advance(60_000);
    audit.note(refusal('10.0.0.1', 3));
    await clock.settled(audit.flush());
    expect(entriesOf((await chains())[0]).at(-1)).toMatchObject({ address: '10.0.0.1', detail: 'trial-3' });
  });
});

describe('verifying', () => {
  async function written() {
    const stage = await openStage();
    const first = stage.node();
    for (let n = 0; n < 10; n += 1) await first.record({ ...READ, credential: `c${n}` });
    await stage.clock.advance(5000);
    const second = stage.node();
    for (let n = 0; n < 10; n += 1) await second.record({ ...READ, actor: `other${n}` });
    const [a = [], b = []] = await stage.chains();
    expect(await stage.verify()).toEqual([]);
    return { ...stage, first, second, a, b, chain: a[0]?.chain ?? '', later: b[0]?.chain ?? '' };
  }

  const where = (chain: string, number: number): string => `where chain = '${chain}' and number = ${number}`;

  test.each<[string, string, (chain: string, later: string) => string, RegExp]>([
    [
      'a changed entry',
      '5',
      chain =>
        `update open_bridge_audit set entry = replace(entry, '10.0.0.9', '10.0.0.8') ${where(chain, 5)}`,
      /hash does not fit/,
    ],
    [
      'a changed column',
      '5',
      chain => `update open_bridge_audit set actor = 'nobody' ${where(chain, 5)}`,
      /column actor/,
    ],
    [
      'a credential taken out of sight',
      '5',
      chain => `update open_bridge_audit set credential = null ${where(chain, 5)}`,
      /column credential/,
    ],
    [
      'a text that is none',
      '5',
      chain => `update open_bridge_audit set entry = 'x' ${where(chain, 5)}`,
      /no entry/,
    ],
    [
      'an entry taken out',
      '6',
      chain => `delete from open_bridge_audit ${where(chain, 5)}`,
      /entry 5 before it is missing/,
    ],
    [
      'entries taken from the front',
      '4',
      chain => `delete from open_bridge_audit where chain = '${chain}' and number <= 3`,
      /entries 1 to 3 before it are missing/,
    ],
    [
      'entries taken from the end, which the later chain saw',
      '11',
      chain => `delete from open_bridge_audit where chain = '${chain}' and number > 8`,
      /is missing, with what followed it; .*\/1 saw it/,
    ],
    ['a whole chain', '11', chain => `delete from open_bridge_audit where chain = '${chain}'`, /is missing/],
    [
      'an entry put in at the end',
      '13',
      chain =>
        `insert into open_bridge_audit select chain, 13, hash, hash, at, action, actor, appid, credential, entry from open_bridge_audit ${where(chain, 11)}`,
      /hash does not fit/,
    ],
  ])('finds %s', async (_what, number, statement, fault) => {
    const { tamper, verify, chain, later } = await written();
    tamper(statement(chain, later));
    const faults = await verify();
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.find(each => fault.test(each.fault))).toMatchObject({ chain, number: Number(number) });
  });

  test('finds entries in another order', async () => {
    const { tamper, verify, chain } = await written();
    tamper(`update open_bridge_audit set number = 99 ${where(chain, 4)};
      update open_bridge_audit set number = 4 ${where(chain, 5)};
      update open_bridge_audit set number = 5 ${where(chain, 99)}`);
    expect(new Set((await verify()).map(each => each.number))).toEqual(new Set([4, 5, 6]));
  });

  test('finds an entry that was replaced together with its own hash', async () => {
    const { tamper, verify, chain, a } = await written();
    const row = a[4] as AuditRow;
    const entry = row.entry.replace('orders', 'nobody');
    const hash = createHash('sha256').update(`${row.previous}\n${entry}`).digest('hex');
    tamper(
      `update open_bridge_audit set actor = 'nobody', entry = '${entry}', hash = '${hash}' ${where(chain, 5)}`,
    );
    expect(await verify()).toEqual([
      { chain, number: 6, fault: 'does not follow the entry before it: one of them was replaced' },
    ]);
  });

  test('finds a rewritten chain by what the later one saw, and what comes after an end', async () => {
    const { clock, table, first, tamper, verify, chain, a, store } = await written();
    await clock.settled(first.close());
    const end = (await store.audit.scan(chain, 100, 11))[0] as AuditRow;
    const text = end.entry.replace('"number":12', '"number":13');
    const hash = createHash('sha256').update(`${end.hash}\n${text}`).digest('hex');
    await table.append([{ ...end, number: 13, previous: end.hash, hash, entry: text }], true);
    expect(await verify()).toEqual([{ chain, number: 13, fault: 'stands after the end of its chain' }]);

    tamper(`delete from open_bridge_audit where chain = '${chain}'`);
    let previous = '0'.repeat(64);
    const forged = a.map(row => {
      const entry = row.entry.replace('orders', 'nobody');
      const made = { ...row, previous, entry, actor: row.actor && 'nobody' };
      previous = createHash('sha256').update(`${previous}\n${entry}`).digest('hex');
      return { ...made, hash: previous };
    });
    await table.append(forged, true);
    expect(await verify()).toEqual([
      { chain, number: 11, fault: expect.stringMatching(/^is not the entry that .*\/1 saw$/) },
    ]);
  });

  test('a chain that lives on sees what is cut off of others', async () => {
    const stage = await openStage();
    const [first, second] = [stage.node(), stage.node()];
    first.start();
    second.start();
    await stage.clock.advance(10);
    await second.record(READ);
    await stage.clock.advance(60 * 60_000);
    await stage.clock.settled(first.flush());
    const [, b = []] = await stage.chains();
    const { chain = '', number = 0 } = b.find(row => row.action === 'read') ?? {};
    stage.tamper(`delete from open_bridge_audit where chain = '${chain}' and number >= ${number}`);
    expect((await stage.verify()).some(each => each.chain === chain && each.number >= number)).toBe(true);
  });

  test('an export is as good as the database, until it is changed', async () => {
    const { store, chain, retention, table, clock } = await written();
    await table.prune({ olderThan: 0, keepAtMost: 18, limit: 100, now: clock.now() });
    expect(retention.maxAgeDays).toBe(400);
    const lines: string[] = [];
    for await (const row of storedAudit(store.audit).rows()) lines.push(entryLine(row));
    for (const anchor of await store.audit.anchors(10)) lines.push(anchorLine(anchor));
    const check = async (text: readonly string[]) => {
      const faults: AuditFault[] = [];
      const malformed: number[] = [];
      const source = exportedAudit(
        async function* () {
          for (const [index, line] of text.entries()) yield { number: index + 1, text: line };
        },
        line => malformed.push(line),
      );
      await verifyAudit(source, fault => faults.push(fault));
      return [...faults.map(each => each.fault), ...malformed.map(line => `line ${line}`)];
    };
    expect(lines).toHaveLength(19);
    expect(await check(lines)).toEqual([]);
    expect(await check(lines.slice(0, -1))).toEqual(['entries 1 to 4 before it are missing']);
    expect(await check(lines.with(3, lines[3]?.replace('10.0.0.9', '10.0.0.8') ?? ''))).toEqual([
      'was changed: its hash does not fit',
    ]);
    expect(await check(lines.toSpliced(2, 1))).toEqual(['entry 7 before it is missing']);
    expect(await check(lines.with(0, '{"entry":1}'))).not.toEqual([]);
    expect(await check(lines.with(1, lines[2] ?? '').with(2, lines[1] ?? ''))).toContain(
      'is out of its order',
    );
    expect(chain).not.toBe('');
  });
});

describe('retention', () => {
  test('removes what is too old, and what is left can still be verified', async () => {
    const { clock, node, chains, verify, retention } = await openStage();
    retention.maxAgeDays = 10;
    const audit = node();
    audit.start();
    for (let day = 0; day < 15; day += 1) {
      await audit.record({ ...READ, credential: `day-${day}` });
      await clock.settled(audit.flush());
      clock.jump(DAY_MS);
    }
    await clock.advance(12 * 60_000);
    const [rows = []] = await chains();
    const days = entriesOf(rows).flatMap(entry => (entry?.action === 'read' ? [entry.credential] : []));
    expect(days).toEqual(Array.from({ length: 9 }, (_, n) => `day-${n + 6}`));
    expect(entriesOf(rows).some(entry => entry?.action === 'prune')).toBe(true);
    expect(await verify()).toEqual([]);
    clock.jump(11 * DAY_MS);
    await clock.advance(12 * 60_000);
    await audit.record(READ);
    expect(await verify()).toEqual([]);
  });

  test('a process that does not serve removes too', async () => {
    const { clock, node, chains, verify, retention } = await openStage();
    retention.maxEntries = 1000;
    const audit = node();
    for (let n = 0; n < 4000; n += 1) {
      audit.note({ ...READ, credential: `c${n}` });
      if (n % 400 === 0) await clock.advance(300);
    }
    await clock.advance(5000);
    expect((await chains())[0]?.length).toBeLessThan(2000);
    expect(await verify()).toEqual([]);
  });
});

test('the head is told to the log, where it can be kept', async () => {
  const { clock, node, log, store } = await openStage();
  const audit = node();
  await audit.record(READ);
  await clock.settled(audit.close());
  const told = log.lines.filter(line => line.message === 'head of the audit log').map(line => line.fields);
  expect(told.at(-1)).toEqual((await store.audit.heads(1))[0]);
});
