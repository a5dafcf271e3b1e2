import { existsSync } from 'node:fs';
import { silentLog } from '../../base/log.ts';
import { inspectServerDatabase } from '../../stores/inspect-server.ts';
import { createSealer, sealStore } from '../../stores/sealing.ts';
import { openSqliteAsFound, openSqliteStore } from '../../stores/sqlite.ts';
import { inspectSqliteVersion } from '../../stores/sqlite-inspection.ts';
import type { Database, Examination } from './check.ts';

/**
 * Opens the database without changing its schema: a program that only looks must not shut an older bridge
 * out of its own. Undefined while there is no file; throws BridgeError when it cannot be used.
 */
export async function openDatabase({
  settings,
  world,
}: Pick<Examination, 'settings' | 'world'>): Promise<Database | undefined> {
  const { database, sealKeys } = settings().storage;
  const { clock, random } = world;
  const sealer = createSealer(sealKeys);
  if (database.kind !== 'sqlite') {
    const { store, ...server } = await inspectServerDatabase({ database, clock, random, log: silentLog });
    const { pending, foreign, refusals } = server;
    const isUsable = pending.length + foreign.length + refusals.length === 0;
    return {
      version: { pending, foreign },
      server,
      texts: store.texts,
      store: isUsable ? sealStore(store, sealer) : undefined,
      close: () => store.close(),
    };
  }
  const { path } = database;
  if (path === ':memory:' || !existsSync(path)) return undefined;
  const version = inspectSqliteVersion(path);
  const isCurrent = version.pending.length + version.foreign.length === 0;
  const options = { path, clock, random };
  const store = isCurrent ? await openSqliteStore(options) : openSqliteAsFound(options);
  return {
    version,
    server: undefined,
    texts: store.texts,
    store: isCurrent ? sealStore(store, sealer) : undefined,
    close: () => store.close(),
  };
}
