import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';
import type { CredentialKind, PlatformId } from '../platforms/platform.ts';
import { CREDENTIAL_TABLE, type Tables } from './schema.ts';
import type {
  BudgetTable,
  CredentialRow,
  CredentialTable,
  FailureTable,
  LeaseTable,
  SettingTable,
  Store,
} from './store.ts';

/** uniCloud's mark for a value that never expires. */
const NEVER = -1;

/** What a SQL backend adds to the shared queries. */
export interface SqlBackend {
  readonly db: Kysely<Tables>;
  /** The store's own time, in milliseconds. */
  now(): number;
  /** Runs one statement: retries what is worth it and turns failures into BridgeError STORE_UNAVAILABLE. */
  run<T>(statement: () => Promise<T>): Promise<T>;
}

/**
 * A store over SQL. Every decision is one conditional statement whose row count tells the outcome, so
 * it is atomic on every database without a transaction.
 */
export function createSqlStore(backend: SqlBackend): Store {
  return {
    credentials: credentialTable(backend),
    leases: leaseTable(backend),
    budgets: budgetTable(backend),
    failures: failureTable(backend),
    settings: settingTable(backend),
    ping: () =>
      backend.run(
        async () =>
          void (await backend.db.selectFrom('open_bridge_settings').select('name').limit(1).execute()),
      ),
    close: () => backend.db.destroy(),
  };
}

type StoredRow = Selectable<Tables[typeof CREDENTIAL_TABLE]>;

/** Drivers of some databases give a bigint column as a string. */
function numberOf(column: number | null): number | undefined {
  return column === null ? undefined : Number(column);
}

/** A column's form of a time that may be missing, or never come. */
function timeOf(at: number | undefined): number | null {
  return at === undefined || !Number.isFinite(at) ? null : Math.floor(at);
}

function toRow(stored: StoredRow): CredentialRow {
  const { previous_value: value, previous_fingerprint: fingerprint, previous_expired: expiresAt } = stored;
  return {
    id: stored._id,
    value: stored.value,
    expiresAt: Number(stored.expired) === NEVER ? Number.POSITIVE_INFINITY : Number(stored.expired),
    platform: (stored.platform ?? undefined) as PlatformId | undefined,
    appid: stored.appid ?? undefined,
    kind: (stored.kind ?? undefined) as CredentialKind | undefined,
    epoch: Number(stored.epoch),
    issuedAt: numberOf(stored.issued_at),
    renewAt: numberOf(stored.renew_at),
    background: Number(stored.background) === 1,
    fingerprint: stored.fingerprint ?? undefined,
    previous:
      value !== null && fingerprint !== null && expiresAt !== null
        ? { value, fingerprint, expiresAt: Number(expiresAt) }
        : undefined,
  };
}

function toStored(row: CredentialRow): StoredRow {
  return {
    _id: row.id,
    value: row.value,
    expired: Number.isFinite(row.expiresAt) ? Math.floor(row.expiresAt) : NEVER,
    platform: row.platform ?? null,
    appid: row.appid ?? null,
    kind: row.kind ?? null,
    epoch: row.epoch,
    issued_at: timeOf(row.issuedAt),
    renew_at: timeOf(row.renewAt),
    background: row.background ? 1 : 0,
    fingerprint: row.fingerprint ?? null,
    previous_value: row.previous?.value ?? null,
    previous_fingerprint: row.previous?.fingerprint ?? null,
    previous_expired: row.previous === undefined ? null : Math.floor(row.previous.expiresAt),
  };
}

function credentialTable({ db, run }: SqlBackend): CredentialTable {
  return {
    async get(id) {
      const stored = await run(() =>
        db.selectFrom(CREDENTIAL_TABLE).selectAll().where('_id', '=', id).executeTakeFirst(),
      );
      return stored === undefined ? undefined : toRow(stored);
    },
    async commit(row, expectedEpoch) {
      const stored = toStored(row);
      if (expectedEpoch === 0) {
        const inserted = await run(() =>
          db
            .insertInto(CREDENTIAL_TABLE)
            .values(stored)
            .onConflict(conflict => conflict.column('_id').doNothing())
            .executeTakeFirst(),
        );
        if (inserted.numInsertedOrUpdatedRows === 1n) return true;
      }
      const updated = await run(() =>
        db
          .updateTable(CREDENTIAL_TABLE)
          .set(stored)
          .where('_id', '=', row.id)
          .where('epoch', '=', expectedEpoch)
          .executeTakeFirst(),
      );
      return updated.numUpdatedRows === 1n;
    },
    async due(until, limit, cursor) {
      const rows = await run(() => {
        let query = db
          .selectFrom(CREDENTIAL_TABLE)
          .select(['_id', 'platform', 'appid', 'kind', 'renew_at'])
          .where('background', '=', 1)
          .where('renew_at', '<=', until);
        if (cursor !== undefined) {
          query = query.where(where =>
            where.or([
              where('renew_at', '>', cursor.renewAt),
              where.and([where('renew_at', '=', cursor.renewAt), where('_id', '>', cursor.id)]),
            ]),
          );
        }
        return query.orderBy('renew_at').orderBy('_id').limit(limit).execute();
      });
      return rows.map(row => ({
        id: row._id,
        renewAt: Number(row.renew_at),
        platform: row.platform as PlatformId,
        appid: row.appid ?? '',
        kind: row.kind as CredentialKind,
      }));
    },
    async reschedule(id, epoch, { renewAt, background }) {
      await run(() =>
        db
          .updateTable(CREDENTIAL_TABLE)
          .set({ renew_at: timeOf(renewAt), background: background ? 1 : 0 })
          .where('_id', '=', id)
          .where('epoch', '=', epoch)
          .execute(),
      );
    },
    async remove(id) {
      const deleted = await run(() =>
        db.deleteFrom(CREDENTIAL_TABLE).where('_id', '=', id).executeTakeFirst(),
      );
      return deleted.numDeletedRows === 1n;
    },
    async findByFingerprint(fingerprint) {
      const stored = await run(() =>
        db
          .selectFrom(CREDENTIAL_TABLE)
          .selectAll()
          .where(where =>
            where.or([
              where('fingerprint', '=', fingerprint),
              where('previous_fingerprint', '=', fingerprint),
            ]),
          )
          .limit(1)
          .executeTakeFirst(),
      );
      return stored === undefined ? undefined : toRow(stored);
    },
  };
}

function leaseTable({ db, run, now }: SqlBackend): LeaseTable {
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

function budgetTable({ db, run, now }: SqlBackend): BudgetTable {
  return {
    async take({ subject, window, limit, spacingMs }) {
      const at = now();
      const count = async (): Promise<boolean> => {
        const counted = await run(() =>
          db
            .updateTable('open_bridge_budgets')
            .set(set => ({ used: set('used', '+', 1), last_at: at }))
            .where('subject', '=', subject)
            .where('period', '=', window)
            .where('used', '<', limit)
            .$if(spacingMs > 0, query => query.where(where => where.not(tooClose(where))))
            .executeTakeFirst(),
        );
        return counted.numUpdatedRows === 1n;
      };
      // A last use far in the future was noted before the clock was set back: it bars nothing.
      const tooClose = (where: ExpressionBuilder<Tables, 'open_bridge_budgets'>) =>
        where.between('last_at', at - spacingMs + 1, at + spacingMs);

      if (limit < 1) return false;
      if (await count()) return true;
      if (spacingMs > 0) {
        const near = await run(() =>
          db
            .selectFrom('open_bridge_budgets')
            .select('period')
            .where('subject', '=', subject)
            .where(tooClose)
            .limit(1)
            .execute(),
        );
        if (near.length > 0) return false;
      }
      const inserted = await run(() =>
        db
          .insertInto('open_bridge_budgets')
          .values({ subject, period: window, used: 1, last_at: at })
          .onConflict(conflict => conflict.columns(['subject', 'period']).doNothing())
          .executeTakeFirst(),
      );
      // Someone else opened the window between the two statements: count in theirs.
      if (inserted.numInsertedOrUpdatedRows !== 1n) return count();
      await run(() =>
        db
          .deleteFrom('open_bridge_budgets')
          .where('subject', '=', subject)
          .where('period', '<', window)
          .execute(),
      );
      return true;
    },
    async usage(subject, window) {
      const row = await run(() =>
        db
          .selectFrom('open_bridge_budgets')
          .select(['used', 'last_at'])
          .where('subject', '=', subject)
          .where('period', '=', window)
          .executeTakeFirst(),
      );
      return { used: Number(row?.used ?? 0), lastAt: Number(row?.last_at ?? 0) };
    },
  };
}

function failureTable({ db, run }: SqlBackend): FailureTable {
  return {
    async get(id) {
      const row = await run(() =>
        db.selectFrom('open_bridge_failures').selectAll().where('id', '=', id).executeTakeFirst(),
      );
      if (row === undefined) return undefined;
      return {
        id: row.id,
        identity: row.identity,
        code: row.code,
        errcode: row.errcode ?? undefined,
        errmsg: row.errmsg,
        errorClass: row.error_class,
        hint: row.hint ?? undefined,
        failures: Number(row.failures),
        failedAt: Number(row.failed_at),
        retryAt: Number(row.retry_at),
      };
    },
    async put(row) {
      const stored = {
        id: row.id,
        identity: row.identity,
        code: row.code,
        errcode: row.errcode ?? null,
        errmsg: row.errmsg,
        error_class: row.errorClass,
        hint: row.hint ?? null,
        failures: row.failures,
        failed_at: Math.floor(row.failedAt),
        retry_at: Math.floor(row.retryAt),
      };
      await run(() =>
        db
          .insertInto('open_bridge_failures')
          .values(stored)
          .onConflict(conflict => conflict.column('id').doUpdateSet(stored))
          .execute(),
      );
    },
    async clear(id) {
      await run(() => db.deleteFrom('open_bridge_failures').where('id', '=', id).execute());
    },
  };
}

function settingTable({ db, run }: SqlBackend): SettingTable {
  const get = async (name: string): Promise<string | undefined> => {
    const row = await run(() =>
      db.selectFrom('open_bridge_settings').select('value').where('name', '=', name).executeTakeFirst(),
    );
    return row?.value;
  };
  return {
    get,
    async putIfAbsent(name, value) {
      await run(() =>
        db
          .insertInto('open_bridge_settings')
          .values({ name, value })
          .onConflict(conflict => conflict.column('name').doNothing())
          .execute(),
      );
      return (await get(name)) ?? value;
    },
    async put(name, value) {
      await run(() =>
        db
          .insertInto('open_bridge_settings')
          .values({ name, value })
          .onConflict(conflict => conflict.column('name').doUpdateSet({ value }))
          .execute(),
      );
    },
  };
}
