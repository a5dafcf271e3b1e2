import { BridgeError } from '../../../base/errors.ts';
import type { CallRow, CallTable } from '../../../stores/store.ts';
import type { CallLog } from '../../call-log.ts';
import type { Handler } from '../../control.ts';
import type { HandlerDeps } from '../deps.ts';
import { askPlatform, type PlatformDeps } from './platform-record.ts';
import { presentCall } from './present.ts';
import { confinedTo } from './scope.ts';

/** What looking calls up needs. */
export interface CallDeps extends HandlerDeps {
  readonly calls: CallTable;
  readonly callLog: Pick<CallLog, 'flush'>;
}

const RID = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/i;

/** GET /v1/calls/{seqid}: one call, by our id or the platform's, and what the platform keeps of it. */
export function getCall(deps: CallDeps & PlatformDeps): Handler<'getCall'> {
  return async ({ params, query, identity }) => {
    const own = confinedTo(identity);
    if (query.rid && identity?.type === 'caller' && !identity.caller.scopes.has('operate')) {
      throw new BridgeError('CALLER_FORBIDDEN', `caller ${identity.caller.name} may not ask the platform`, {
        hint: `add "operate" to callers[${identity.caller.name}].scopes in the configuration, or leave rid out`,
      });
    }
    await deps.callLog.flush();
    const row = await find(deps.calls, params.seqid, own);
    // Whether a call of somebody else exists is not told either.
    if (row === undefined || (own !== undefined && row.caller !== own)) throw unknown(params.seqid);
    const platformRecord = query.rid ? await askPlatform(deps, identity, row) : null;
    return { answer: { ...presentCall(row), platformRecord } };
  };
}

async function find(calls: CallTable, id: string, caller: string | undefined): Promise<CallRow | undefined> {
  if (!RID.test(id)) return calls.get(id);
  const { rows } = await calls.list({ rid: id.toLowerCase(), caller, limit: 1 });
  return rows[0];
}

function unknown(id: string): BridgeError {
  return new BridgeError('NOT_FOUND', `no call ${JSON.stringify(id)} is in the call log`, {
    hint: 'calls are kept for callLog.maxAgeDays, at most callLog.maxCalls of them, while callLog.enabled is true',
  });
}
