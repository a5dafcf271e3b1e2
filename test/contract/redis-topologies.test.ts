import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { RedisSettings } from '../../src/stores/redis/settings.ts';
import { freePort } from '../support/free-port.ts';
import { describeOnRedis, eventually, type RedisServer, tlsRedisOptions } from '../support/redis-server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type RedisNode, redisServer, redisWorld, tokenRow } from './redis.fixture.ts';

const run = promisify(execFile);
const HOST = '127.0.0.1';
const PASSWORD = 'canary-redis-password';

/** Ids whose keys are on all nodes of a cluster. */
const IDS = Array.from({ length: 20 }, (_, at) => `uni-id:weixin-mp:wx${at}:access-token`);

/** Shows that copies are made, read and taken away, for all ids. */
async function exercise(writer: RedisNode, reader: RedisNode): Promise<void> {
  for (const id of IDS) {
    const epoch = ((await writer.store.credentials.get(id))?.epoch ?? 0) + 1;
    expect(await writer.store.credentials.commit(tokenRow(id, epoch), epoch - 1)).toBe(true);
    await eventually(async () => {
      const { hits } = reader.counts();
      expect((await reader.peek(id))?.epoch).toBe(epoch);
      return reader.counts().hits > hits;
    });
    await writer.store.credentials.commit(tokenRow(id, epoch + 1), epoch);
    expect((await reader.peek(id))?.epoch).toBe(epoch + 1);
  }
}

/** Shows that word of a change arrives. */
async function hears(writer: RedisNode, reader: RedisNode): Promise<void> {
  const heard: (string | undefined)[] = [];
  const end = reader.store.changes?.subscribe(id => heard.push(id));
  await eventually(async () => {
    await writer.store.credentials.reschedule('uni-id:heard', 1, { renewAt: 1, background: false });
    return heard.includes('uni-id:heard');
  });
  end?.();
}

await describeOnRedis('what Redis is made of', () => {
  test('TLS with an authority of one’s own; without it nothing is sent', async () => {
    const { ca, ...options } = await tlsRedisOptions();
    const server = await redisServer(options);
    const url = new Secret(server.url);
    const world = redisWorld();
    const nodes = [
      await world.node({ kind: 'single', url, tls: { ca } }),
      await world.node({ kind: 'single', url, tls: { ca } }),
    ];
    const [writer, reader] = nodes as [RedisNode, RedisNode];
    await exercise(writer, reader);
    await hears(writer, reader);
    const distrustful = await world.node({ kind: 'single', url }, { wait: false });
    await eventually(() => distrustful.log.messages('warn').length > 0);
    expect(distrustful.log.text()).toContain('self-signed certificate');
    expect((await distrustful.peek(IDS[0] ?? ''))?.epoch).toBe(2);
  });

  test('a cluster of three nodes, with a password, one of which dies and comes back', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const servers: RedisServer[] = [];
    for (const port of ports)
      servers.push(
        await redisServer({
          port,
          urlOf: () => `redis://:${PASSWORD}@${HOST}:${port}`,
          options: [
            ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--requirepass', PASSWORD],
            ...['--cluster-port', String(await freePort()), '--cluster-require-full-coverage', 'no'],
          ],
        }),
      );
    const addresses = ports.map(port => `${HOST}:${port}`);
    await run('redis-cli', [
      '-a',
      PASSWORD,
      '--no-auth-warning',
      '--cluster',
      'create',
      ...addresses,
      '--cluster-yes',
    ]);
    const allWell = (): Promise<number> =>
      eventually(async () => {
        const states = await Promise.all(
          servers.map(async server => `${await server.command('CLUSTER', 'INFO')}`),
        );
        return states.every(state => state.includes('state:ok') && state.includes('slots_ok:16384'));
      }, 20_000);
    await allWell();
    const redis: RedisSettings = {
      kind: 'cluster',
      nodes: ports.map(port => ({ host: HOST, port })),
      password: new Secret(PASSWORD),
    };
    const world = redisWorld();
    for (const format of ['sealed', 'plain'] as const) {
      const [writer, reader] = [await world.node(redis, { format }), await world.node(redis, { format })];
      await exercise(writer, reader);
      await hears(writer, reader);
      if (format === 'plain') continue;
      await servers[1]?.kill();
      for (const id of IDS) expect((await reader.peek(id))?.epoch).toBe(2);
      await servers[1]?.start();
      await allWell();
      expect(writer.log.text() + reader.log.text()).not.toContain(PASSWORD);
      for (const node of [writer, reader]) await node.store.close();
    }
  }, 60_000);

  test('a primary with a replica that Sentinel puts in its place', async () => {
    const options = ['--requirepass', PASSWORD, '--masterauth', PASSWORD, '--repl-diskless-sync-delay', '0'];
    const urlOf = (port: number): string => `redis://:${PASSWORD}@${HOST}:${port}`;
    const primary = await redisServer({ options, urlOf });
    const replica = await redisServer({ options, urlOf });
    await replica.command('REPLICAOF', HOST, String(primary.port));
    await eventually(async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    const sentinelPort = await freePort();
    const sentinelFile = join(temporaryFolder(), 'sentinel.conf');
    writeFileSync(
      sentinelFile,
      [
        `port ${sentinelPort}`,
        `bind ${HOST}`,
        `sentinel monitor shop ${HOST} ${primary.port} 1`,
        `sentinel auth-pass shop ${PASSWORD}`,
        'sentinel down-after-milliseconds shop 500',
        'sentinel failover-timeout shop 3000',
      ].join('\n'),
    );
    const sentinel = await redisServer({ port: sentinelPort, sentinelFile });
    await eventually(async () => {
      const replicas = await sentinel.command('SENTINEL', 'REPLICAS', 'shop');
      return Array.isArray(replicas) && replicas.length === 1;
    }, 20_000);
    const redis: RedisSettings = {
      kind: 'sentinel',
      sentinels: [{ host: HOST, port: sentinelPort }],
      name: 'shop',
      database: 0,
      password: new Secret(PASSWORD),
      sentinelUser: {},
    };
    const world = redisWorld();
    const [writer, reader] = [await world.node(redis), await world.node(redis)];
    await exercise(writer, reader);
    await hears(writer, reader);
    await primary.kill();
    const id = IDS[0] ?? '';
    // While nobody is the primary readings and writes go on.
    for (let epoch = 2; epoch < 10; epoch += 1) {
      expect((await reader.peek(id))?.epoch).toBe(epoch);
      expect(await writer.store.credentials.commit(tokenRow(id, epoch + 1), epoch)).toBe(true);
    }
    // Sentinel cuts the connections of the replica that it promotes, and so that of whoever asks it.
    const role = (): Promise<string> => replica.command('ROLE').then(String, () => 'unknown');
    await eventually(async () => (await role()).startsWith('master'), 30_000);
    await writer.ready();
    await reader.ready();
    await eventually(() => writer.counts().pending === 0);
    expect((await reader.peek(id))?.epoch).toBe(10);
    expect(reader.counts().outages).toBeGreaterThan(0);
    await hears(writer, reader);
    expect(writer.log.text() + reader.log.text()).not.toContain(PASSWORD);
  }, 60_000);
});
