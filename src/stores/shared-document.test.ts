import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../test/support/temporary.ts';
import { createSharedDocument } from './shared-document.ts';
import { openSqliteStore } from './sqlite.ts';

type Names = readonly string[];

/** Two processes that share one document. */
async function openTwo() {
  const clock = manualClock();
  const path = join(temporaryFolder(), 'bridge.db');
  let holders = 0;
  const open = async () => {
    const store = await openSqliteStore({ path, clock, random: seededRandom() });
    onTestFinished(() => store.close());
    const document = createSharedDocument<Names>({
      ...{ store, name: 'names', clock },
      parse: text => (text === undefined ? [] : JSON.parse(text)),
      newHolder() {
        holders += 1;
        return `holder-${holders}`;
      },
    });
    return { store, document };
  };
  return { clock, one: await open(), other: await open() };
}

it('loses no change of writers at the same time', async () => {
  const { clock, one, other } = await openTwo();
  expect(await one.document.read()).toEqual([]);
  const names = Array.from({ length: 20 }, (_, number) => `name-${number}`);
  const writes = names.map((name, number) =>
    (number % 2 === 0 ? one : other).document.update(before => [...before, name]),
  );
  await clock.settled(Promise.all(writes));
  expect((await other.document.read()).toSorted()).toEqual(names.toSorted());
});

it('writes nothing when nothing changes or the change fails, and holds nobody up then', async () => {
  const { one, other } = await openTwo();
  await one.document.update(() => ['first']);
  expect(await one.document.update(before => before)).toEqual(['first']);
  await expect(
    one.document.update(() => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  expect(await other.document.update(before => [...before, 'second'])).toEqual(['first', 'second']);
});

it('waits for a writer that died, and gives up on one that does not end', async () => {
  const { clock, one } = await openTwo();
  const { leases } = one.store;
  await leases.acquire('document:names', 'somebody', 5000);
  await clock.settled(one.document.update(() => ['after']));
  expect(await one.document.read()).toEqual(['after']);
  await leases.acquire('document:names', 'somebody', 600_000);
  await expect(clock.settled(one.document.update(() => []))).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    hint: expect.stringContaining('try again'),
  });
  expect(await one.document.read()).toEqual(['after']);
});

it('does not write over others after it was stopped for longer than its lease', async () => {
  const { clock, one, other } = await openTwo();
  const late = one.document.update(before => {
    clock.jump(6000);
    other.store.leases.acquire('document:names', 'other', 5000);
    return [...before, 'late'];
  });
  await expect(late).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(await other.document.read()).toEqual([]);
});
