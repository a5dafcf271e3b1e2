import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { type Processes, rssMib, run, untilAnswers } from '../processes.ts';
import { type Server, startRedis } from '../servers/redis.ts';
import { ADMIN_KEY, CALLER_KEY } from '../traffic.ts';
import type { FillSettings } from './fill-main.ts';
import { APPID, DCLOUD_APPID, PLATFORM } from './users.ts';

/** So many session keys, stored in a bridge and in Redis, with both running. */
export interface StoredSet {
  readonly rows: number;
  readonly bridge: Server & { readonly config: string };
  /** Undefined when Redis is not measured. */
  readonly redis: Server | undefined;
  /** What storing them took, and what they take. */
  readonly filled: Filled;
}

/** What is known of a set before it is measured. */
export interface Filled {
  readonly rows: number;
  readonly databaseMib: number;
  readonly bridgeSeconds: number;
  readonly redisMib: number | null;
  readonly redisSeconds: number | null;
}

/** What a set is made with. */
export interface StoredSetOptions {
  readonly processes: Processes;
  readonly directory: string;
  /** The compiled program: its folder, and its command line. */
  readonly dist: string;
  readonly main: string;
  readonly rows: number;
  readonly withRedis: boolean;
  /** The core of the processes that answer. */
  readonly core: number | undefined;
}

/** Long, because a disk that was just filled may take its time with a first commit. */
const PATIENCE_MS = 60_000;

/** Stores session keys, then starts what answers for them. */
export async function startStoredSet(options: StoredSetOptions): Promise<StoredSet> {
  const { rows, dist, withRedis } = options;
  const own = join(options.directory, `rows-${rows}`);
  mkdirSync(own);
  const port = await freePort();
  const config = writeConfig(own, port);
  const bridgeSeconds = await fill({ into: 'bridge', dist, config, rows });
  const databaseMib = databaseSize(own);
  const pid = await startBridge(options, own, config, port);
  const redis = withRedis ? await startRedis({ ...options, directory: own }) : undefined;
  const redisSeconds = redis === undefined ? null : await fill({ into: 'redis', port: redis.port, rows });
  const redisMib = redis === undefined ? null : rssMib(redis.pid);
  return {
    rows,
    bridge: { port, pid, config },
    redis,
    filled: { rows, databaseMib, bridgeSeconds, redisMib, redisSeconds },
  };
}

/** Size of a set's database in MiB, with what is not yet moved into it. */
function databaseSize(directory: string): number {
  const files = ['', '-wal'].map(suffix => join(directory, `open-bridge.db${suffix}`));
  const bytes = files.reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0);
  return bytes / 2 ** 20;
}

/** The configuration of a bridge as it would be in production, with one app and one caller. */
export function writeConfig(
  directory: string,
  port: number,
  storage: Readonly<Record<string, string>> = { database: 'sqlite:./open-bridge.db' },
): string {
  const path = join(directory, 'open-bridge.json');
  const settings = {
    apps: [
      {
        name: 'shop',
        platform: PLATFORM,
        appid: APPID,
        dcloudAppid: DCLOUD_APPID,
        // Nobody asks for its access token, and there is no platform to fetch one from.
        managed: false,
      },
    ],
    callers: [
      {
        name: 'bench',
        key: CALLER_KEY,
        apps: ['shop'],
        scopes: ['credential:read', 'credential:write'],
      },
    ],
    storage: { ...storage, sealKey: randomBytes(32).toString('base64') },
    listen: { control: `127.0.0.1:${port}`, gateway: '127.0.0.1:0', gatewayTls: '127.0.0.1:0' },
    admin: { keys: [ADMIN_KEY] },
  };
  writeFileSync(path, JSON.stringify(settings));
  return path;
}

/** Gives the seconds that it took. */
export async function fill(settings: FillSettings): Promise<number> {
  const startedAt = performance.now();
  await run(
    process.execPath,
    [join(import.meta.dirname, 'fill-main.ts'), JSON.stringify(settings)],
    undefined,
  );
  return (performance.now() - startedAt) / 1000;
}

/** Starts a bridge and waits for it; gives its process id. */
export async function startBridge(
  { processes, main, core }: Pick<StoredSetOptions, 'processes' | 'main' | 'core'>,
  cwd: string,
  config: string,
  port: number,
): Promise<number> {
  const args = [main, 'serve', '--config', config];
  const logFile = join(cwd, 'bridge.log');
  const { pid } = processes.start({ file: process.execPath, args, cwd, core, logFile });
  await untilAnswers(port, '/livez', {}, PATIENCE_MS);
  return pid;
}
