import type { EphemeralTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';
import { endAfter, removeEnded } from './expiring.ts';

const TABLE = 'open_bridge_ephemeral';

/** `open_bridge_ephemeral`: what all nodes remember for a while. */
export function ephemeralTable(backend: SqlBackend): EphemeralTable {
  const { db, dialect, run, read, now } = backend;
  const endOf = (ttlMs: number) => endAfter(backend, ttlMs);

  return {
    async putIfAbsent(name, value, ttlMs) {
      const replaced = await run(() =>
        db
          .updateTable(TABLE)
          .set({ value, expires_at: endOf(ttlMs) })
          .where('name', '=', name)
          .where('expires_at', '<=', now())
          .executeTakeFirst(),
      );
      if (replaced.numUpdatedRows === 1n) return true;
      const row = () => ({ name, value, expires_at: endOf(ttlMs) });
      return run(() => dialect.insertNew(db.insertInto(TABLE).values(row()), ['name']));
    },
    async get(name) {
      const row = await read(() =>
        db
          .selectFrom(TABLE)
          .select('value')
          .where('name', '=', name)
          .where('expires_at', '>', now())
          .executeTakeFirst(),
      );
      return row?.value;
    },
    prune: limit => removeEnded(backend, { table: TABLE, order: 'expires_at' }, limit),
  };
}
