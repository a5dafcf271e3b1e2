import type { ColumnType, Generated } from 'kysely';

/** Name of the credential table, as uniCloud has it. */
export const CREDENTIAL_TABLE = 'opendb-open-data';

/** uniCloud's mark in `expired` for a value that never expires. */
export const NEVER = -1;

/** A column left out on insert is null. */
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;

/** Tables as Kysely sees them. Times are milliseconds since the Unix epoch. */
export interface Tables {
  [CREDENTIAL_TABLE]: {
    _id: string;
    value: string;
    /** -1 for never. */
    expired: number;
    platform: Optional<string>;
    appid: Optional<string>;
    kind: Optional<string>;
    epoch: Generated<number>;
    issued_at: Optional<number>;
    renew_at: Optional<number>;
    /** 1 when it is renewed in the background. */
    background: Generated<number>;
    fingerprint: Optional<string>;
    previous_value: Optional<string>;
    previous_fingerprint: Optional<string>;
    previous_expired: Optional<number>;
  };
  open_bridge_leases: { name: string; holder: string; expires_at: number };
  open_bridge_budgets: { subject: string; period: string; used: number; last_at: number };
  open_bridge_failures: {
    id: string;
    identity: string;
    code: string;
    errcode: number | null;
    errmsg: string;
    error_class: string;
    hint: string | null;
    failures: number;
    failed_at: number;
    retry_at: number;
  };
  open_bridge_settings: { name: string; value: string };
  open_bridge_ephemeral: { name: string; value: string; expires_at: number };
  open_bridge_call_batches: {
    id: Generated<number>;
    /** The least and the greatest seqid of its calls, whatever their order in it. */
    first_seqid: string;
    last_seqid: string;
    /** How many there are. */
    calls: number;
    /** As `packed-calls.ts` writes them. */
    packed: string;
  };
  open_bridge_usage: {
    day: string;
    /** Empty for those we do not know. */
    caller: string;
    appid: string;
    calls: number;
    errors: number;
    refused: number;
    replayed: number;
    request_bytes: number;
    answer_bytes: number;
  };
  open_bridge_audit: {
    chain: string;
    number: number;
    previous: string;
    hash: string;
    at: number;
    action: string;
    actor: string | null;
    appid: string | null;
    credential: string | null;
    entry: string;
  };
  open_bridge_audit_anchors: { chain: string; number: number; hash: string; at: number };
}

/** Where the names of the steps that were taken are kept. */
export const MIGRATION_TABLE = 'open_bridge_migrations';
