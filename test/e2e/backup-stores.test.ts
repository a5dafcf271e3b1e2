import { expect, test } from 'vitest';
import { COPIED } from '../../src/stores/sql/copied-columns.ts';
import type { CallRow, CopiedPage, CopiedRow, CopiedTable, Store } from '../../src/stores/store.ts';
import { onEveryDatabase, opened, rowOf } from './stores.fixture.ts';

const TABLES = Object.keys(COPIED) as CopiedTable[];

const call: CallRow = {
  seqid: '692eb780-0001',
  ...{
    startedAt: 1_700_000_000_000,
    durationMs: 12,
    upstreamMs: 10,
    sends: 1,
    method: 'GET',
    path: '/wxa/x',
  },
  ...{ remoteAddress: '127.0.0.1', caller: undefined, platform: 'weixin-mp', app: 'shop', appid: 'wx01' },
  ...{ injected: true, credential: undefined, status: 200, errcode: 0, rid: undefined, failure: undefined },
  ...{ replayed: false, requestBytes: 0, answerBytes: 5_000_000_000, end: 'whole' },
};

/** Rows in every table, with texts and numbers that a database may spoil. */
async function fill(store: Store): Promise<void> {
  const previous = { value: 'sealed:v1:00000000:former', fingerprint: 'fedcba9876543210', expiresAt: 5 };
  await store.credentials.merge([
    ...Array.from({ length: 450 }, (_, at) => rowOf(`user-${at}`)),
    rowOf('A', { previous, value: '中文 😀 \\ \' " \n\u0001' }),
    rowOf('a', {
      expiresAt: Number.POSITIVE_INFINITY,
      platform: undefined,
      appid: undefined,
      kind: undefined,
    }),
    rowOf('ä', { issuedAt: undefined, renewAt: undefined, fingerprint: undefined, epoch: 0 }),
    rowOf('with a blank ', { background: true }),
  ]);
  await store.settings.put('gateway-ca', 'sealed:v1:00000000:authority');
  await store.budgets.take({ subject: 'x/y', window: '2026-03-01', limit: 9, spacingMs: 0 });
  await store.budgets.take({ subject: 'x/z', window: '2026-03-01', limit: 9, spacingMs: 0 });
  await store.failures.put({
    ...{ id: 'f', identity: 'i', code: 'CREDENTIAL_UNAVAILABLE', errcode: 40164, errmsg: 'not in whitelist' },
    ...{ errorClass: 'address', hint: undefined, failures: 2, failedAt: 1, retryAt: 1_700_000_000_000 },
  });
  await store.calls.append([call, { ...call, seqid: '692eb780-0002', caller: 'orders', errcode: undefined }]);
  for (let at = 1000; at < 1020; at += 1) await store.calls.append([{ ...call, seqid: `692eb780-${at}` }]);
  const counts = { errors: 0, refused: 0, replayed: 0, requestBytes: 1, answerBytes: 5_000_000_000 };
  await store.usage.add([
    { day: '2026-03-01', caller: undefined, appid: 'wx01', calls: 2, ...counts },
    { day: '2026-03-01', caller: 'orders', appid: undefined, calls: 1, ...counts },
  ]);
  const entry = {
    chain: 'c1',
    action: 'read',
    actor: 'orders',
    appid: undefined,
    credential: undefined,
    entry: '{}',
  };
  await store.audit.append([{ ...entry, number: 1, previous: '0'.repeat(64), hash: 'h', at: 1 }], true);
}

async function pagesOf(store: Store, tables = TABLES): Promise<readonly CopiedPage[]> {
  const pages: CopiedPage[] = [];
  for await (const page of store.copies.read(tables)) pages.push(page);
  return pages;
}

const rowsOf = (pages: readonly CopiedPage[], table: CopiedTable): readonly CopiedRow[] =>
  pages.filter(page => page.table === table).flatMap(page => page.rows);

const asPages = (pages: readonly CopiedPage[]) =>
  async function* (): AsyncGenerator<CopiedPage> {
    yield* pages;
  };

/** What the first kind of database gave, which all others must give too. */
let standard: readonly CopiedPage[] | undefined;

await onEveryDatabase(make => {
  test('a copy is the same from every database, and another made of it too', async () => {
    const store = await opened(await make());
    await fill(store);
    const pages = (await pagesOf(store)).map(page => ({
      ...page,
      // The moment of use is the database's own.
      rows: page.table === 'open_bridge_budgets' ? page.rows.map(row => ({ ...row, last_at: 0 })) : page.rows,
    }));
    standard ??= pages;
    expect(pages).toEqual(standard);
    expect(rowsOf(pages, 'opendb-open-data')).toHaveLength(454);
    expect(rowsOf(pages, 'open_bridge_audit')).toHaveLength(1);
    expect(rowsOf(pages, 'open_bridge_call_batches')).toHaveLength(21);

    const copy = await opened(await make());
    await copy.copies.write(TABLES, asPages(pages));
    expect(await pagesOf(copy)).toEqual(pages);
    expect(await copy.credentials.get('A')).toEqual(await store.credentials.get('A'));
    expect(await copy.credentials.get('a')).toEqual(await store.credentials.get('a'));
    expect(await copy.calls.get(call.seqid)).toEqual(call);
    await copy.calls.append([{ ...call, seqid: '692eb780-0003' }]);
    expect((await copy.calls.list({ limit: 10 })).rows).toHaveLength(10);
    expect((await copy.calls.list({ limit: 100 })).rows).toHaveLength(23);
  });

  test('a copy shows one moment, and holds up no writer', async () => {
    const database = await make();
    const [store, writer] = [await opened(database), await opened(database)];
    await fill(writer);
    const ids: unknown[] = [];
    const settings: unknown[] = [];
    for await (const { table, rows } of store.copies.read(['opendb-open-data', 'open_bridge_settings'])) {
      if (table === 'open_bridge_settings') settings.push(...rows.map(({ name }) => name));
      else ids.push(...rows.map(row => row['_id']));
      await writer.credentials.merge([rowOf(`zz-${ids.length}`)]);
      await writer.credentials.remove('user-9');
      await writer.settings.put('later', 'value');
    }
    expect(ids).toHaveLength(454);
    expect(ids).toContain('user-9');
    expect(settings).toEqual(['gateway-ca']);
    expect(await writer.credentials.get('user-9')).toBeUndefined();
    expect(await store.credentials.get('user-9')).toBeUndefined();
  });

  test('reading may be left off', async () => {
    const store = await opened(await make());
    await fill(store);
    for await (const _ of store.copies.read(TABLES)) break;
    await store.settings.put('a', 'b');
    expect(await store.settings.get('a')).toBe('b');
  });

  test('rows in the way are left alone, or replaced when that is asked for', async () => {
    const [store, target] = [await opened(await make()), await opened(await make())];
    await fill(store);
    const pages = await pagesOf(store);
    await target.settings.put('mine', 'value');
    await expect(target.copies.write(TABLES, asPages(pages))).rejects.toMatchObject({
      code: 'REQUEST_MALFORMED',
      message: 'the table open_bridge_settings is not empty; nothing was changed',
    });
    expect(await target.credentials.scan(1)).toEqual([]);
    await target.credentials.merge([rowOf('mine'), rowOf('A')]);
    await target.copies.write(TABLES, asPages(pages), { replace: true });
    expect(await pagesOf(target)).toEqual(pages);
  });

  test('what fails in the middle changes nothing', async () => {
    const [store, target] = [await opened(await make()), await opened(await make())];
    await fill(store);
    const pages = await pagesOf(store);
    await target.settings.put('mine', 'value');
    const broken = async function* () {
      yield* pages;
      throw new Error('the disk failed');
    };
    await expect(target.copies.write(TABLES, broken, { replace: true })).rejects.toThrow('the disk failed');
    expect(rowsOf(await pagesOf(target), 'open_bridge_settings')).toEqual([{ name: 'mine', value: 'value' }]);
    expect(await target.credentials.scan(1)).toEqual([]);
    const twice = asPages([...pages, ...pages]);
    await expect(target.copies.write(TABLES, twice, { replace: true })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(await target.settings.get('mine')).toBe('value');
  });
});
