import { existsSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { loadConfig } from '../../config/load.ts';
import { openStore } from '../../stores/open-store.ts';
import { createSealer, type KeyRing, sealStore } from '../../stores/sealing.ts';
import { inspectSqliteVersion } from '../../stores/sqlite-inspection.ts';
import type { Store } from '../../stores/store.ts';
import type { CliContext } from '../context.ts';

/**
 * Opens the store that a configuration names, for as long as `work` runs. A bridge may run on it at the
 * same time. To `read`, the database must be there and be of this version: reading must neither make one
 * nor shut an older bridge out of its own. To `write`, it is made or brought up to date as by `serve`.
 * `texts` and `copies` of the store show what is sealed as it is; `keys` are those it is sealed with.
 */
export async function withStore<T>(
  { env }: CliContext,
  config: string,
  purpose: 'read' | 'write',
  work: (store: Store, keys: KeyRing) => Promise<T>,
): Promise<T> {
  const { database, sealKeys } = loadConfig({ path: config, env }).settings.storage;
  if (database.kind === 'sqlite' && database.path === ':memory:') {
    throw new BridgeError('CONFIG_INVALID', 'the database is in memory: no other process can reach it', {
      hint: 'set storage.database to "sqlite:PATH" or to the URL of a database server',
    });
  }
  const sealer = createSealer(sealKeys);
  if (purpose === 'read' && database.kind === 'sqlite') refuseUnreadable(database.path);
  const store = await openStore({
    database,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    migrate: purpose === 'write',
  });
  try {
    return await work(sealStore(store, sealer), sealer);
  } finally {
    await store.close();
  }
}

function refuseUnreadable(path: string): void {
  if (!existsSync(path)) {
    throw new BridgeError('NOT_FOUND', `there is no database at ${path}`, {
      hint: 'check --config and storage.database; open-bridge serve makes the database at its first start',
    });
  }
  const { pending } = inspectSqliteVersion(path);
  if (pending.length === 0) return;
  throw new BridgeError(
    'STORE_UNAVAILABLE',
    `${path} is of an older version of this program (it lacks ${pending.join(', ')})`,
    {
      hint: 'export with that version, or start open-bridge serve of this one, which brings the database up to date',
    },
  );
}
