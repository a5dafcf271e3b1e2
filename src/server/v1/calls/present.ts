import type { CallBody } from '../../../contract/calls.ts';
import type { CallRow } from '../../../stores/store.ts';

/** A call as the API shows it. */
export function presentCall(row: CallRow): CallBody {
  return {
    ...row,
    startedAt: new Date(row.startedAt).toISOString(),
    caller: row.caller ?? null,
    platform: row.platform ?? null,
    app: row.app ?? null,
    appid: row.appid ?? null,
    credential: row.credential ?? null,
    errcode: row.errcode ?? null,
    rid: row.rid ?? null,
    failure: row.failure ?? null,
  };
}
