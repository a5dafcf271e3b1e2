import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from '../support/free-port.ts';
import { type Child, helperUser, startChild } from './child.ts';

const DEBIAN = '/usr/lib/postgresql';
/** Longest start of the server, recovery after an immediate stop included. */
const START_MS = 30_000;
const ANSWER_MS = 2000;

/** A PostgreSQL server of the run's own. */
export interface PostgresServer {
  readonly port: number;
  /** The process that all its others come from; another one after a restart. */
  pid(): number;
  /** Asks on a connection of its own, past everything that the nodes use. */
  query(text: string): Promise<Record<string, unknown>[]>;
  /** SIGINT ends all connections and shuts down in order, SIGQUIT stops at once and has the next start recover. */
  restart(signal: 'SIGINT' | 'SIGQUIT', pauseMs: number): Promise<void>;
  close(): Promise<void>;
}

/** The folder with PostgreSQL's programs, the newest first; undefined when it is not installed. */
export function postgresBinaries(): string | undefined {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...debian.map(version => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find(folder => ['initdb', 'postgres'].every(name => existsSync(join(folder, name))));
}

/** How a server is started. */
export interface PostgresServerOptions {
  /** Further settings, as `name=value`. */
  readonly settings?: readonly string[] | undefined;
  /** The one core it may use; undefined for any. */
  readonly core?: number | undefined;
}

/** Makes a database cluster in a folder and starts its server on a free port of loopback. */
export async function startPostgresServer(
  folder: string,
  { settings: further = [], core }: PostgresServerOptions = {},
): Promise<PostgresServer> {
  const binaries = postgresBinaries();
  if (binaries === undefined)
    throw new Error('PostgreSQL is not installed here: initdb and postgres are needed');
  const user = helperUser();
  const data = initialize(folder, binaries, user);
  const port = await freePort();

  async function query(text: string): Promise<Record<string, unknown>[]> {
    const client = new Client({
      connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
      ...{ connectionTimeoutMillis: ANSWER_MS, query_timeout: ANSWER_MS },
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async function start(): Promise<Child> {
    const settings = [
      ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=150'],
      ...further,
    ];
    const words = [
      ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
      ...[join(binaries as string, 'postgres'), '-D', data, '-p', String(port)],
      ...settings.flatMap(setting => ['-c', setting]),
    ];
    const [command = '', ...args] = words;
    const child = startChild({
      command,
      args,
      logFile: join(folder, 'postgres.log'),
      user,
      deathSignal: 'QUIT',
    });
    for (let waitedMs = 0; ; waitedMs += 50) {
      const isUp = await query('select 1').then(
        () => true,
        () => false,
      );
      if (isUp) return child;
      if (!child.isRunning() || waitedMs > START_MS)
        throw new Error(`PostgreSQL does not start: ${child.tail()}`);
      await delay(50);
    }
  }

  let server = await start();
  return {
    port,
    pid: () => server.pid,
    query,
    async restart(signal, pauseMs) {
      await server.end(signal);
      await delay(pauseMs);
      server = await start();
    },
    close: () => server.end('SIGQUIT'),
  };
}

function initialize(folder: string, binaries: string, user: ReturnType<typeof helperUser>): string {
  const data = join(folder, 'postgres');
  mkdirSync(data, { mode: 0o700 });
  if (user !== undefined) {
    chownSync(data, user.uid, user.gid);
    // The other user has to get through to what is theirs.
    chmodSync(folder, 0o711);
  }
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  execFileSync(join(binaries, 'initdb'), args, { stdio: 'pipe', cwd: data, ...user });
  return data;
}
