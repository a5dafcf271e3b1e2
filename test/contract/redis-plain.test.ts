import { expect, test } from 'vitest';
import { describeOnRedis, eventually, type RedisServer } from '../support/redis-server.ts';
import { CANARY, type RedisNode, redisServer, redisWorld, single, tokenRow } from './redis.fixture.ts';

const ID = 'uni-id:__UNI__SHOP01:weixin-mp:access-token';
const VALUE = JSON.stringify({ access_token: 'of-uniCloud' });

async function setup(): Promise<{ server: RedisServer; node: RedisNode; other: RedisNode }> {
  const server = await redisServer();
  const world = redisWorld();
  const options = { format: 'plain' } as const;
  const [node, other] = [
    await world.node(single(server), options),
    await world.node(single(server), options),
  ];
  return { server, node, other };
}

const tokenIn = (value: string | undefined): unknown =>
  value === undefined ? undefined : JSON.parse(value).access_token;

await describeOnRedis('copies that uniCloud reads too', () => {
  test('stand there as uni-open-bridge-common writes them, as soon as the database has them', async () => {
    const { server, node } = await setup();
    const row = tokenRow(ID, 1);
    await node.store.credentials.commit(row, 0);
    expect(await server.command('GET', ID)).toBe(row.value);
    const seconds = Number(await server.command('TTL', ID));
    expect(seconds).toBeGreaterThan(7190);
    expect(seconds).toBeLessThanOrEqual(7200);
    await node.store.credentials.commit(tokenRow(ID, 2, { expiresAt: Number.POSITIVE_INFINITY }), 1);
    expect(tokenIn(String(await server.command('GET', ID)))).toBe(`${CANARY}-2`);
    expect(await server.command('TTL', ID)).toBe(-1);
    await node.store.credentials.remove(ID);
    expect(await server.command('KEYS', '*')).toEqual([]);
  });

  test('are read by all nodes, and refreshed by one after half a minute', async () => {
    const { node, other } = await setup();
    const row = tokenRow(ID, 1, {
      previous: { value: '{"access_token":"p"}', fingerprint: 'q', expiresAt: 5 },
    });
    await node.store.credentials.commit(row, 0);
    expect(await other.peek(ID)).toEqual(row);
    expect(other.reads()).toBe(0);
    expect(other.counts().hits).toBe(1);
  });

  test('in the last second there is none, and no error', async () => {
    const { server, node } = await setup();
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await node.store.credentials.commit(tokenRow(ID, 2, { expiresAt: Date.now() + 900 }), 1);
    expect(await server.command('EXISTS', ID)).toBe(0);
    expect((await node.peek(ID))?.epoch).toBe(2);
    expect(node.counts().errors).toBe(0);
  });

  test('what uniCloud wrote is read where the database has no row, with the life it has left', async () => {
    const { server, node } = await setup();
    await server.command('SET', ID, VALUE, 'EX', '100');
    const row = await node.peek(ID);
    expect(row).toMatchObject({ value: VALUE, epoch: 0, platform: undefined });
    expect((row?.expiresAt ?? 0) - Date.now()).toBeGreaterThan(98_000);
    await server.command('SET', ID, VALUE);
    expect((await node.peek(ID))?.expiresAt).toBe(Number.POSITIVE_INFINITY);
    expect(await node.store.credentials.get(ID)).toBeUndefined();
    expect(await server.command('GET', ID)).toBe(VALUE);
  });

  test('what uniCloud wrote gives way where the database has a row', async () => {
    const { server, node, other } = await setup();
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await server.command('SET', ID, VALUE);
    expect(tokenIn((await other.peek(ID))?.value)).toBe(`${CANARY}-1`);
    await eventually(async () => tokenIn(String(await server.command('GET', ID))) === `${CANARY}-1`);
  });

  test.each(['null', '[]', 'rubbish', '""', ''])('what is no value object is none: %j', async text => {
    const { server, node } = await setup();
    await server.command('SET', ID, text);
    expect(await node.peek(ID)).toBeUndefined();
    await server.command('DEL', ID);
    await server.command('RPUSH', ID, 'x');
    expect(await node.peek(ID)).toBeUndefined();
    await server.command('SET', `open-bridge:{${ID}}`, 'rubbish');
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    expect(tokenIn(String(await server.command('GET', ID)))).toBe(`${CANARY}-1`);
    expect(node.store.accelerator?.state()).toEqual({ ok: true });
  });

  test('what we put there and could not take away is not taken for uniCloud’s', async () => {
    const { server, node, other } = await setup();
    await node.store.credentials.commit(tokenRow(ID, 1, { expiresAt: Number.POSITIVE_INFINITY }), 0);
    // As by a process that ended before it could take the copy away, and half a minute later.
    await node.database.credentials.remove(ID);
    await server.command('HDEL', `open-bridge:{${ID}}`, 'copy');
    expect(await other.peek(ID)).toBeUndefined();
    await eventually(async () => (await server.command('EXISTS', ID)) === 0);
  });

  test('an outage is made up for: uniCloud reads the latest afterwards', async () => {
    const { server, node } = await setup();
    await node.store.credentials.commit(tokenRow(ID, 1), 0);
    await node.store.credentials.commit(tokenRow('uni-id:removed', 1), 0);
    server.freeze();
    for (let epoch = 1; epoch < 5; epoch += 1)
      await node.store.credentials.commit(tokenRow(ID, epoch + 1), epoch);
    await node.store.credentials.remove('uni-id:removed');
    server.thaw();
    await node.ready();
    await eventually(async () => tokenIn(String(await server.command('GET', ID))) === `${CANARY}-5`);
    await eventually(async () => (await server.command('EXISTS', 'uni-id:removed')) === 0);
  });

  test('many writers leave what the database has', async () => {
    const { server, node, other } = await setup();
    await Promise.all(
      [node, other, node, other].map(async ({ store }) => {
        for (let turn = 0; turn < 10; turn += 1) {
          const epoch = (await store.credentials.get(ID))?.epoch ?? 0;
          await store.credentials.commit(tokenRow(ID, epoch + 1), epoch);
          if (turn === 5) await store.credentials.remove(ID);
        }
      }),
    );
    const row = await node.database.credentials.get(ID);
    await eventually(() => node.counts().pending + other.counts().pending === 0);
    expect(await server.command('GET', ID)).toBe(row?.value);
  });

  test('an id with braces has no copy', async () => {
    const { server, node } = await setup();
    await node.store.credentials.commit(tokenRow('uni-id:{x}', 1), 0);
    expect((await node.peek('uni-id:{x}'))?.epoch).toBe(1);
    expect(await server.command('KEYS', '*')).toEqual([]);
  });
});
