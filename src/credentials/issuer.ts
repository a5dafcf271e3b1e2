import type { Clock } from '../base/clock.ts';
import { deadline } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Issued, IssuePlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { Upstream } from '../platforms/upstream.ts';
import type { CredentialRef } from './credentials.ts';
import { IssueRefused } from './failures.ts';

/** Longest wait for one answer to a token call; the platform's own usually take well under a second. */
const ANSWER_TIMEOUT_MS = 8000;
/** Tries while the platform is busy or away, before the failure is kept and shared. */
const TRIES = 3;
const FIRST_RETRY_MS = 400;

/** One issue in hand. */
export interface IssueRequest {
  readonly ref: CredentialRef;
  readonly plan: IssuePlan;
  readonly force: boolean;
  readonly needed: Secret | undefined;
  /** Asked before anything is sent; false when the lease was lost meanwhile. */
  readonly mayProceed: () => Promise<boolean>;
}

/** An issued value with the time before its request was sent, from which its life counts. */
export interface IssuedAt extends Issued {
  readonly startedAt: number;
}

/** Thrown when the lease was lost before the request went out: nothing was sent, look again. */
export class LeaseLost extends Error {}

/** Asks the platform for one credential. */
export type Issuer = (request: IssueRequest) => Promise<IssuedAt>;

/**
 * Makes the one function that asks platforms for credentials. It retries what is worth retrying at once
 * (busy, unreachable) with growing, jittered pauses; every other refusal is final and throws IssueRefused.
 */
export function createIssuer(deps: {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: () => number;
}): Issuer {
  const { upstream, clock, random } = deps;

  async function attempt({ ref, plan, force, needed, mayProceed }: IssueRequest): Promise<IssuedAt> {
    if (!(await mayProceed())) throw new LeaseLost('lease lost before the request was sent');
    const platform = platformOf(ref.app.platform);
    const limit = deadline(
      clock,
      ANSWER_TIMEOUT_MS,
      () =>
        new BridgeError(
          'UPSTREAM_TIMEOUT',
          `the platform did not answer a token call within ${ANSWER_TIMEOUT_MS / 1000} s`,
        ),
    );
    try {
      const startedAt = clock.now();
      const answer = await upstream.send(
        ref.app,
        platform,
        plan.request(ref.app, { force, needed }),
        limit.signal,
      );
      if (!answer.ok) throw new IssueRefused(answer.refusal);
      return { ...plan.read(answer.body), startedAt };
    } finally {
      limit.clear();
    }
  }

  return async request => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt(request);
      } catch (error) {
        if (tried >= TRIES || !isPassing(error)) throw error;
        await clock.sleep(FIRST_RETRY_MS * 2 ** (tried - 1) * (0.5 + random()));
      }
    }
  };
}

function isPassing(error: unknown): boolean {
  if (error instanceof IssueRefused) return error.refusal.rule.class === 'busy';
  return (
    error instanceof BridgeError &&
    (error.code === 'UPSTREAM_UNREACHABLE' || error.code === 'UPSTREAM_TIMEOUT')
  );
}
