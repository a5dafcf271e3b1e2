import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { postgresServer } from '../support/database-servers.ts';
import { eventually, startRedisServer } from '../support/redis-server.ts';
import { openWire } from '../support/wire.ts';
import type { Evidence } from './evidence.ts';
import type { CanaryKind, Planted } from './planted.ts';

/** Where a run's bridge keeps its state. */
export interface Backend {
  readonly name: string;
  /** Settings of `storage`. */
  readonly storage: { readonly database: string; readonly redis?: string };
  /** A database that cannot be opened, with a password in its name where it has one. */
  readonly unusable: string;
  /** Keeps all that is stored now as evidence. */
  keepContents(): Promise<void>;
  /** Settings as they are stored: among them keys that the bridge made itself, sealed. */
  settings(): Promise<readonly { readonly name: string; readonly value: string }[]>;
  /** Takes the store away; what it resolves to gives it back. */
  takeAway(): Promise<() => Promise<void>>;
}

/** What a backend is made with. */
export interface BackendOptions {
  readonly folder: string;
  readonly planted: Planted;
  readonly evidence: Evidence;
}

/** The table whose ids hold openids in clear, as uniCloud's do and docs/sealing.md says. */
const CREDENTIALS = 'opendb-open-data';
const IN_CREDENTIALS: readonly CanaryKind[] = ['openid'];

const SETTINGS = 'select name, value from open_bridge_settings';

/** One file, in the folder of the run. */
export async function sqliteBackend({ folder, evidence }: BackendOptions): Promise<Backend> {
  const path = join(folder, 'open-bridge.db');
  return {
    name: 'SQLite',
    storage: { database: 'sqlite:./open-bridge.db' },
    unusable: 'sqlite:./tmp',
    async keepContents() {
      for (const file of readdirSync(folder).filter(name => name.startsWith('open-bridge.db')))
        evidence.add(`file ${file}`, readFileSync(join(folder, file)), IN_CREDENTIALS);
      const database = new DatabaseSync(path, { readOnly: true });
      const tables = database.prepare("select name from sqlite_schema where type = 'table'").all();
      for (const { name } of tables)
        keepTable(evidence, String(name), database.prepare(`select * from "${name}"`).all());
      database.close();
    },
    async settings() {
      const database = new DatabaseSync(path, { readOnly: true });
      const rows = database.prepare(SETTINGS).all();
      database.close();
      return rows.map(({ name, value }) => ({ name: String(name), value: String(value) }));
    },
    async takeAway() {
      const database = new DatabaseSync(path);
      const rename = (from: string, to: string): void =>
        database.exec(`alter table "${from}" rename to "${to}"`);
      rename(CREDENTIALS, 'away');
      return async () => {
        rename('away', CREDENTIALS);
        database.close();
      };
    },
  };
}

/** A PostgreSQL schema behind a path that can be broken, and a Redis of the run's own. */
export async function serversBackend({ planted, evidence }: BackendOptions): Promise<Backend> {
  const server = await postgresServer.create();
  const schema = new URL(server.database.url.reveal()).searchParams.get('options')?.split('=')[1] ?? '';
  const role = `open_bridge_canary_${randomBytes(6).toString('hex')}`;
  const password = planted.make('password', 'password of PostgreSQL');
  await server.run(`create role ${role} login password '${password}'`);
  await server.run(`grant all on schema ${schema} to ${role}`);
  const { hostname, port } = new URL(server.database.url.reveal());
  const wire = await openWire({ host: hostname, port: Number(port || 5432) });
  onTestFinished(async () => {
    await wire.close();
    await server.drop();
    await server.run(`drop role ${role}`);
  });
  const database = server.urlWith(url => {
    url.username = role;
    url.password = password;
    url.hostname = '127.0.0.1';
    url.port = String(wire.port);
  });

  const redisPassword = planted.make('password', 'password of Redis');
  const redis = await startRedisServer({
    options: ['--requirepass', redisPassword, '--rdbcompression', 'no'],
    urlOf: redisPort => `redis://:${redisPassword}@127.0.0.1:${redisPort}`,
  });
  onTestFinished(() => redis.remove());
  let commands = await watchRedis(redis.port, redisPassword, evidence);

  return {
    name: 'PostgreSQL and Redis',
    storage: { database: database.reveal(), redis: redis.url },
    unusable: Object.assign(new URL(database.reveal()), { pathname: '/nothing' }).href,
    async keepContents() {
      const tables = await server.run(
        `select table_name as name from information_schema.tables where table_schema = '${schema}'`,
      );
      for (const { name } of tables)
        keepTable(evidence, String(name), await server.run(`select * from "${name}"`));
      const mark = randomUUID();
      await redis.command('ECHO', mark);
      await commands.keep(mark);
      await redis.command('SAVE');
      const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as string[];
      evidence.add('dump of Redis', readFileSync(join(String(folder), 'dump.rdb')), IN_CREDENTIALS);
    },
    async settings() {
      const rows = await server.run(SETTINGS);
      return rows.map(({ name, value }) => ({ name: String(name), value: String(value) }));
    },
    async takeAway() {
      await redis.kill();
      await wire.refuse();
      return async () => {
        await redis.start();
        await wire.mend();
        commands = await watchRedis(redis.port, redisPassword, evidence);
      };
    },
  };
}

function keepTable(evidence: Evidence, name: string, rows: readonly object[]): void {
  const may = name === CREDENTIALS ? IN_CREDENTIALS : [];
  evidence.add(
    `table ${name}`,
    rows.map(row => JSON.stringify(Object.values(row).map(plain))).join('\n'),
    may,
  );
}

/** Bytes as a dump shows them; numbers that JSON has no form for as text. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'bigint' ? String(value) : value;
}

/** What Redis was told. */
interface Commands {
  /** Keeps as evidence what it was told up to a command with this in it. */
  keep(mark: string): Promise<void>;
}

/** Keeps every command that Redis is given until its end: what is in it for a moment only, and messages, too. */
async function watchRedis(port: number, password: string, evidence: Evidence): Promise<Commands> {
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  let seen = '';
  socket.on('data', (chunk: string) => {
    seen += chunk;
  });
  const keep = (): void => {
    evidence.add('commands to Redis', Buffer.from(seen, 'latin1'), IN_CREDENTIALS);
    seen = '';
  };
  socket.once('close', keep);
  socket.write(`AUTH ${password}\r\nMONITOR\r\n`);
  await once(socket, 'data');
  return {
    async keep(mark) {
      await eventually(() => seen.includes(mark));
      keep();
    },
  };
}
