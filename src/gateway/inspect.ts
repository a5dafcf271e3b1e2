import { mayActAs } from '../access/callers.ts';
import type { Log } from '../base/log.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { Authority, Credential, CredentialRef } from '../credentials/credentials.ts';
import { readVerdict } from './answer-verdict.ts';
import type { Answer, Call, Stage } from './call.ts';
import { untilFault } from './call.ts';

/** What inspecting needs. */
export interface InspectOptions {
  readonly authority: Authority;
  /** The credential whose current or previous value has this fingerprint. */
  readonly recognize: (fingerprint: string) => Promise<CredentialRef | undefined>;
  readonly log: Log;
}

/**
 * Looks into small JSON answers. When the platform refuses the credential we put in, has it replaced and
 * sends the call once more; whatever comes back then is the answer. An answer that cannot be mended goes
 * to the caller as it is.
 */
export function inspect(options: InspectOptions): Stage {
  return next => async call => {
    try {
      const answer = await next(call);
      const errcode = note(call, answer);
      if (errcode === undefined || !isTokenRefusal(call, errcode)) return answer;
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
    } finally {
      call.requestBody?.release();
    }
  };
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

/** A credential other than the refused one, with the body ready to be sent again; undefined when there is none. */
async function repair(
  call: Call,
  { ref, fingerprint }: Refused,
  errcode: number,
  { authority, log }: InspectOptions,
): Promise<Credential | undefined> {
  const about = { seqid: call.seqid, app: ref.app.name, fingerprint, errcode };
  try {
    const report = authority.report(ref, { fingerprint, errcode, observedBy: 'gateway' });
    const { credential, outcome, reason } = await untilFault(call, report);
    log.info({ ...about, outcome, reason }, 'the platform refused a credential');
    if (outcome === 'kept' || credential.value.fingerprint === fingerprint) return undefined;
    if (call.requestBody !== undefined && !(await call.requestBody.rewind())) return undefined;
    return credential;
  } catch (error) {
    // The platform's own refusal tells the caller more than our failure to mend it.
    log.warn(
      { ...about, reason: error instanceof Error ? error.message : 'unknown' },
      'a refused credential was not replaced',
    );
    return undefined;
  }
}
