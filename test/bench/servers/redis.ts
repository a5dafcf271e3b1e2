import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';
import { openResp } from '../credentials/resp.ts';
import { findProgram, type Processes } from '../processes.ts';

/** A process that answers. */
export interface Server {
  readonly port: number;
  readonly pid: number;
}

const PROGRAM = 'redis-server';
const PING_MS = 20;
const PATIENCE_MS = 60_000;

/** Why Redis cannot be measured on this machine; undefined when it can. */
export function redisAbsent(): string | undefined {
  return findProgram(PROGRAM) === undefined ? `${PROGRAM} is not installed` : undefined;
}

/** Starts a Redis as plain as can be: one database, nothing written to disk. */
export async function startRedis({
  processes,
  directory,
  core,
}: {
  readonly processes: Processes;
  readonly directory: string;
  readonly core: number | undefined;
}): Promise<Server> {
  const port = await freePort();
  const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory];
  const args = [...where, '--save', '', '--appendonly', 'no'];
  const file = findProgram(PROGRAM) ?? PROGRAM;
  const { pid } = processes.start({
    file,
    args,
    cwd: directory,
    core,
    logFile: join(directory, 'redis.log'),
  });
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const redis = await openResp(port);
      await redis.ask('PING');
      redis.close();
      return { port, pid };
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(PING_MS);
    }
  }
}
