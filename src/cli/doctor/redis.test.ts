import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../test/support/free-port.ts';
import {
  describeOnRedis,
  eventually,
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
  tlsRedisOptions,
} from '../../../test/support/redis-server.ts';
import { newSealKey } from '../../stores/sealing.ts';
import type { Finding } from './check.ts';
import { type Findings, startPatient } from './doctor.fixture.ts';

const HOST = '127.0.0.1';
const PASSWORD = 'canary-redis-password';

const closing: (() => unknown)[] = [];
beforeEach(() => closing.splice(0));
afterEach(async () => {
  for (const close of closing) await close();
});

async function redisServer(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedisServer(options);
  closing.push(() => server.remove());
  return server;
}

async function examine(redis: unknown, more: Record<string, unknown> = {}): Promise<Findings> {
  const patient = await startPatient({
    storage: { database: 'sqlite:./open-bridge.db', sealKey: newSealKey(), redis, ...more },
  });
  const found = await patient.examine({ offline: true });
  expect(JSON.stringify(found.all)).not.toContain('canary');
  expect(found.text).not.toContain('the check itself failed');
  return found;
}

const look = async (redis: unknown, more?: Record<string, unknown>): Promise<Finding | undefined> =>
  (await examine(redis, more)).of('redis');

/** A server that is no Redis: whatever it is sent, it says this. */
async function impostor(says: string): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(says));
  });
  const port = await freePort();
  await new Promise<void>(resolve => server.listen(port, HOST, resolve));
  closing.push(() => server.close());
  return `redis://user:${PASSWORD}@${HOST}:${port}`;
}

describe('what is no Redis', () => {
  test('is not spoken of where none is configured', async () => {
    expect(await look(null)).toBeUndefined();
  });

  test('or is away: the bridge goes on without', async () => {
    expect(await look(`redis://:${PASSWORD}@${HOST}:${await freePort()}`)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('ECONNREFUSED'),
      advice: expect.stringMatching(/check that it runs.*\nUntil then everything is read from the database/),
    });
    const away = `${HOST}:${await freePort()}`;
    for (const redis of [
      { cluster: [away], password: PASSWORD },
      { sentinels: [away], name: 'shop', password: PASSWORD },
    ])
      expect(await look(redis)).toMatchObject({ status: 'fail', found: expect.stringContaining(away) });
  }, 60_000);

  test.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['bytes', '\u0000\u0001\u0002 canary rubbish'],
    ['errors', '-ERR unknown command\r\n'],
    ['numbers', ':1\r\n'],
    ['arrays that end nowhere', '*-7\r\n'],
    ['a text that never ends', '$99999999999\r\n'],
    ['many answers', '+PONG\r\n'.repeat(1000)],
  ])(
    'but answers %s',
    async (_, says) => {
      expect(await look(await impostor(says))).toMatchObject({ status: 'fail' });
    },
    60_000,
  );
});

await describeOnRedis('doctor at a Redis', () => {
  test('that is in order: version, role, time, and what it does when it is full', async () => {
    const server = await redisServer();
    const well = await look(server.url);
    expect(well).toMatchObject({ status: 'ok' });
    expect(well?.found).toMatch(
      /^127\.0\.0\.1:\d+ \(Redis \d+\.\d+\.\d+, primary, not encrypted, copies sealed\) answers in \d+\.\d ms, reads and writes; no maxmemory, noeviction: when it is full/,
    );
    expect(await server.command('DBSIZE')).toBe(0);
    await server.command('CONFIG', 'SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
    expect((await look(server.url))?.found).toMatch(
      /; allkeys-lru: copies may be evicted, and the database is read/,
    );
  });

  test('with plain copies, which a policy may take apart', async () => {
    const server = await redisServer();
    const found = await examine(server.url, { redisFormat: 'plain' });
    expect(found.of('redis')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('copies plain'),
    });
    expect(found.all).toContainEqual(
      expect.objectContaining({
        name: 'configuration',
        status: 'warn',
        found: expect.stringContaining('unsealed'),
      }),
    );
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await look(server.url, { redisFormat: 'plain' })).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('allkeys-lru'),
      advice: expect.stringContaining('volatile-ttl'),
    });
  });

  test('with a password that is right, wrong or missing', async () => {
    const server = await redisServer({
      options: ['--requirepass', PASSWORD],
      urlOf: port => `redis://:${PASSWORD}@${HOST}:${port}`,
    });
    expect(await look(server.url)).toMatchObject({ status: 'ok' });
    for (const redis of [
      server.url.replace(PASSWORD, 'canary-wrong'),
      `redis://${HOST}:${server.port}`,
      server.url.replace(':canary', 'someone:canary'),
    ])
      expect(await look(redis)).toMatchObject({
        status: 'fail',
        advice: expect.stringContaining('check user and password in storage.redis'),
      });
  });

  test('with a user who may do what is listed and no more, and one who may not', async () => {
    const server = await redisServer();
    const listed =
      '~uni-id:* ~open-bridge:* &open-bridge:changes +@read +@write +@scripting +@pubsub +ping +select';
    const user = (...rules: string[]): Promise<unknown> =>
      server.command('ACL', 'SETUSER', 'bridge', 'reset', 'on', `>${PASSWORD}`, ...rules);
    const url = `redis://bridge:${PASSWORD}@${HOST}:${server.port}`;
    await user(...listed.split(' '));
    expect(await look(url)).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/version not told.* may not ask it for more/),
    });
    await user('~uni-id:*', '~open-bridge:*', '+@read', '+ping', '+select');
    expect(await look(url)).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/refuses SET, EVALSHA, DEL, PUBLISH: NOPERM/),
      advice: expect.stringContaining(listed),
    });
  });

  test('that is full, or a replica, or one node of a cluster', async () => {
    const full = await redisServer({ options: ['--maxmemory', '1kb'] });
    expect(await look(full.url)).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('SET: OOM'),
    });

    const primary = await redisServer();
    const replica = await redisServer();
    await replica.command('REPLICAOF', HOST, String(primary.port));
    await eventually(async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    expect(await look(replica.url)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('is a replica'),
      advice: expect.stringContaining('name the primary'),
    });

    const node = await redisServer({
      options: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
    });
    expect(await look(node.url)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('is a node of a cluster'),
    });
    const address = `${HOST}:${node.port}`;
    expect(await look({ cluster: [address] })).toMatchObject({ status: 'fail' });
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually(async () => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'));
    expect(await look({ cluster: [address] })).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/, cluster, not encrypted/),
    });
  }, 60_000);

  test('over TLS, with an authority that is trusted or not', async () => {
    const { ca, ...options } = await tlsRedisOptions();
    const server = await redisServer(options);
    expect(await look({ url: server.url, tls: { ca } })).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('TLS'),
    });
    expect(await look(server.url)).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('"ca" is what to trust'),
    });
    expect(await look(`redis://${HOST}:${server.port}`)).toMatchObject({ status: 'fail' });
  });

  test('that hangs: it is not waited for long', async () => {
    const server = await redisServer();
    server.freeze();
    const begun = performance.now();
    expect(await look(server.url)).toMatchObject({ status: 'fail' });
    // The bound of the check with room for a busy machine; without a bound it would be the test's own.
    expect(performance.now() - begun).toBeLessThan(30_000);
    server.thaw();
  }, 40_000);
});
