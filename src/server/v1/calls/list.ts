import { BridgeError } from '../../../base/errors.ts';
import type { CallCursor } from '../../../stores/store.ts';
import type { Handler } from '../../control.ts';
import type { CallDeps } from './get.ts';
import { presentCall } from './present.ts';
import { callerWanted } from './scope.ts';

/** GET /v1/calls: the latest calls first, of those whoever asks may see. */
export function listCalls({ calls, callLog, apps }: CallDeps): Handler<'listCalls'> {
  return async ({ query, identity }) => {
    const caller = callerWanted(identity, query.caller);
    const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
    await callLog.flush();
    const { rows, next } = await calls.list({
      caller,
      // Calls of an app that was removed are found by its appid.
      appid: query.app === undefined ? undefined : (apps.find(query.app)?.appid ?? query.app),
      errcode: query.errcode,
      failedOnly: query.failed,
      before: query.before === undefined ? undefined : Date.parse(query.before),
      limit: query.limit,
      cursor,
    });
    return { answer: { calls: rows.map(presentCall), next: next ?? null } };
  };
}

function readCursor(text: string): CallCursor {
  if (/^[0-9a-f]{8}-[0-9a-f]{16}$/.test(text)) return text;
  throw new BridgeError('REQUEST_MALFORMED', 'the cursor is not one', {
    hint: 'pass `next` of the page before as it is',
  });
}
