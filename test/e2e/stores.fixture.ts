import { join } from 'node:path';
import { describe, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Database } from '../../src/stores/database.ts';
import { openStore } from '../../src/stores/open-store.ts';
import type { CredentialRow, Store } from '../../src/stores/store.ts';
import { describeOn, mysqlServer, postgresServer, type TestServer } from '../support/database-servers.ts';
import { seededRandom, temporaryFolder } from '../support/temporary.ts';

/** A database of the running test's own. */
export type MakeDatabase = () => Promise<Database>;

async function sqliteFile(): Promise<Database> {
  return { kind: 'sqlite', path: join(temporaryFolder(), 'bridge.db') };
}

function on(server: TestServer): MakeDatabase {
  return async () => {
    const { database, drop } = await server.create();
    onTestFinished(drop);
    return database;
  };
}

/** Runs the same tests on every kind of database. */
export async function onEveryDatabase(tests: (make: MakeDatabase) => void): Promise<void> {
  describe('SQLite', () => tests(sqliteFile));
  for (const server of [postgresServer, mysqlServer])
    await describeOn(server, 'a database server', () => tests(on(server)));
}

/** Opens a store for the running test. */
export async function opened(database: Database): Promise<Store> {
  const store = await openStore({
    ...{ database, clock: systemClock, random: seededRandom(), log: silentLog },
  });
  onTestFinished(() => store.close());
  return store;
}

/** A user's session key, as a login leaves it. */
export function rowOf(id: string, change: Partial<CredentialRow> = {}): CredentialRow {
  return {
    id,
    value: `{"session_key":"canary-of-${id}"}`,
    expiresAt: 4_000_000_000_000,
    platform: 'weixin-mp',
    appid: 'wx01',
    kind: 'session-key',
    epoch: 3,
    issuedAt: 1_700_000_000_000,
    renewAt: 3_999_999_999_999,
    background: false,
    fingerprint: '0123456789abcdef',
    previous: undefined,
    ...change,
  };
}
