import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { forgetValues, reseal } from '../../src/stores/resealing.ts';
import { createSealer, newSealKey, sealedWith, sealStore } from '../../src/stores/sealing.ts';
import { prepareSealKeys, rememberedSealKeys, requireSealKeys } from '../../src/stores/sealing-keys.ts';
import type { Store, StoredText, StoredTextTable, TextPlace } from '../../src/stores/store.ts';
import { everythingAbout, keptLog } from '../support/canary.ts';
import { onEveryDatabase, opened, rowOf } from './stores.fixture.ts';

const [former, present, other] = [1, 2, 3].map(() => new Secret(newSealKey())) as [Secret, Secret, Secret];
const idOf = (key: Secret): string => createSealer([key]).keyIds()[0] ?? '';
const now = (): number => Date.parse('2026-03-01T04:00:00Z');
const HOUR = 3_600_000;
const clock = { now, sleep: async () => {} };

/** Everything stored, as it is. */
async function all(store: Store): Promise<readonly (StoredText & { readonly place: TextPlace })[]> {
  const places = ['credentials', 'settings', 'ephemeral'] as const;
  const rows = await Promise.all(
    places.map(async place => (await store.texts.scan(place, 10_000)).map(row => ({ place, ...row }))),
  );
  return rows.flat();
}

const keysUsed = async (store: Store): Promise<readonly string[]> =>
  [
    ...new Set((await all(store)).flatMap(({ value, previous = '' }) => [value, previous].map(sealedWith))),
  ].flatMap(id => id ?? []);

/** Values of every kind sealed with a key, and one that is not sealed. */
async function fill(store: Store, key: Secret): Promise<void> {
  const sealer = createSealer([key]);
  const sealed = sealStore(store, sealer);
  const previous = { value: '{"session_key":"before"}', fingerprint: 'fedcba9876543210', expiresAt: now() };
  await sealed.credentials.commit(rowOf('a', { previous }), 0);
  for (const id of ['b', 'c', 'd']) await sealed.credentials.commit(rowOf(id), 0);
  await store.credentials.commit(rowOf('unicloud', { epoch: 0 }), 0);
  await store.settings.put('gateway-ca', sealer.seal('the authority', 'gateway-ca'));
  await store.settings.put('admin-key-sha256', 'a hash');
  await sealed.ephemeral.putIfAbsent('code', 'its session', HOUR);
}

function rotate(store: Pick<Store, 'settings' | 'texts'>, keys: readonly Secret[], dryRun = false) {
  const faults: string[] = [];
  const looked: number[] = [];
  const report = reseal({
    ...{ store, dryRun, clock, sealer: createSealer(keys) },
    onFault: fault => faults.push(everythingAbout(fault)),
    onProgress: rows => looked.push(rows),
  });
  return report.then(result => ({ ...result, faults, looked }));
}

const check = (store: Store, ...keys: Secret[]): Promise<void> =>
  requireSealKeys(keys.map(idOf), { store, now, log: silentLog });

/** A store in which `texts` does something of the test's before it replaces. */
function meddled(
  store: Store,
  before: (turn: number) => Promise<unknown>,
): Pick<Store, 'settings' | 'texts'> {
  let turn = 0;
  const replace: StoredTextTable['replace'] = async (place, changes) => {
    turn += 1;
    await before(turn);
    return store.texts.replace(place, changes);
  };
  return { ...store, texts: { ...store.texts, replace } };
}

await onEveryDatabase(make => {
  describe('sealing anew', () => {
    test('gives every value the first key and changes nothing else', async () => {
      const store = await opened(await make());
      await fill(store, former);
      const before = await sealStore(store, createSealer([former])).credentials.scan(100);
      const report = await rotate(store, [present, former]);
      expect(report).toMatchObject({
        values: { [idOf(former)]: 7 },
        ...{ unsealed: 1, resealed: 6, broken: 0, released: [idOf(former)], needed: [], faults: [] },
      });
      expect(await keysUsed(store)).toEqual([idOf(present)]);
      const sealed = sealStore(store, createSealer([present]));
      expect(await sealed.credentials.scan(100)).toEqual(before);
      expect(await sealed.ephemeral.get('code')).toBe('its session');
      expect(await store.settings.get('admin-key-sha256')).toBe('a hash');
      expect(await rememberedSealKeys(store.texts)).toEqual([idOf(present)]);
      await check(store, present);

      const stands = await all(store);
      expect(await rotate(store, [present, former])).toMatchObject({ resealed: 0, needed: [] });
      expect(await all(store)).toEqual(stands);
    });

    test('only counts when it is told so', async () => {
      const store = await opened(await make());
      await fill(store, former);
      const stands = await all(store);
      expect(await rotate(store, [present, former], true)).toMatchObject({
        values: { [idOf(former)]: 7 },
        ...{ resealed: 0, released: [], needed: [idOf(former)] },
      });
      expect(await all(store)).toEqual(stands);
    });

    test('leaves a row to whoever writes or removes it meanwhile', async () => {
      const database = await make();
      const store = await opened(database);
      await fill(store, former);
      const writer = sealStore(await opened(database), createSealer([present, former]));
      const report = await rotate(
        meddled(store, async turn => {
          if (turn !== 3) return;
          const row = await writer.credentials.get('b');
          if (row === undefined) throw new Error('the row is there');
          await writer.credentials.commit({ ...row, epoch: 4, value: '{"session_key":"newer"}' }, 3);
          await writer.credentials.remove('c');
        }),
        [present, former],
      );
      expect(report).toMatchObject({ resealed: 4, needed: [], released: [idOf(former)] });
      expect(await writer.credentials.get('b')).toMatchObject({ epoch: 4, value: '{"session_key":"newer"}' });
      expect(await writer.credentials.get('c')).toBeUndefined();
      expect(await keysUsed(store)).toEqual([idOf(present)]);
    });

    test('catches what is sealed with the former key meanwhile, and says so if that goes on', async () => {
      const store = await opened(await make());
      await fill(store, former);
      const late = sealStore(store, createSealer([former, present]));
      const once = await rotate(
        meddled(store, async turn => turn === 3 && late.credentials.commit(rowOf('0-late'), 0)),
        [present, former],
      );
      expect(once).toMatchObject({ resealed: 7, needed: [], released: [idOf(former)] });

      await late.credentials.commit(rowOf('still'), 0);
      const always = await rotate(
        meddled(store, turn => late.credentials.commit(rowOf(`0-late-${turn}`), 0)),
        [present, former],
      );
      expect(always).toMatchObject({ needed: [idOf(former)], released: [] });
    });

    test('goes on where it was stopped', async () => {
      const store = await opened(await make());
      const sealed = sealStore(store, createSealer([former]));
      await sealed.credentials.merge(Array.from({ length: 1200 }, (_, at) => rowOf(`user-${10_000 + at}`)));
      const stopped = reseal({
        ...{ store, dryRun: false, clock, sealer: createSealer([present, former]), onFault: () => {} },
        onProgress(rows) {
          if (rows >= 1000) throw new Error('stopped');
        },
      });
      await expect(stopped).rejects.toThrow('stopped');
      expect(await rotate(store, [present, former])).toMatchObject({
        values: { [idOf(present)]: 1000, [idOf(former)]: 200 },
        ...{ resealed: 200, needed: [] },
      });
    });

    test('names what does not open and keeps asking for its key', async () => {
      const store = await opened(await make());
      await fill(store, former);
      await sealStore(store, createSealer([other])).credentials.commit(rowOf('of-another-key'), 0);
      const [moved] = await store.texts.scan('credentials', 1);
      await store.credentials.commit(rowOf('moved', { value: moved?.value ?? '' }), 0);
      const report = await rotate(store, [present, former]);
      expect(report).toMatchObject({ resealed: 6, broken: 2, released: [] });
      expect([...report.needed].sort()).toEqual([idOf(former), idOf(other)].sort());
      expect(report.faults).toHaveLength(2);
      expect(report.faults.join()).not.toContain('canary-of');
      expect(report.faults.join()).toContain('of-another-key');
    });
  });

  describe('a lost key', () => {
    test('is forgotten with all that only it opens', async () => {
      const store = await opened(await make());
      await fill(store, former);
      await check(store, former);
      const half = createSealer([present]).seal('{"session_key":"now"}', 'half');
      const before = createSealer([former]).seal('{"session_key":"before"}', 'half#previous');
      const previous = { value: before, fingerprint: 'fedcba9876543210', expiresAt: now() };
      await store.credentials.commit(rowOf('half', { value: half, previous }), 0);
      const stands = await all(store);
      const lost = { store, keyId: idOf(former), onProgress: () => {} };
      expect(await forgetValues({ ...lost, dryRun: true })).toBe(7);
      expect(await all(store)).toEqual(stands);
      await expect(check(store, present)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });

      expect(await forgetValues({ ...lost, dryRun: false })).toBe(7);
      await check(store, present);
      const sealed = sealStore(store, createSealer([present]));
      expect((await sealed.credentials.scan(100)).map(({ id, fault }) => [id, fault])).toEqual([
        ['half', undefined],
        ['unicloud', undefined],
      ]);
      expect(await sealed.credentials.get('half')).toMatchObject({
        value: '{"session_key":"now"}',
        previous: undefined,
      });
      expect(await store.settings.get('admin-key-sha256')).toBe('a hash');
    });
  });

  describe('at the start', () => {
    test('a new database remembers the key that seals', async () => {
      const store = await opened(await make());
      await check(store, present, former);
      expect(await rememberedSealKeys(store.texts)).toEqual([idOf(present)]);
      await check(store, former, present);
      expect([...(await rememberedSealKeys(store.texts))].sort()).toEqual(
        [idOf(present), idOf(former)].sort(),
      );
    });

    test('a missing key is named with the values that need it', async () => {
      const store = await opened(await make());
      await check(store, former);
      await fill(store, former);
      const refusal = await check(store, present).catch(error => error);
      expect(refusal).toMatchObject({ code: 'SEAL_BROKEN' });
      expect(refusal.message).toBe(
        `stored values are sealed with keys that are not configured: ${idOf(former)} (7 values, such as gateway-ca, code, a)`,
      );
      expect(refusal.hint).toContain(`configured: ${idOf(present)}. Add the missing key to storage.sealKey`);
      expect(everythingAbout(refusal)).not.toContain('canary-of');
      await check(store, present, former);
    });

    test('a key that nothing needs any more is forgotten, and may be missing', async () => {
      const store = await opened(await make());
      const log = keptLog();
      await check(store, former);
      await requireSealKeys([idOf(present)], { store, now, log });
      expect(await rememberedSealKeys(store.texts)).toEqual([idOf(present)]);
      expect(log.messages('info')).toEqual(['nothing is sealed with this former key any more']);
    });

    test('a database that remembers no key tells by its values', async () => {
      const store = await opened(await make());
      await sealStore(store, createSealer([former])).credentials.commit(rowOf('a'), 0);
      await expect(check(store, present)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
      await store.credentials.remove('a');
      await store.settings.put('gateway-ca', createSealer([former]).seal('ca', 'gateway-ca'));
      await expect(check(store, present)).rejects.toThrow('such as gateway-ca');
    });

    test('what has ended needs no key', async () => {
      const store = await opened(await make());
      await check(store, former);
      await sealStore(store, createSealer([former])).ephemeral.putIfAbsent('code', 'session', -HOUR);
      await check(store, present);
    });
  });

  test('keys are changed while others use them, unless something needs the one left out', async () => {
    const store = await opened(await make());
    const log = keptLog();
    const sealer = createSealer([former]);
    const options = { store, now, log };
    await check(store, former);
    const sealed = sealStore(store, sealer);
    await sealed.credentials.commit(rowOf('a'), 0);

    await expect(prepareSealKeys([present], sealer, options)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
    expect(sealer.keyIds()).toEqual([idOf(former)]);
    const use = await prepareSealKeys([present, former], sealer, options);
    expect(sealer.keyIds()).toEqual([idOf(former)]);
    expect(await rememberedSealKeys(store.texts)).toContain(idOf(present));
    use();
    expect(sealer.keyIds()).toEqual([idOf(present), idOf(former)]);
    await sealed.credentials.commit(rowOf('b'), 0);
    expect(await sealed.credentials.get('a')).toEqual(rowOf('a'));
    expect(await keysUsed(store)).toEqual([idOf(former), idOf(present)]);

    await rotate(store, [present, former]);
    (await prepareSealKeys([present], sealer, options))();
    expect(await sealed.credentials.get('a')).toEqual(rowOf('a'));
    for (const key of [former, present]) expect(log.text()).not.toContain(key.reveal());
  });
});

test('a search for a missing key ends, and then the start is refused rather than the key forgotten', async () => {
  const rows = (limit: number, afterId = 'u'): StoredText[] =>
    Array.from({ length: limit }, (_, at) => ({
      id: `u${String(Number(afterId.slice(1)) + at + 1).padStart(8, '0')}`,
      ...{ value: 'not sealed', previous: undefined },
    }));
  let read = 0;
  const texts: StoredTextTable = {
    async scan(place, limit, afterId) {
      if (place === 'settings') return [{ id: 'seal-key:0badc0de', value: 'once', previous: undefined }];
      if (place === 'ephemeral') return [];
      read += limit;
      return rows(limit, afterId);
    },
    replace: () => Promise.reject(new Error('nothing is to be changed')),
    remove: () => Promise.reject(new Error('nothing is to be removed')),
  };
  const settings = {} as Store['settings'];
  const refusal = requireSealKeys([idOf(present)], { store: { texts, settings }, now, log: silentLog });
  await expect(refusal).rejects.toThrow(
    'stored values may be sealed with keys that are not configured: 0badc0de (none in the first 100000 rows)',
  );
  expect(read).toBeLessThan(102_000);
});
