import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { fill, startBridge, writeConfig } from '../credentials/stored-set.ts';
import { DCLOUD_APPID, PLATFORM } from '../credentials/users.ts';
import { type Processes, rssMib } from '../processes.ts';
import { type BenchPostgres, startPostgres } from '../servers/postgres.ts';
import { startRedis } from '../servers/redis.ts';
import { ADMIN_KEY, HEADERS, TOKEN } from '../traffic.ts';
import type { Origins } from './figures.ts';
import type { Source } from './reads-main.ts';
import type { BridgeName, Read, StoreName } from './subjects.ts';

/** What everything that is read from is started with. */
export interface WorldOptions {
  readonly processes: Processes;
  readonly directory: string;
  /** The compiled program: its folder, and its command line. */
  readonly dist: string;
  readonly main: string;
  readonly users: number;
  /** The cores of the bridges, and of databases and Redis. */
  readonly cores: { readonly peer: number | undefined; readonly load: number | undefined };
  readonly names: readonly StoreName[];
}

/** Something that is ready to be read from. */
export interface Place {
  readonly name: StoreName;
  sourceOf(read: Read): Source;
  /** How many readings it has made beyond its memory since it was started; undefined for a yardstick. */
  origins(): Promise<Origins | undefined>;
  rssMib(): number | undefined;
}

/** How a bridge reads a session key, as PostgreSQL keeps count of it. The table's own counts come seconds late. */
const READ = 'select * from "opendb-open-data" where "_id" = $1';

/** Fills databases and Redis with the same session keys, and starts a bridge on each store. */
export async function openWorld(options: WorldOptions): Promise<readonly Place[]> {
  const { processes, directory, dist, users, cores, names } = options;
  const needs = (part: string): boolean => names.some(name => name.includes(part));
  const server = { processes, core: cores.load };
  const postgres = needs('postgres')
    ? await startPostgres({
        ...server,
        directory: join(directory, 'postgres'),
        settings: ['shared_preload_libraries=pg_stat_statements'],
      })
    : undefined;
  await postgres?.query('create extension pg_stat_statements');
  if (needs('postgres-redis')) await postgres?.query('create database copied');

  const places: Place[] = [];
  // A yardstick reads what the bridge on the same store was filled with.
  const wanted = (name: BridgeName, ...yardsticks: StoreName[]): boolean =>
    [name, ...yardsticks].some(each => names.includes(each));

  async function bridge(
    name: BridgeName,
    storage: Readonly<Record<string, string>>,
    database?: BenchPostgres,
  ): Promise<void> {
    const own = join(directory, name);
    mkdirSync(own);
    const port = await freePort();
    const config = writeConfig(own, port, storage);
    await fill({ into: 'bridge', dist, config, rows: users });
    if (!names.includes(name)) return;
    const pid = await startBridge({ ...options, core: cores.peer }, own, config, port);
    await pushToken(port);
    places.push({
      name,
      sourceOf: read => ({ kind: 'bridge', port, pid, read }),
      origins: () => originsOf(port, storage['redis'] !== undefined, database),
      rssMib: () => rssMib(pid),
    });
  }
  const yardstick = (name: StoreName, source: Source): void => {
    if (!names.includes(name)) return;
    places.push({ name, sourceOf: () => source, origins: async () => undefined, rssMib: () => undefined });
  };

  if (wanted('store-sqlite', 'sqlite-select')) {
    await bridge('store-sqlite', { database: 'sqlite:./open-bridge.db' });
    yardstick('sqlite-select', {
      kind: 'sqlite',
      file: join(directory, 'store-sqlite', 'open-bridge.db'),
    });
  }
  if (postgres !== undefined) {
    const { url } = postgres;
    if (wanted('store-postgres', 'postgres-select')) {
      await bridge('store-postgres', { database: url }, postgres);
      yardstick('postgres-select', { kind: 'postgres', url });
    }
    if (names.includes('store-postgres-redis')) {
      const copies = join(directory, 'redis');
      mkdirSync(copies);
      const { port } = await startRedis({ ...server, directory: copies });
      const copied = new URL(url);
      copied.pathname = '/copied';
      const storage = { database: copied.href, redis: `redis://127.0.0.1:${port}` };
      await bridge('store-postgres-redis', storage, postgres);
    }
  }
  if (names.includes('redis-client-get')) {
    const plain = join(directory, 'redis-plain');
    mkdirSync(plain);
    const { port } = await startRedis({ ...server, directory: plain });
    await fill({ into: 'redis', port, rows: users });
    yardstick('redis-client-get', { kind: 'redis', port });
  }
  return places.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

/** Gives the bridge an access token, as a token server of one's own would. */
async function pushToken(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/uni-open-bridge/setAccessToken`, {
    method: 'POST',
    headers: { ...HEADERS, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ dcloudAppid: DCLOUD_APPID, platform: PLATFORM },
      ...{ value: { access_token: TOKEN }, expiresIn: 7200 },
    }),
  });
  if (!answer.ok) throw new Error(`setAccessToken answered ${answer.status} ${await answer.text()}`);
}

/**
 * What a bridge read beyond its memory: by its own count from Redis, and by the server's count of
 * statements from PostgreSQL. SQLite counts nothing.
 */
async function originsOf(
  port: number,
  withRedis: boolean,
  postgres: BenchPostgres | undefined,
): Promise<Origins> {
  if (postgres === undefined) return { redis: undefined, database: undefined, skipped: undefined };
  if (withRedis) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    const text = await answer.text();
    const count = (result: string): number =>
      Number(
        new RegExp(`^open_bridge_redis_reads_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1],
      );
    const skipped = count('skipped');
    return { redis: count('hit'), database: count('miss') + skipped, skipped };
  }
  const [row] = await postgres.query(
    `select sum(calls) as calls from pg_stat_statements join pg_database on oid = dbid
     where datname = current_database() and query = '${READ}'`,
  );
  return { redis: undefined, database: Number(row?.['calls']), skipped: undefined };
}
