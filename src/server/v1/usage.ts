import type { AppDirectory } from '../../credentials/apps.ts';
import type { UsageTable } from '../../stores/store.ts';
import type { CallLog } from '../call-log.ts';
import type { Handler } from '../control.ts';
import { usageDay } from '../usage.ts';
import { callerWanted } from './calls/scope.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** GET /v1/usage: sums of the calls that whoever asks may see. */
export function listUsage(deps: {
  readonly usage: UsageTable;
  readonly callLog: Pick<CallLog, 'flush'>;
  readonly apps: AppDirectory;
  readonly now: () => number;
}): Handler<'listUsage'> {
  return async ({ query, identity }) => {
    const caller = callerWanted(identity, query.caller);
    await deps.callLog.flush();
    const since = usageDay(deps.now() - (query.days - 1) * DAY_MS);
    const rows = await deps.usage.list({ since, caller });
    return {
      answer: {
        since,
        usage: rows.map(row => ({
          ...row,
          caller: row.caller ?? null,
          app: row.appid === undefined ? null : (deps.apps.find(row.appid)?.name ?? null),
          appid: row.appid ?? null,
        })),
      },
    };
  };
}
