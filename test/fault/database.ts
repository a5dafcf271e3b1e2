import type { Injections, LeaseRow } from './injection.ts';
import type { CommittedRow } from './token-ledger.ts';

/** A database that the run may break, with a way to look into it that is not broken along. */
export interface FaultyDatabase {
  /** `storage.database` of the nodes. */
  readonly url: string;
  readonly injections: Injections;
  /** Reject while it is away. */
  leases(): Promise<readonly LeaseRow[]>;
  tokens(): Promise<readonly CommittedRow[]>;
  close(): Promise<void>;
}

/** What is asked of the database, whichever it is. */
export const LEASES_QUERY = 'select name, holder from open_bridge_leases';
export const TOKENS_QUERY =
  'select appid, fingerprint, epoch, renew_at from "opendb-open-data" where kind = \'access-token\'';

/** A row of TOKENS_QUERY. */
export function committedRow(row: Readonly<Record<string, unknown>>): CommittedRow {
  return {
    appid: String(row['appid']),
    fingerprint: String(row['fingerprint']),
    epoch: Number(row['epoch']),
    renewAt: Number(row['renew_at']),
  };
}
