import { sql } from 'kysely';
import type { ColumnValue, SqlBackend } from './backend.ts';

/** A table whose rows end by themselves, at the store's own time. */
export interface ExpiringTable {
  readonly table: 'open_bridge_leases' | 'open_bridge_ephemeral';
  /** What goes first, where an index has it in that order. */
  readonly order?: 'expires_at';
}

/** The end of what lives so long from now. */
export function endAfter({ now }: Pick<SqlBackend, 'now'>, ttlMs: number) {
  return sql<number>`${now()} + ${Math.floor(ttlMs)}`;
}

/** Removes at most `limit` rows that have ended; resolves to how many. */
export function removeEnded(
  { db, dialect, now, batch }: SqlBackend,
  { table, order }: ExpiringTable,
  limit: number,
): Promise<number> {
  const ended = sql`${sql.ref('expires_at')} <= ${now()}`;
  const statement = dialect.removeSome(db, {
    ...{ table, key: 'name', where: ended, stillSo: ended, limit },
    ...(order !== undefined && { order }),
  });
  return batch(statement, [statement.parameters as ColumnValue[]]);
}
