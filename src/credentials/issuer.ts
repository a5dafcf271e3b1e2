import type { Secret } from '../base/secret.ts';
import type { Issued, IssuePlan } from '../platforms/platform.ts';
import type { CredentialRef } from './credentials.ts';
import type { Exchange } from './exchange.ts';
import { IssueRefused } from './failures.ts';

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

/** Asks the platform for one app-level credential. */
export type Issuer = (request: IssueRequest) => Promise<IssuedAt>;

/** Makes the one function that issues app-level credentials. A refusal throws IssueRefused. */
export function createIssuer(exchange: Exchange): Issuer {
  return async ({ ref: { app }, plan, force, needed, mayProceed }) => {
    const { answer, startedAt } = await exchange({
      app,
      request: plan.request(app, { force, needed }),
      mayProceed,
      check: body => void plan.read(body),
    });
    if (!answer.ok) throw new IssueRefused(answer.refusal);
    return { ...plan.read(answer.body), startedAt };
  };
}
