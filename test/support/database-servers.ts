import { randomBytes } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { Client } from 'pg';
import { describe, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { Database } from '../../src/stores/database.ts';

/** A database of a test's own, on a server that all tests share. */
export interface TestDatabase {
  readonly database: Extract<Database, { kind: 'postgres' | 'mysql' }>;
  /** The URL with other parts: another user, another port. */
  readonly urlWith: (change: (url: URL) => void) => Secret;
  /** Runs statements as the owner of everything, on a connection of their own. */
  run(statement: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** A server that tests may use. */
export interface TestServer {
  readonly kind: 'postgres' | 'mysql';
  readonly name: string;
  create(): Promise<TestDatabase>;
}

const POSTGRES = process.env['OPEN_BRIDGE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/postgres';
const MYSQL = process.env['OPEN_BRIDGE_TEST_MYSQL'] ?? 'mysql://root@127.0.0.1:3306/test';

/** Where the tests' PostgreSQL is: its databases are schemas of one database. */
export const postgresServer: TestServer = {
  kind: 'postgres',
  name: 'PostgreSQL',
  async create() {
    const schema = freshName();
    const url = new URL(POSTGRES);
    url.searchParams.set('options', `-c search_path=${schema}`);
    const run = (statement: string) => onPostgres(url, statement);
    await onPostgres(new URL(POSTGRES), `create schema ${schema}`);
    return {
      database: { kind: 'postgres', url: new Secret(url.href) },
      urlWith: change => changed(url, change),
      run,
      drop: async () => void (await onPostgres(new URL(POSTGRES), `drop schema ${schema} cascade`)),
    };
  },
};

/** Where the tests' MySQL or MariaDB is. */
export const mysqlServer: TestServer = {
  kind: 'mysql',
  name: 'MySQL',
  async create() {
    const name = freshName();
    const url = new URL(MYSQL);
    url.pathname = `/${name}`;
    await onMysql(new URL(MYSQL), `create database ${name}`);
    return {
      database: { kind: 'mysql', url: new Secret(url.href) },
      urlWith: change => changed(url, change),
      run: statement => onMysql(url, statement),
      drop: async () => void (await onMysql(new URL(MYSQL), `drop database ${name}`)),
    };
  },
};

/**
 * Describes tests that need a server. Without it they are skipped, which is said; where the tests must be
 * complete (`CI=true`) that is a failure.
 */
export async function describeOn(server: TestServer, name: string, tests: () => void): Promise<void> {
  const reason = await server.create().then(
    async database => {
      await database.drop();
      return undefined;
    },
    (error: unknown) => (error instanceof Error ? error.message || error.name : String(error)),
  );
  if (reason === undefined) describe(`${name}: ${server.name}`, tests);
  else if (process.env['CI'] === 'true')
    test(`${name}: ${server.name}`, () => {
      throw new Error(`no ${server.name} server for the tests: ${reason}`);
    });
  else test.skip(`${name}: ${server.name}: SKIPPED, as there is no server (${reason})`);
}

function freshName(): string {
  return `open_bridge_test_${randomBytes(6).toString('hex')}`;
}

function changed(url: URL, change: (url: URL) => void): Secret {
  const copy = new URL(url);
  change(copy);
  return new Secret(copy.href);
}

async function onPostgres(url: URL, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url.href, connectionTimeoutMillis: 3000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function onMysql(url: URL, statement: string): Promise<Record<string, unknown>[]> {
  const connection = await createConnection({
    uri: url.href,
    connectTimeout: 3000,
    multipleStatements: true,
  });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(statement);
    return Array.isArray(rows) ? rows : [];
  } finally {
    connection.destroy();
  }
}
