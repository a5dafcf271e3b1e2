import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeOnRedis, eventually } from '../support/redis-server.ts';
import { CANARY, redisServer, redisWorld, single, tokenRow } from './redis.fixture.ts';

const ID = 'uni-id:weixin-mp:wx1:access-token';

await describeOnRedis('copies in Redis', () => {
  test('a row is read from the database once, then from Redis by all nodes', async () => {
    const server = await redisServer();
    const world = redisWorld();
    const [a, b] = [await world.node(single(server)), await world.node(single(server))];
    const row = tokenRow(ID, 1, {
      previous: { value: '{"access_token":"p"}', fingerprint: 'q', expiresAt: 5 },
    });
    await a.store.credentials.commit(row, 0);
    expect(await a.peek(ID)).toEqual(row);
    expect(a.reads()).toBe(1);
    await eventually(async () => (await server.command('TYPE', ID)) === 'string' && b.counts().hits + 1 > 0);
    await eventually(async () => {
      await b.peek(ID);
      return b.counts().hits > 0;
    });
    const before = b.reads();
    for (let turn = 0; turn < 20; turn += 1) expect(await b.peek(ID)).toEqual(row);
    expect(b.reads()).toBe(before);
  });

  test('what Redis holds is sealed whole and ends within half a minute', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1, { expiresAt: Number.POSITIVE_INFINITY }), 0);
    expect((await node.peek(ID))?.expiresAt).toBe(Number.POSITIVE_INFINITY);
    await eventually(async () => String(await server.command('GET', ID)).startsWith('sealed:v1:'));
    expect(await server.command('GET', ID)).not.toContain(CANARY);
    const left = Number(await server.command('PTTL', ID));
    expect(left).toBeGreaterThan(20_000);
    expect(left).toBeLessThanOrEqual(30_000);
    expect((await node.peek(ID))?.expiresAt).toBe(Number.POSITIVE_INFINITY);
    expect(node.counts().hits).toBe(1);
  });

  test('a row about to end has a copy that ends with it, or none', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    const now = Date.now();
    await node.store.credentials.commit(tokenRow(ID, 1, { expiresAt: now + 700 }), 0);
    await node.store.credentials.commit(tokenRow('uni-id:ended', 1, { expiresAt: now - 5 }), 0);
    await node.peek(ID);
    await eventually(async () => String(await server.command('GET', ID)).startsWith('sealed:v1:'));
    expect(Number(await server.command('PTTL', ID))).toBeLessThanOrEqual(700);
    expect((await node.peek('uni-id:ended'))?.epoch).toBe(1);
    expect((await node.peek('uni-id:ended'))?.epoch).toBe(1);
    expect(String(await server.command('GET', 'uni-id:ended'))).not.toContain('sealed');
    expect(node.counts().errors).toBe(0);
  });

  test.each([
    ['commit', 2],
    ['merge', 2],
    ['remove', undefined],
    ['reschedule', 1],
  ] as const)('after a %s no node reads the copy before it', async (write, epoch) => {
    const server = await redisServer();
    const world = redisWorld();
    const [a, b] = [await world.node(single(server)), await world.node(single(server))];
    await a.store.credentials.commit(tokenRow(ID, 1), 0);
    await eventually(async () => {
      await b.peek(ID);
      return b.counts().hits > 0;
    });
    const { credentials } = a.store;
    if (write === 'commit') await credentials.commit(tokenRow(ID, 2), 1);
    if (write === 'merge') await credentials.merge([tokenRow(ID, 0)], { force: true });
    if (write === 'remove') await credentials.remove(ID);
    if (write === 'reschedule') await credentials.reschedule(ID, 1, { renewAt: 77, background: true });
    const read = await b.peek(ID);
    expect(read?.epoch).toBe(epoch);
    if (write === 'reschedule') expect(read?.renewAt).toBe(77);
  });

  test('a commit that loses takes nothing away', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await eventually(async () => {
      await node.peek(ID);
      return node.counts().hits > 0;
    });
    expect(await node.store.credentials.commit(tokenRow(ID, 9), 7)).toBe(false);
    expect(await server.command('EXISTS', ID)).toBe(1);
  });

  test('a value read before a write is not put into Redis after it, however late, even if epochs began anew', async () => {
    const server = await redisServer();
    const world = redisWorld();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let holdUp = true;
    const slow = await world.node(single(server));
    const writer = await world.node(single(server));
    await writer.store.credentials.commit(tokenRow(ID, 5), 0);
    // What it read is held back between the database and Redis.
    const late = await world.node(single(server), {
      async afterRead() {
        if (!holdUp) return;
        holdUp = false;
        begun.resolve();
        await gate.promise;
      },
    });
    const reading = late.peek(ID);
    await begun.promise;
    await writer.store.credentials.remove(ID);
    await writer.store.credentials.commit(tokenRow(ID, 1), 0);
    gate.resolve();
    await reading;
    // Answers come in the order of commands, so what was read late has been offered by now.
    await late.store.credentials.get('uni-id:other');
    expect((await slow.peek(ID))?.epoch).toBe(1);
    expect((await writer.peek(ID))?.epoch).toBe(1);
  });

  test.each([
    ['text', ['SET', ID, 'rubbish']],
    ['JSON', ['SET', ID, '{"access_token":"forged"}']],
    ['a broken seal', ['SET', ID, 'sealed:v1:00000000:AAAA']],
    ['nothing at all', ['SET', ID, '']],
    ['bytes', ['SET', ID, '\u0000\uffff\u0001']],
    ['a list', ['RPUSH', ID, 'x']],
    ['a hash', ['HSET', ID, 'x', 'y']],
  ])('rubbish in Redis is passed by and replaced: %s', async (_what, command) => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await server.command(...command);
    expect((await node.peek(ID))?.epoch).toBe(1);
    await eventually(async () => {
      expect((await node.peek(ID))?.epoch).toBe(1);
      return node.counts().hits > 0;
    });
    expect(node.store.accelerator?.state()).toEqual({ ok: true });
  });

  test('a copy moved to another key, or of another installation, is none', async () => {
    const server = await redisServer();
    const [world, other] = [redisWorld(), redisWorld()];
    const [node, stranger] = [await world.node(single(server)), await other.node(single(server))];
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await eventually(async () => {
      await node.peek(ID);
      return node.counts().hits > 0;
    });
    await server.command('COPY', ID, 'uni-id:moved');
    expect(await node.peek('uni-id:moved')).toBeUndefined();
    expect(await stranger.peek(ID)).toBeUndefined();
  });

  test('whoever reads the database puts right what Redis has', async () => {
    const server = await redisServer();
    const world = redisWorld();
    const node = await world.node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await eventually(async () => {
      await node.peek(ID);
      return node.counts().hits > 0;
    });
    // As by a process that ended before it could take the copy away.
    await node.database.credentials.remove(ID);
    expect(await node.store.credentials.get(ID)).toBeUndefined();
    expect(await node.peek(ID)).toBeUndefined();
  });

  test('one of many that miss at once brings the copy', async () => {
    const server = await redisServer();
    const node = await redisWorld().node(single(server));
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    const rows = await Promise.all(Array.from({ length: 50 }, () => node.peek(ID)));
    expect(new Set(rows.map(row => row?.epoch))).toEqual(new Set([1]));
    await eventually(async () => String(await server.command('GET', ID)).startsWith('sealed:v1:'));
  });

  test.each(['sealed', 'plain'] as const)(
    'the rights that docs/storage.md lists suffice: %s',
    async format => {
      const docs = readFileSync(new URL('../../docs/storage.md', import.meta.url), 'utf8');
      const rights = /`(\+@read [^`]+)`/.exec(docs)?.[1]?.split(' ') ?? [];
      expect(rights.length).toBeGreaterThan(3);
      const server = await redisServer();
      const where = ['~uni-id:*', '~open-bridge:*', 'resetchannels', '&open-bridge:changes'];
      await server.command('ACL', 'SETUSER', 'bridge', 'on', '>p', ...where, '-@all', ...rights);
      const world = redisWorld();
      const url = `redis://bridge:p@127.0.0.1:${server.port}/1`;
      const [a, b] = [
        await world.node(single({ url }), { format }),
        await world.node(single({ url }), { format }),
      ];
      const heard: (string | undefined)[] = [];
      b.store.changes?.subscribe(id => heard.push(id));
      await a.store.credentials.commit(tokenRow(ID, 1), 0);
      await eventually(async () => {
        await b.peek(ID);
        return b.counts().hits > 0;
      });
      await eventually(async () => {
        await a.store.credentials.reschedule(ID, 1, { renewAt: 1, background: false });
        return heard.includes(ID);
      });
      await a.store.credentials.remove(ID);
      expect(await b.peek(ID)).toBeUndefined();
      expect(a.counts().errors + b.counts().errors).toBe(0);
    },
  );
});
