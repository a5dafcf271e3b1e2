import type { BridgeError } from '../base/errors.ts';
import { asBridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { errorBodyOf } from '../contract/errors.ts';
import type { Answer, Call, Stage } from './call.ts';

/**
 * Turns whatever a later stage throws into an answer in both dialects: the platform's own `errcode` and
 * `errmsg`, and the four fields of the hosted service's gateway.
 */
export function answerErrors(log: Log): Stage {
  const failed = (call: Call, thrown: unknown): Answer => {
    const error = asBridgeError(thrown);
    if (error.code === 'INTERNAL') {
      log.error({ seqid: call.seqid, error: describeSafely(thrown, call) }, 'call failed inside the gateway');
    }
    call.errcode = error.errcode;
    call.failure = error.code;
    return answerError(error, call.seqid);
  };
  return next => call => {
    try {
      const answer = next(call);
      return answer instanceof Promise ? answer.catch(thrown => failed(call, thrown)) : answer;
    } catch (thrown) {
      return failed(call, thrown);
    }
  };
}

/** The answer that tells a caller of an error. */
export function answerError(error: BridgeError, seqid: string): Answer {
  const body = Buffer.from(JSON.stringify(errorBodyOf(error, seqid)));
  const headers = ['content-type', 'application/json; charset=utf-8', 'content-length', String(body.length)];
  if (error.retryAfterMs !== undefined && Number.isFinite(error.retryAfterMs)) {
    headers.push('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  return {
    status: error.traits.status,
    reason: undefined,
    headers,
    contentType: 'application/json',
    contentEncoding: '',
    body,
  };
}

/** What may be logged of an unforeseen error: its stack, with the call's credential taken out of it. */
function describeSafely(thrown: unknown, call: Call): string {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const token = call.credential?.value.reveal();
  const clean =
    token === undefined
      ? text
      : text.replaceAll(token, '[token]').replaceAll(encodeURIComponent(token), '[token]');
  return call.query === '' ? clean : clean.replaceAll(call.query, '[query]');
}
