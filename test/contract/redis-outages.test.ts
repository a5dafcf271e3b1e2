import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { freePort } from '../support/free-port.ts';
import { describeOnRedis, eventually } from '../support/redis-server.ts';
import { type RedisNode, redisServer, redisWorld, single, tokenRow } from './redis.fixture.ts';

const ID = 'uni-id:weixin-mp:wx1:access-token';

/** Reads until a copy is used. */
async function untilHit(node: RedisNode, id = ID): Promise<void> {
  const { hits } = node.counts();
  await eventually(async () => {
    await node.peek(id);
    return node.counts().hits > hits;
  });
}

/** How long the slowest of some readings took, in milliseconds. */
async function slowest(node: RedisNode, times: number): Promise<number> {
  let longest = 0;
  for (let turn = 0; turn < times; turn += 1) {
    const begun = performance.now();
    expect((await node.peek(ID))?.epoch).toBe(1);
    longest = Math.max(longest, performance.now() - begun);
  }
  return longest;
}

/** A clock whose time can be moved while what sleeps on it really sleeps. */
function movedClock() {
  let offset = 0;
  return {
    now: () => systemClock.now() + offset,
    sleep: systemClock.sleep,
    move(ms: number) {
      offset += ms;
    },
  };
}

await describeOnRedis('a Redis that fails', () => {
  test('down at the start: nobody waits, and it is used once it is there', async () => {
    const port = await freePort();
    const node = await redisWorld().node(
      { kind: 'single', url: new Secret(`redis://user:canary-password@127.0.0.1:${port}`) },
      { wait: false },
    );
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await slowest(node, 20);
    expect(node.counts()).toMatchObject({ skipped: 20, timeouts: 0, errors: 0 });
    expect(node.store.accelerator?.state()).toMatchObject({ ok: false });
    await eventually(() => node.log.messages('warn').length > 0);
    expect(node.log.text()).not.toContain('canary-password');
    expect(node.log.messages('warn').join()).toContain('storage.redis');
    const server = await redisServer({
      port,
      options: ['--user', 'user', 'on', '>canary-password', '~*', '&*', '+@all'],
    });
    expect(server.port).toBe(port);
    await node.ready();
    await untilHit(node);
  });

  test('killed under load: every reading goes on, and none is older', async () => {
    const server = await redisServer();
    const world = redisWorld();
    const node = await world.node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await untilHit(node);
    const failed: unknown[] = [];
    let epochs: (number | undefined)[] = [];
    let stop = false;
    const readers = Array.from({ length: 20 }, async () => {
      while (!stop) {
        await node.peek(ID).then(
          row => epochs.push(row?.epoch),
          error => failed.push(error),
        );
        await systemClock.sleep(1);
      }
    });
    await server.kill();
    await eventually(() => node.store.accelerator?.state().ok === false);
    expect(await node.store.credentials.commit(tokenRow(ID, 2), 1)).toBe(true);
    epochs = [];
    await systemClock.sleep(100);
    stop = true;
    await Promise.all(readers);
    expect(failed).toEqual([]);
    // What was under way when the commit was over may still bring the former one.
    expect(new Set(epochs.slice(20))).toEqual(new Set([2]));
    expect(node.counts().outages).toBe(1);
  });

  test('frozen: nobody waits longer than the guard allows, and soon not at all', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await untilHit(node);
    server.freeze();
    // 50 ms, and what a busy machine takes.
    expect(await slowest(node, 5)).toBeLessThan(300);
    expect(node.counts().timeouts).toBeGreaterThan(0);
    expect(node.store.accelerator?.state().ok).toBe(false);
    const { timeouts, skipped } = node.counts();
    await slowest(node, 50);
    expect(await node.store.credentials.commit(tokenRow(ID, 2), 1)).toBe(true);
    expect(node.counts()).toMatchObject({ timeouts, skipped: skipped + 50 });
    server.thaw();
    await node.ready();
    expect((await node.peek(ID))?.epoch).toBe(2);
    expect(await server.command('EXISTS', ID)).toBe(0);
  });

  test.each([
    ['frozen', 3000],
    ['gone', 30_000],
  ] as const)(
    'what was written while it was %s is taken away afterwards, and nothing is believed for %i ms',
    async (trouble, ms) => {
      const server = await redisServer();
      const clock = movedClock();
      const node = await redisWorld().node(single(server), { clock });
      await node.store.credentials.commit(tokenRow(ID, 1), 0);
      await untilHit(node);
      const former = String(await server.command('GET', ID));
      if (trouble === 'frozen') server.freeze();
      else await server.kill();
      await node.store.credentials.commit(tokenRow(ID, 2), 1);
      expect(node.counts().pending).toBe(1);
      await eventually(async () => {
        await node.peek('uni-id:any');
        return node.store.accelerator?.state().ok === false;
      });
      if (trouble === 'frozen') server.thaw();
      else {
        await server.start();
        // As a replica that took over without the latest writes.
        await server.command('SET', ID, former, 'PX', '30000');
      }
      await node.ready();
      await eventually(() => node.counts().pending === 0);
      expect(await server.command('EXISTS', ID)).toBe(0);
      const { hits } = node.counts();
      for (let turn = 0; turn < 5; turn += 1) expect((await node.peek(ID))?.epoch).toBe(2);
      expect(node.counts().hits).toBe(hits);
      clock.move(ms);
      await untilHit(node);
    },
  );

  test('a removal that fails alone is tried again, and its row is not read from Redis meanwhile', async () => {
    const server = await redisServer();
    let refuses = false;
    const node = await redisWorld().node(single(server), {
      through: link => ({
        ...link,
        send: (key, command) =>
          refuses && command[0] === 'DEL' && key === ID
            ? Promise.reject(new Error('the connection broke'))
            : link.send(key, command),
      }),
    });
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await untilHit(node);
    refuses = true;
    await node.store.credentials.commit(tokenRow(ID, 2), 1);
    expect(await server.command('EXISTS', ID)).toBe(1);
    expect(node.counts().pending).toBe(1);
    expect((await node.peek(ID))?.epoch).toBe(2);
    refuses = false;
    await eventually(async () => (await server.command('EXISTS', ID)) === 0);
    expect(node.store.accelerator?.state()).toEqual({ ok: true });
    await untilHit(node);
  });

  test('emptied: readings go on, and nothing old comes back', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await untilHit(node);
    await server.command('FLUSHALL');
    expect((await node.peek(ID))?.epoch).toBe(1);
    await untilHit(node);
    // Scripts are gone too.
    await server.command('SCRIPT', 'FLUSH');
    await node.store.credentials.commit(tokenRow(ID, 2), 1);
    await untilHit(node);
    expect((await node.peek(ID))?.epoch).toBe(2);
    expect(node.counts().outages).toBe(0);
  });

  test('full: copies that are there are read, new ones wait, and removals work', async () => {
    const server = await redisServer({ options: ['--maxmemory-policy', 'noeviction'] });
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await node.store.credentials.commit(tokenRow('uni-id:new', 1), 0);
    await untilHit(node);
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    const { hits } = node.counts();
    expect((await node.peek(ID))?.epoch).toBe(1);
    expect(node.counts().hits).toBe(hits + 1);
    for (let turn = 0; turn < 10; turn += 1) expect((await node.peek('uni-id:new'))?.epoch).toBe(1);
    // Asked once, not at every reading.
    expect(node.counts().errors).toBe(1);
    expect(node.store.accelerator?.state()).toEqual({ ok: true });
    await node.store.credentials.commit(tokenRow(ID, 2), 1);
    expect((await node.peek(ID))?.epoch).toBe(2);
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await untilHit(node, 'uni-id:new');
  });

  test('read-only, as a primary that was replaced: it is left alone at once', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await untilHit(node);
    await server.command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
    await server.command('REPLICAOF', '127.0.0.1', String(await freePort()));
    await node.store.credentials.commit(tokenRow(ID, 2), 1);
    expect(node.store.accelerator?.state()).toMatchObject({ ok: false });
    expect((await node.peek(ID))?.epoch).toBe(2);
    await server.command('REPLICAOF', 'NO', 'ONE');
    await node.ready();
    expect(await server.command('EXISTS', ID)).toBe(0);
  });

  test('a wrong password keeps it unused and is told without the password', async () => {
    const server = await redisServer({
      options: ['--requirepass', 'right-password'],
      urlOf: port => `redis://:right-password@127.0.0.1:${port}`,
    });
    const node = await redisWorld().node(
      { kind: 'single', url: new Secret(`redis://:canary-wrong@127.0.0.1:${server.port}`) },
      { wait: false },
    );
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await slowest(node, 5);
    expect(node.counts()).toMatchObject({ skipped: 5, timeouts: 0 });
    await eventually(() => node.log.messages('warn').length > 0);
    expect(node.log.text()).toContain('WRONGPASS');
    expect(node.log.text()).not.toContain('canary-wrong');
  });
});
