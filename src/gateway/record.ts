import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { hasFailed } from '../stores/call-outcome.ts';
import { createSeqids } from '../stores/seqids.ts';
import type { CallRow } from '../stores/store.ts';
import type { Answer, Call, Stage } from './call.ts';
import { onAnswer } from './call.ts';
import { SEQID_HEADER } from './headers.ts';

/** What is kept of a call; the call log keeps it as it is. */
export type CallRecord = CallRow;

/** What the outermost stage needs. */
export interface RecordOptions {
  readonly clock: Clock;
  readonly randomHex: (bytes: number) => string;
  readonly log: Log;
  readonly onBegin: (() => void) | undefined;
  readonly onCall: ((record: CallRecord) => void) | undefined;
}

/**
 * Names every call, and keeps a record of it once it is over. Calls that went well are logged at `debug`
 * only: a line costs many times what the call log does, which has them all.
 */
export function record(options: RecordOptions): Stage {
  const { clock, log, onBegin, onCall } = options;
  const newSeqid = createSeqids(options.randomHex);

  const finish = (call: Call, status: number, cut: boolean): void => {
    const kept = toRecord(call, status, cut, clock.now() - call.startedAt);
    if (kept.replayed || hasFailed(kept)) log.info(kept, 'call');
    else log.debug(kept, 'call');
    onCall?.(kept);
  };

  const answered = (call: Call, answer: Answer): Answer => {
    answer.headers.push(SEQID_HEADER, call.seqid);
    const { body, status } = answer;
    if (body instanceof Readable) {
      body.once('close', () => finish(call, status, body.errored !== null || !body.readableEnded));
    } else {
      if (body !== undefined && call.failure !== undefined) call.answerBytes = body.length;
      finish(call, status, false);
    }
    return answer;
  };

  return next => call => {
    onBegin?.();
    call.seqid = newSeqid(call.startedAt);
    return onAnswer(next(call), answer => answered(call, answer));
  };
}

function toRecord(call: Call, status: number, cut: boolean, durationMs: number): CallRecord {
  return {
    seqid: call.seqid,
    startedAt: call.startedAt,
    durationMs,
    upstreamMs: call.upstreamMs,
    sends: call.sends,
    method: call.incoming.method,
    path: call.path,
    remoteAddress: call.incoming.remoteAddress,
    caller: call.caller?.name,
    platform: call.platform?.id,
    app: call.app?.name,
    appid: call.app?.appid,
    injected: call.sends > 0 && call.credential !== undefined,
    credential: call.credential?.value.fingerprint,
    status,
    errcode: call.errcode,
    rid: call.rid,
    failure: call.failure,
    replayed: call.replayed,
    requestBytes: call.requestBody?.received() ?? 0,
    answerBytes: call.answerBytes,
    end: call.callerGone ? 'caller-gone' : cut ? 'cut' : 'whole',
  };
}
