import { type Selectable, sql } from 'kysely';
import type { CredentialKind, PlatformId } from '../../platforms/platform.ts';
import { CREDENTIAL_TABLE, NEVER, type Tables } from '../schema.ts';
import type { CredentialRow, CredentialTable } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';
import { givesWay, overruled, replaced } from './credentials-merge.ts';

/** Values of `background`. They are part of the statement, or it could not use the indexes that hold such rows alone. */
const IN_BACKGROUND = sql.lit(1);
const ON_DEMAND = sql.lit(0);

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

/** `opendb-open-data`: credentials, as uniCloud has them with columns of our own. */
export function credentialTable({ db, dialect, run, read, batch }: SqlBackend): CredentialTable {
  return {
    async get(id) {
      const stored = await read(() =>
        db.selectFrom(CREDENTIAL_TABLE).selectAll().where('_id', '=', id).executeTakeFirst(),
      );
      return stored === undefined ? undefined : toRow(stored);
    },
    async commit(row, expectedEpoch) {
      const stored = toStored(row);
      // Set to what it is, the key would have its indexes written anew.
      const { _id, ...columns } = stored;
      if (expectedEpoch === 0) {
        const insert = db.insertInto(CREDENTIAL_TABLE).values(stored);
        if (await run(() => dialect.insertNew(insert, ['_id']))) return true;
      }
      const updated = await run(() =>
        db
          .updateTable(CREDENTIAL_TABLE)
          .set(columns)
          .where('_id', '=', _id)
          .where('epoch', '=', expectedEpoch)
          .executeTakeFirst(),
      );
      return updated.numUpdatedRows === 1n;
    },
    async due(until, limit, cursor) {
      const rows = await read(() => {
        let query = db
          .selectFrom(CREDENTIAL_TABLE)
          .select(['_id', 'platform', 'appid', 'kind', 'renew_at'])
          .where('background', '=', IN_BACKGROUND)
          .where('renew_at', '<=', Math.floor(until));
        if (cursor !== undefined) {
          // Follows from the next condition, but only this one lets an index begin at the cursor.
          query = query
            .where('renew_at', '>=', cursor.renewAt)
            .where(where =>
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
      const stored = await read(() =>
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
    async scan(limit, afterId) {
      const rows = await read(() =>
        db
          .selectFrom(CREDENTIAL_TABLE)
          .selectAll()
          .$if(afterId !== undefined, query => query.where('_id', '>', afterId ?? ''))
          .orderBy('_id')
          .limit(limit)
          .execute(),
      );
      return rows.map(toRow);
    },
    async merge(rows, { force = false } = {}) {
      if (rows.length === 0) return 0;
      const condition = force ? { updates: overruled } : { updates: replaced, where: givesWay };
      return run(() =>
        dialect.merge(db, {
          table: CREDENTIAL_TABLE,
          key: '_id',
          rows: rows.map(row => ({ ...toStored(row) })),
          ...condition,
        }),
      );
    },
    pruneExpired(before, limit) {
      const [background, expired, until] = [sql.ref('background'), sql.ref('expired'), Math.floor(before)];
      const statement = dialect.removeSome(db, {
        table: CREDENTIAL_TABLE,
        key: '_id',
        // What never ends is -1, and must not be looked through.
        where: sql`${background} = ${ON_DEMAND} and ${expired} > ${sql.lit(NEVER)} and ${expired} < ${until}`,
        stillSo: sql`${background} = ${ON_DEMAND} and ${expired} < ${until}`,
        order: 'expired',
        limit,
      });
      return batch(statement, [statement.parameters as ColumnValue[]]);
    },
  };
}
