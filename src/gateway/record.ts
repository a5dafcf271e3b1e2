import { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Call, Stage } from './call.ts';
import { SEQID_HEADER } from './headers.ts';

/**
 * What is kept of a call: enough to find out what happened, nothing that is secret or personal. There is
 * no query, as it may hold a token or an openid, and no body.
 */
export interface CallRecord {
  /** The id the caller was given in `x-openapi-seqid`. */
  readonly seqid: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** From the first stage until the answer had left the gateway, in milliseconds. */
  readonly durationMs: number;
  /** Of that, waiting for the head of the platform's answer. */
  readonly upstreamMs: number;
  /** How often it was sent to the platform: 0 when the answer was made here, more than once after a replay. */
  readonly sends: number;
  readonly method: string;
  /** Canonical path; empty when the request was malformed. */
  readonly path: string;
  readonly remoteAddress: string;
  readonly caller: string | undefined;
  readonly platform: string | undefined;
  /** Name of the app acted as. */
  readonly app: string | undefined;
  readonly appid: string | undefined;
  /** Whether one of our credentials was put into the call. */
  readonly injected: boolean;
  /** Fingerprint of that credential, as operators see it elsewhere. */
  readonly credential: string | undefined;
  readonly status: number;
  /** errcode of a small JSON answer, or of our own refusal. */
  readonly errcode: number | undefined;
  /** The platform's own request id. */
  readonly rid: string | undefined;
  /** Our own code, when the answer is ours and not the platform's. */
  readonly failure: ErrorCode | undefined;
  /** Whether the call was repeated with a repaired credential. */
  readonly replayed: boolean;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** `whole`: the answer was handed over. `cut`: it broke off. `caller-gone`: nobody waited for it. */
  readonly end: 'whole' | 'cut' | 'caller-gone';
}

/** What the outermost stage needs. */
export interface RecordOptions {
  readonly clock: Clock;
  readonly randomHex: (bytes: number) => string;
  readonly log: Log;
  readonly onBegin: (() => void) | undefined;
  readonly onCall: ((record: CallRecord) => void) | undefined;
}

/** Names every call, and keeps a record of it once it is over. */
export function record(options: RecordOptions): Stage {
  const { clock, randomHex, log, onBegin, onCall } = options;

  const finish = (call: Call, status: number, cut: boolean): void => {
    const kept = toRecord(call, status, cut, clock.now());
    log.info(kept, 'call');
    onCall?.(kept);
  };

  return next => async call => {
    onBegin?.();
    // Opaque to callers; the time in front lets operators find the day of a log.
    call.seqid = `${Math.floor(call.startedAt / 1000).toString(16)}-${randomHex(8)}`;
    const answer = await next(call);
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
}

function toRecord(call: Call, status: number, cut: boolean, now: number): CallRecord {
  return {
    seqid: call.seqid,
    startedAt: call.startedAt,
    durationMs: now - call.startedAt,
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
