import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/base/secret.ts';
import { createSealer, newSealKey, sealStore } from '../../src/stores/sealing.ts';
import { openSqliteStore } from '../../src/stores/sqlite.ts';
import type { Store } from '../../src/stores/store.ts';
import { type Backend, storeContract } from './store-contract.ts';

const random = (): number => 0.5;

/** A SQLite file of its own in a temporary folder. */
async function sqliteFile(wrap: (store: Store) => Store = store => store): Promise<Backend> {
  const folder = await mkdtemp(join(tmpdir(), 'open-bridge-contract-'));
  return {
    open: async clock => wrap(await openSqliteStore({ path: join(folder, 'bridge.db'), clock, random })),
    destroy: () => rm(folder, { recursive: true, force: true }),
  };
}

storeContract('SQLite in a file', () => sqliteFile());

storeContract('SQLite in a file, sealed', () => {
  const sealer = createSealer([new Secret(newSealKey())]);
  return sqliteFile(store => sealStore(store, sealer));
});

storeContract(
  'SQLite in memory',
  async () => ({
    open: clock => openSqliteStore({ path: ':memory:', clock, random }),
    destroy: () => Promise.resolve(),
  }),
  { shared: false },
);
