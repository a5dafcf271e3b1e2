/** Reads from a bridge over HTTP, or from a database or Redis by the drivers that it uses itself. */
import { DatabaseSync } from 'node:sqlite';
import { createClient } from '@redis/client';
import { Pool } from 'pg';
import { drive } from '../credentials/drive.ts';
import { DCLOUD_APPID, hotUsers, openidOf, PLATFORM, storedKeyOf } from '../credentials/users.ts';
import { type Connection, openConnection, requestBytes } from '../load/connection.ts';
import { type Lane, openLoop, requestLane } from '../load/open-loop.ts';
import { cpuMs } from '../processes.ts';
import { HEADERS } from '../traffic.ts';
import type { Read } from './subjects.ts';

/** What is read from. */
export type Source =
  | { readonly kind: 'bridge'; readonly port: number; readonly pid: number; readonly read: Read }
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'redis'; readonly port: number };

/** What to measure. */
export interface ReadSettings {
  readonly source: Source;
  /** `warm-up`: asks for everyone once, so that what remembers has what it can remember. */
  readonly phase: 'warm-up' | 'measure';
  /** Users that have a session key. */
  readonly users: number;
  /** Readings under way at once when as many as can be are made. */
  readonly lanes: number;
  readonly seconds: number;
  /** Readings a second at the fixed rate. */
  readonly rate: number;
}

/** What came of it. Times are microseconds. */
export interface ReadResult {
  /** With all lanes busy. */
  readonly perSecond: number;
  readonly busyP50: number;
  readonly busyP99: number;
  /** Processor time of a reading of the process that answers, or that has the driver. */
  readonly cpu: number;
  /** At the fixed rate. */
  readonly p50: number;
  readonly p99: number;
  /** Readings made in all. */
  readonly operations: number;
}

/**
 * How many users are asked for: more than a bridge remembers, so that none of them is answered from memory
 * but those in great demand, and so few that copies in Redis still live when they are asked for again.
 */
const ASKED_FOR = 12_000;

const POSTGRES_CONNECTIONS = 10;
const QUERY = 'select * from "opendb-open-data" where "_id" = ';

/** Lanes, what each does once so that everything has been asked for, and how to let go of what they use. */
interface Opened {
  readonly lanes: readonly Lane[];
  readonly warmUp: readonly Lane[];
  close(): Promise<unknown>;
}

/** Any user in turn, for one of several lanes. */
function turnsOf(openids: readonly string[], start = 0): () => string {
  let turn = start;
  return () => openids[turn++ % openids.length] ?? '';
}

/** A lane's share of the users who are asked for, who are spread over all that are stored. */
function shareOf(users: number, lane: number, lanes: number): readonly string[] {
  const asked = Math.min(users, ASKED_FOR);
  const share: string[] = [];
  for (let each = lane; each < asked; each += lanes) share.push(openidOf(Math.floor((each * users) / asked)));
  return share.length === 0 ? [openidOf(0)] : share;
}

/** Half of the readings are of a few users who are in great demand, half of any. */
function mixed(users: number, share: readonly string[], lane: number): () => string {
  // Lanes that went in step would all ask for the same user at the same time.
  const [hot, any] = [turnsOf(hotUsers(users), lane), turnsOf(share)];
  let turn = lane;
  return () => (turn++ % 2 === 0 ? hot() : any());
}

function found(value: unknown): void {
  if (value === undefined || value === null) throw new Error('a stored session key was not found');
}

async function open({ source, users, lanes: count }: ReadSettings): Promise<Opened> {
  const shares = Array.from({ length: count }, (_, lane) => shareOf(users, lane, count));
  const lanesOf = (make: (next: () => string) => Lane): Lane[] => shares.map(share => make(turnsOf(share)));
  switch (source.kind) {
    case 'bridge': {
      const { port, read } = source;
      const connections = await Promise.all(
        Array.from({ length: count }, () => openConnection({ port, tls: false })),
      );
      const ask = (method: string, key: object): Buffer =>
        requestBytes('POST', `/uni-open-bridge/${method}`, HEADERS, JSON.stringify(key));
      const app = { dcloudAppid: DCLOUD_APPID, platform: PLATFORM };
      const sessionKeys = (connection: Connection, next: () => string): Lane =>
        requestLane(connection, () => ask('getSessionKey', { ...app, openid: next() }), '{"session_key":"');
      const warmUp = connections.map((connection, lane) => {
        const share = shares[lane] ?? [];
        const one = sessionKeys(connection, turnsOf(share));
        return async () => {
          for (const _ of share) await one();
        };
      });
      const lanes = connections.map((connection, lane) => {
        return read === 'token'
          ? requestLane(connection, () => ask('getAccessToken', app), '{"access_token":"')
          : sessionKeys(connection, mixed(users, shares[lane] ?? [], lane));
      });
      return {
        lanes,
        warmUp: read === 'users' ? warmUp : [],
        close: async () => connections.forEach(connection => void connection.close()),
      };
    }
    case 'sqlite': {
      const database = new DatabaseSync(source.file, { readOnly: true });
      const statement = database.prepare(`${QUERY}?`);
      const lanes = lanesOf(next => async () => found(statement.get(storedKeyOf(next()))));
      return { lanes, warmUp: [], close: async () => database.close() };
    }
    case 'postgres': {
      const pool = new Pool({ connectionString: source.url, max: POSTGRES_CONNECTIONS });
      const lanes = lanesOf(
        next => async () => found((await pool.query(`${QUERY}$1`, [storedKeyOf(next())])).rows[0]),
      );
      return { lanes, warmUp: [], close: () => pool.end() };
    }
    case 'redis': {
      const client = createClient({ url: `redis://127.0.0.1:${source.port}` });
      await client.connect();
      const lanes = lanesOf(next => async () => found(await client.get(storedKeyOf(next()))));
      return { lanes, warmUp: [], close: async () => client.destroy() };
    }
  }
}

async function main(settings: ReadSettings): Promise<ReadResult | undefined> {
  const { source, seconds, rate } = settings;
  const pid = source.kind === 'bridge' ? source.pid : process.pid;
  const { lanes, warmUp, close } = await open(settings);
  if (settings.phase === 'warm-up') {
    await Promise.all(warmUp.map(each => each()));
    await close();
    return undefined;
  }
  const warm = await drive(lanes, seconds / 3);
  const before = cpuMs(pid);
  const busy = await drive(lanes, seconds);
  const cpu = ((cpuMs(pid) - before) * 1000) / busy.operations;
  const paced = await openLoop(lanes, { rate, seconds });
  await close();
  if (paced.failed > 0) throw new Error(`${paced.failed} readings at the fixed rate failed`);
  return {
    perSecond: busy.perSecond,
    busyP50: busy.p50Us,
    busyP99: busy.p99Us,
    cpu,
    p50: paced.p50 * 1000,
    p99: paced.p99 * 1000,
    operations: warm.operations + busy.operations + paced.sent,
  };
}

const result = await main(JSON.parse(process.argv[2] ?? '') as ReadSettings);
process.stdout.write(JSON.stringify(result ?? null), () => process.exit(0));
