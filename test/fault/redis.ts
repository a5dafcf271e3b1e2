import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { works } from '../support/namespace.ts';
import { openWire } from '../support/wire.ts';
import { type Child, startChild } from './child.ts';
import type { Injections, World } from './injection.ts';

/** A Redis that the run may break. */
export interface FaultyRedis {
  /** `storage.redis` of the nodes. */
  readonly url: string;
  readonly injections: Injections;
  /** Empties it. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export const hasRedis = (): boolean => works('redis-server', '--version');

/** Starts a Redis of its own that keeps nothing on disk; the nodes reach it over a wire that can be cut. */
export async function openRedis(folder: string): Promise<FaultyRedis> {
  const port = await freePort();
  let server = await start();
  const wire = await openWire({ host: '127.0.0.1', port });

  async function start(): Promise<Child> {
    const child = startChild({
      command: 'redis-server',
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      logFile: join(folder, 'redis.log'),
    });
    await child.line(line => line.includes('Ready to accept connections'));
    return child;
  }

  async function flush(): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    socket.write('FLUSHALL\r\n');
    await once(socket, 'data');
    socket.destroy();
  }

  /** Breaks it, waits, mends it; copies may be behind meanwhile. */
  async function broken(
    { journal, clock }: World,
    { what, ms }: { readonly what: string; readonly ms: number },
    breaks: () => unknown,
    mends: () => unknown,
  ): Promise<void> {
    const end = journal.trouble('copies');
    journal.note(what, `for ${Math.round(ms)} ms`);
    await breaks();
    await clock.sleep(ms);
    await mends();
    end();
  }

  const injections: Injections = {
    'redis killed': (world, dice) =>
      broken(
        world,
        { what: 'redis killed', ms: dice.between(0, 3000) },
        () => server.end('SIGKILL'),
        async () => {
          server = await start();
        },
      ),
    'redis paused': (world, dice) =>
      broken(
        world,
        { what: 'redis paused', ms: dice.between(200, 4000) },
        () => server.signal('SIGSTOP'),
        () => server.signal('SIGCONT'),
      ),
    'redis connections cut': (world, dice) =>
      broken(world, { what: 'redis connections cut', ms: dice.between(0, 100) }, wire.cut, () => {}),
    'redis answers lost': (world, dice) =>
      broken(world, { what: 'redis answers lost', ms: dice.between(200, 3000) }, wire.mute, async () => {
        wire.cut();
        await wire.mend();
      }),
    async 'redis flushed'(world) {
      await broken(world, { what: 'redis flushed', ms: 0 }, flush, () => {});
    },
  };

  return {
    url: `redis://127.0.0.1:${wire.port}/0`,
    injections,
    flush,
    async close() {
      await wire.close();
      await server.end('SIGKILL');
    },
  };
}
