import type { LeaseTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';
import { endAfter, removeEnded } from './expiring.ts';

const TABLE = 'open_bridge_leases';

/** `open_bridge_leases`: who may issue what at the moment. */
export function leaseTable(backend: SqlBackend): LeaseTable {
  const { db, dialect, run, now } = backend;
  const endOf = (ttlMs: number) => endAfter(backend, ttlMs);

  return {
    async acquire(name, holder, ttlMs) {
      const taken = await run(() =>
        db
          .updateTable(TABLE)
          .set({ holder, expires_at: endOf(ttlMs) })
          .where('name', '=', name)
          .where('expires_at', '<=', now())
          .executeTakeFirst(),
      );
      if (taken.numUpdatedRows === 1n) return true;
      const lease = { name, holder, expires_at: endOf(ttlMs) };
      return run(() => dialect.insertNew(db.insertInto(TABLE).values(lease), ['name']));
    },
    async extend(name, holder, ttlMs) {
      const extended = await run(() =>
        db
          .updateTable(TABLE)
          .set({ expires_at: endOf(ttlMs) })
          .where('name', '=', name)
          .where('holder', '=', holder)
          .where('expires_at', '>', now())
          .executeTakeFirst(),
      );
      return extended.numUpdatedRows === 1n;
    },
    async release(name, holder) {
      await run(() => db.deleteFrom(TABLE).where('name', '=', name).where('holder', '=', holder).execute());
    },
    // Few leases are live at a time and the rest goes, so this needs no order, nor an index that every lease would pay for.
    prune: limit => removeEnded(backend, { table: TABLE }, limit),
  };
}
