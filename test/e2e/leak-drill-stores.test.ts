import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { hashCallerKey } from '../../src/access/callers.ts';
import { openKeyRevocations } from '../../src/access/key-revocations.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { openCredentials } from '../../src/credentials/open.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { createSharedDocument } from '../../src/stores/shared-document.ts';
import type { Store } from '../../src/stores/store.ts';
import { type MakeDatabase, onEveryDatabase } from './stores.fixture.ts';

const UPSTREAM = 'http://127.0.0.1:9';

/** Two processes on one database, as bridges open it, each with the longest name. */
async function openTwo(make: MakeDatabase) {
  const database = await make();
  const sealKeys = [new Secret(newSealKey())];
  const open = async () => {
    const opened = await openCredentials({
      storage: { database, sealKeys, keyFormat: 'appid' },
      follows: false,
      origins: () => ({ weixin: UPSTREAM, qq: UPSTREAM, qqConnect: UPSTREAM }),
      ...{ clock: systemClock, random: Math.random, log: silentLog },
      instance: `${'h'.repeat(63)}:1234567`,
    });
    onTestFinished(() => opened.close());
    return opened;
  };
  return [await open(), await open()] as const;
}

await onEveryDatabase(make => {
  it('changes of two processes at once are all kept', async () => {
    const nodes = await openTwo(make);
    const document = ({ store, newHolder }: { store: Store; newHolder: () => string }) =>
      createSharedDocument<readonly string[]>({
        ...{ store, newHolder, clock: systemClock, name: `names-${'n'.repeat(100)}` },
        parse: text => (text === undefined ? [] : JSON.parse(text)),
      });
    const documents = nodes.map(document);
    const names = Array.from({ length: 12 }, () => randomUUID());
    await Promise.all(
      names.map((name, number) => documents[number % 2]?.update(before => [...before, name])),
    );
    for (const each of documents) expect((await each.read()).toSorted()).toEqual(names.toSorted());
  }, 60_000);

  it('a key revoked by one process is known to the other, a thousand of them too', async () => {
    const [one, other] = await openTwo(make);
    const open = ({ store, newHolder }: typeof one) =>
      openKeyRevocations({ store, newHolder, clock: systemClock, log: silentLog });
    const [here, there] = [await open(one), await open(other)];
    const keys = Array.from({ length: 1000 }, (_, number) => ({
      keyHash: hashCallerKey(`canary-key-${number}`),
      caller: `caller ${number} 订单 ${'c'.repeat(200)}`,
    }));
    await here.revoke(keys);
    await there.refresh();
    for (const { keyHash } of keys) expect(there.revokedAt(keyHash)).toBe(here.revokedAt(keyHash));
    expect(there.revokedAt(keys[0]?.keyHash ?? '')).toBeDefined();
  }, 60_000);
});
