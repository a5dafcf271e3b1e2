import type { FailureTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';
import { allOf } from './dialect.ts';

/** `open_bridge_failures`: why credentials could not be issued. */
export function failureTable({ db, dialect, run, read }: SqlBackend): FailureTable {
  return {
    async get(id) {
      const row = await read(() =>
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
          .modifyEnd(dialect.orUpdate(['id'], incoming => allOf(Object.keys(stored), incoming)))
          .execute(),
      );
    },
    async clear(id) {
      await run(() => db.deleteFrom('open_bridge_failures').where('id', '=', id).execute());
    },
  };
}
