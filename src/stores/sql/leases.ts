import type { LeaseTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';

/** `open_bridge_leases`: who may issue what at the moment. */
export function leaseTable({ db, run, now }: SqlBackend): LeaseTable {
  return {
    async acquire(name, holder, ttlMs) {
      const at = now();
      const taken = await run(() =>
        db
          .updateTable('open_bridge_leases')
          .set({ holder, expires_at: at + ttlMs })
          .where('name', '=', name)
          .where('expires_at', '<=', at)
          .executeTakeFirst(),
      );
      if (taken.numUpdatedRows === 1n) return true;
      const inserted = await run(() =>
        db
          .insertInto('open_bridge_leases')
          .values({ name, holder, expires_at: at + ttlMs })
          .onConflict(conflict => conflict.column('name').doNothing())
          .executeTakeFirst(),
      );
      return inserted.numInsertedOrUpdatedRows === 1n;
    },
    async extend(name, holder, ttlMs) {
      const at = now();
      const extended = await run(() =>
        db
          .updateTable('open_bridge_leases')
          .set({ expires_at: at + ttlMs })
          .where('name', '=', name)
          .where('holder', '=', holder)
          .where('expires_at', '>', at)
          .executeTakeFirst(),
      );
      return extended.numUpdatedRows === 1n;
    },
    async release(name, holder) {
      await run(() =>
        db.deleteFrom('open_bridge_leases').where('name', '=', name).where('holder', '=', holder).execute(),
      );
    },
  };
}
