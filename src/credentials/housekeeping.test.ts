import { expect, test } from 'vitest';
import { createHousekeeping } from './housekeeping.ts';
import { APPS, DAY, HOUR, userRef, userWorld } from './users.fixture.ts';

test('what has ended long ago is removed, and nothing else', async () => {
  const { first, clock } = await userWorld();
  const app = APPS['weixin-mp'];
  const session = (openid: string) => userRef(app, 'session-key', openid);
  for (let at = 0; at < 250; at += 1)
    await first.values.set(session(`ended-${at}`), { session_key: 'k' }, clock.now() + HOUR);
  await first.values.set(session('lately'), { session_key: 'k' }, clock.now() + 3 * DAY);
  await first.values.set(session('never'), { session_key: 'k' }, Number.POSITIVE_INFINITY);
  await first.store.ephemeral.putIfAbsent('over', 'x', HOUR);
  await first.store.ephemeral.putIfAbsent('lasting', 'x', 30 * DAY);
  await first.store.leases.acquire('dead', 'holder', HOUR);
  const token = { app, kind: 'access-token' } as const;
  await clock.settled(first.authority.keep(token));
  await clock.advance(8 * DAY);

  const housekeeping = createHousekeeping({ store: first.store, clock, log: first.log });
  await clock.settled(housekeeping.round());

  const left = (await first.store.credentials.scan(10)).map(({ id }) => id.split(':').at(-2));
  // The token in the background has ended too, and is what renewal has to do.
  expect(left.sort()).toEqual([app.appid, 'lately', 'never'].sort());
  expect(await first.store.ephemeral.get('lasting')).toBe('x');
  expect(await first.store.leases.prune(10)).toBe(0);
  expect(await first.store.ephemeral.prune(10)).toBe(0);
});

test('it runs every minute, and goes on after the store failed', async () => {
  const { node, clock } = await userWorld();
  let failing = true;
  let rounds = 0;
  const { store, log } = await node({
    through: real => ({
      ...real,
      leases: {
        ...real.leases,
        async prune(limit) {
          rounds += 1;
          if (failing) throw new Error('the store is away');
          return real.leases.prune(limit);
        },
      },
    }),
  });
  const housekeeping = createHousekeeping({ store, clock, log });
  housekeeping.start();
  await clock.advance(60_000);
  await expect.poll(() => log.text()).toContain('trying again later');
  expect(rounds).toBe(1);
  failing = false;
  await clock.advance(60_000);
  await expect.poll(() => rounds).toBe(2);
  await housekeeping.stop();
  await clock.advance(120_000);
  expect(rounds).toBe(2);
});
