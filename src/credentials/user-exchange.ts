import type { Log } from '../base/log.ts';
import type { App, CredentialKind, ErrorClass } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { UpstreamRefusal } from '../platforms/upstream.ts';
import { type Exchange, type Exchanged, type ExchangeRequest, isPassing } from './exchange.ts';
import { hintFor, stops } from './failures.ts';

/** Classes of failures that strike all users of an app, whatever a user sent. */
const FAULTS = ['address', 'configuration', 'quota', 'busy'] as const satisfies readonly ErrorClass[];

/** Why the users of an app get no credentials. */
export type UserFault = (typeof FAULTS)[number];

/** A request for a user's credential that failed for a reason that the user has no part in. */
export interface UserFailure {
  readonly app: App;
  readonly kind: CredentialKind;
  readonly class: UserFault;
}

/** Sends one request for a credential of a user: a login, or a refresh. */
export type UserExchange = (kind: CredentialKind, request: ExchangeRequest) => Promise<Exchanged>;

/**
 * Makes the one function that sends requests for users' credentials. What stops all users of an app until
 * someone acts is an alarm in the log, once; that it is over is told too. A user's own mistakes, such as a
 * code that was used before, are nobody's alarm.
 */
export function createUserExchange(deps: {
  readonly exchange: Exchange;
  readonly log: Log;
  /** Told of every failure that users have no part in, for metrics. */
  readonly onFailure: ((failure: UserFailure) => void) | undefined;
}): UserExchange {
  const { exchange, log, onFailure } = deps;
  /** Errcodes that an alarm was raised for, by app and kind: no more than there are apps. */
  const alarmed = new Map<string, number>();

  function refused(kind: CredentialKind, app: App, refusal: UpstreamRefusal): void {
    const fault = faultOf(refusal.rule.class);
    if (fault === undefined) return;
    onFailure?.({ app, kind, class: fault });
    if (!stops(fault)) return;
    const name = nameOf(app, kind);
    if (alarmed.get(name) === refusal.errcode) return;
    alarmed.set(name, refusal.errcode);
    const { errcode, errmsg } = refusal;
    const { name: appName, appid, platform } = app;
    const hint = hintFor({ app, kind }, refusal);
    log.error(
      {
        ...{ app: appName, appid, kind, errcode, errmsg, class: fault, hint },
        console: platformOf(platform).consoleUrl,
      },
      'alarm: the platform refuses credentials to all users of an app until someone acts',
    );
  }

  function worked(kind: CredentialKind, app: App): void {
    if (!alarmed.delete(nameOf(app, kind))) return;
    log.warn(
      { app: app.name, appid: app.appid, kind },
      'alarm over: the platform gives users their credentials again',
    );
  }

  return async (kind, request) => {
    const { app } = request;
    try {
      const exchanged = await exchange(request);
      if (exchanged.answer.ok) worked(kind, app);
      else refused(kind, app, exchanged.answer.refusal);
      return exchanged;
    } catch (error) {
      // A lease that was lost, or a store that is away, is not the platform's doing.
      if (isPassing(error)) onFailure?.({ app, kind, class: 'busy' });
      throw error;
    }
  };
}

function faultOf(errorClass: ErrorClass): UserFault | undefined {
  return FAULTS.find(fault => fault === errorClass);
}

function nameOf({ platform, appid }: App, kind: CredentialKind): string {
  return `${platform}:${appid}:${kind}`;
}
