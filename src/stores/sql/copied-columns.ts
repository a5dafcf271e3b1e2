import type { SelectType } from 'kysely';
import { CREDENTIAL_TABLE, type Tables } from '../schema.ts';
import type { CopiedTable } from '../store.ts';

/** What a column holds. */
export interface CopiedColumn {
  readonly type: 'text' | 'number';
  /** Whether it may be null: where a copy lacks the column, it is. */
  readonly optional: boolean;
}

/** How the rows of a table are copied. */
export interface CopiedColumns {
  /** Columns that are unique together and have an index in this order. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, CopiedColumn>>;
  /** Rows read or written by one statement where they are large; a server limits what it takes at once. */
  readonly rowsAtOnce?: number;
}

/** Columns that the database fills in anew. */
interface MadeAnew {
  open_bridge_call_batches: 'id';
}

type ColumnName<T extends keyof Tables> = Exclude<
  keyof Tables[T],
  T extends keyof MadeAnew ? MadeAnew[T] : never
>;

/** Every column of a table, so that a new one cannot be forgotten. */
type AllColumns<T extends keyof Tables> = {
  readonly key: readonly ColumnName<T>[];
  readonly columns: {
    readonly [C in ColumnName<T>]: {
      readonly type: NonNullable<SelectType<Tables[T][C]>> extends string ? 'text' : 'number';
      readonly optional: null extends SelectType<Tables[T][C]> ? true : false;
    };
  };
  readonly rowsAtOnce?: number;
};

/** Tables that are worth nothing elsewhere: they speak of processes and minutes. */
type LeftOut = 'open_bridge_leases' | 'open_bridge_ephemeral';

type Copied = { readonly [T in Exclude<keyof Tables, LeftOut>]: AllColumns<T> };

const text = { type: 'text', optional: false } as const;
const optionalText = { type: 'text', optional: true } as const;
const number = { type: 'number', optional: false } as const;
const optionalNumber = { type: 'number', optional: true } as const;

const ALL: Copied = {
  [CREDENTIAL_TABLE]: {
    key: ['_id'],
    columns: {
      _id: text,
      value: text,
      expired: number,
      platform: optionalText,
      appid: optionalText,
      kind: optionalText,
      epoch: number,
      issued_at: optionalNumber,
      renew_at: optionalNumber,
      background: number,
      fingerprint: optionalText,
      previous_value: optionalText,
      previous_fingerprint: optionalText,
      previous_expired: optionalNumber,
    },
  },
  open_bridge_settings: { key: ['name'], columns: { name: text, value: text } },
  open_bridge_budgets: {
    key: ['subject', 'period'],
    columns: { subject: text, period: text, used: number, last_at: number },
  },
  open_bridge_failures: {
    key: ['id'],
    columns: {
      id: text,
      identity: text,
      code: text,
      errcode: optionalNumber,
      errmsg: text,
      error_class: text,
      hint: optionalText,
      failures: number,
      failed_at: number,
      retry_at: number,
    },
  },
  open_bridge_call_batches: {
    key: ['last_seqid', 'first_seqid', 'calls'],
    columns: { first_seqid: text, last_seqid: text, calls: number, packed: text },
    rowsAtOnce: 8,
  },
  open_bridge_usage: {
    key: ['day', 'caller', 'appid'],
    columns: {
      day: text,
      caller: text,
      appid: text,
      calls: number,
      errors: number,
      refused: number,
      replayed: number,
      request_bytes: number,
      answer_bytes: number,
    },
  },
  open_bridge_audit: {
    key: ['chain', 'number'],
    columns: {
      chain: text,
      number,
      previous: text,
      hash: text,
      at: number,
      action: text,
      actor: optionalText,
      appid: optionalText,
      credential: optionalText,
      entry: text,
    },
  },
  open_bridge_audit_anchors: {
    key: ['chain'],
    columns: { chain: text, number, hash: text, at: number },
  },
};

/** How each table is copied. */
export const COPIED: Readonly<Record<CopiedTable, CopiedColumns>> = ALL;
