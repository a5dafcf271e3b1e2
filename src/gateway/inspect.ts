import { mayActAs } from '../access/callers.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { Authority, Credential, CredentialRef } from '../credentials/credentials.ts';
import { readVerdict } from './answer-verdict.ts';
import type { Answer, Call, Handler, Stage } from './call.ts';
import { onAnswer, untilFault } from './call.ts';

/** When a caller may try again after the database was away: it is asked anew as often. */
const STORE_RETRY_MS = 1000;

/** What inspecting needs. */
export interface InspectOptions {
  readonly authority: Authority;
  /** The credential whose current or previous value has this fingerprint. */
  readonly recognize: (fingerprint: string) => Promise<CredentialRef | undefined>;
  readonly log: Log;
}

/**
 * Looks into small JSON answers. When the platform refuses the credential we put in, has it replaced and
 * sends the call once more; whatever comes back then is the answer. Where no other credential is to be had,
 * the call is answered as one that found none: what stands in the way is told, and when to try again, which
 * a refused token does not tell. Any other answer that cannot be mended goes to the caller as it is.
 */
export function inspect(options: InspectOptions): Stage {
  return next => {
    const inspected: Handler = call =>
      onAnswer(next(call), answer => {
        const errcode = note(call, answer);
        return errcode !== undefined && isTokenRefusal(call, errcode)
          ? mend(call, answer, errcode, next, options)
          : answer;
      });
    return call => (call.requestBody?.release === undefined ? inspected(call) : releasing(call, inspected));
  };
}

/** Gives back what was kept of the request's body for a replay, whatever comes of the call. */
async function releasing(call: Call, handle: Handler): Promise<Answer> {
  try {
    return await handle(call);
  } finally {
    call.requestBody?.release?.();
  }
}

/** The answer to the call sent once more, or the refusal as it came. */
async function mend(
  call: Call,
  answer: Answer,
  errcode: number,
  next: Handler,
  options: InspectOptions,
): Promise<Answer> {
  const refused = await refusedCredential(call, options);
  if (refused === undefined) return answer;
  const repaired = await repair(call, refused, errcode, options);
  if (repaired === undefined) return answer;
  call.replayed = true;
  call.credential = repaired;
  call.answerBytes = 0;
  const second = await next(call);
  note(call, second);
  return second;
}

/** Notes the verdict of an answer for the record. */
function note(call: Call, answer: Answer): number | undefined {
  const verdict = readVerdict(answer);
  call.errcode = verdict?.errcode;
  call.rid = verdict?.rid;
  return verdict?.errcode;
}

function isTokenRefusal(call: Call, errcode: number): boolean {
  return errcode !== 0 && call.platform?.errorRule(errcode).class === 'token';
}

/** A credential of ours that the platform refused. */
interface Refused {
  readonly ref: CredentialRef;
  readonly fingerprint: string;
}

/**
 * The credential behind a refusal: the one we put in, or one the caller brought that was ours to give.
 * A token we know nothing of is the caller's own affair.
 */
async function refusedCredential(
  call: Call,
  { recognize, log }: InspectOptions,
): Promise<Refused | undefined> {
  if (call.credential !== undefined)
    return { ref: call.credential.ref, fingerprint: call.credential.value.fingerprint };
  if (!call.ownToken || call.token === undefined) return undefined;
  const fingerprint = fingerprintOf(call.token);
  try {
    const ref = await untilFault(call, recognize(fingerprint));
    // Mending it hands the call a working credential, so the caller must have a right to that app.
    return ref !== undefined && call.caller !== undefined && mayActAs(call.caller, ref.app)
      ? { ref, fingerprint }
      : undefined;
  } catch (error) {
    log.warn(
      { seqid: call.seqid, reason: error instanceof Error ? error.message : 'unknown' },
      'a refused token could not be looked up',
    );
    return undefined;
  }
}

/**
 * A credential other than the refused one, with the body ready to be sent again; undefined when there is
 * none. Throws what stood in the way of one that could have been sent.
 */
async function repair(
  call: Call,
  { ref, fingerprint }: Refused,
  errcode: number,
  { authority, log }: InspectOptions,
): Promise<Credential | undefined> {
  const about = { seqid: call.seqid, app: ref.app.name, fingerprint, errcode };
  try {
    const report = authority.report(ref, { fingerprint, errcode, observedBy: 'gateway' });
    const { credential, outcome, reason, failure } = await untilFault(call, report);
    // It lives on by its own time, but the platform has just refused it.
    if (failure !== undefined) throw failure;
    log.info({ ...about, outcome, reason }, 'the platform refused a credential');
    if (outcome === 'kept' || credential.value.fingerprint === fingerprint) return undefined;
    return (await mayGoAgain(call)) ? credential : undefined;
  } catch (error) {
    log.warn(
      { ...about, reason: error instanceof Error ? error.message : 'unknown' },
      'a refused credential was not replaced',
    );
    // A fault of the call's own, such as its time being over, tells less than the platform's refusal.
    if (!(error instanceof BridgeError) || error === call.fault) return undefined;
    if (!(await mayGoAgain(call).catch(() => false))) return undefined;
    throw error.code === 'STORE_UNAVAILABLE' ? storeAway(error, errcode) : error;
  }
}

/** Whether the call could be sent once more, from its body's side. */
async function mayGoAgain({ requestBody }: Call): Promise<boolean> {
  return requestBody === undefined || requestBody.rewind();
}

/** A caller that is told of a refused token may throw its own away; all it has to do is to try again. */
function storeAway(error: BridgeError, errcode: number): BridgeError {
  return new BridgeError(
    'STORE_UNAVAILABLE',
    `the platform refused the token (${errcode}), which could not be replaced because the database is away: ${error.message}`,
    { cause: error, ...(error.hint !== undefined && { hint: error.hint }), retryAfterMs: STORE_RETRY_MS },
  );
}
