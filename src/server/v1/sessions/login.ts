import type { UserSessions } from '../../../credentials/credentials.ts';
import { IssueRefused } from '../../../credentials/failures.ts';
import { refusedCall } from '../../../credentials/refused-call.ts';
import type { Handler } from '../../control.ts';
import { appFor, type HandlerDeps } from '../deps.ts';

/** What the handlers of `/v1/sessions` work with. */
export interface SessionDeps extends HandlerDeps {
  readonly sessions: UserSessions;
}

/** POST /v1/sessions/login: who a login code belongs to; what comes with it is kept and not shown. */
export function loginUser(deps: SessionDeps): Handler<'loginUser'> {
  return async ({ identity, body }) => {
    const app = appFor(deps, identity, body.appid);
    try {
      const { openid, unionid, scope, snapshot } = await deps.sessions.login(app, {
        code: body.code,
        redirectUri: body.redirect_uri,
      });
      return { answer: { openid, unionid: unionid ?? null, scope: scope ?? null, snapshot } };
    } catch (error) {
      // A user's bad code is no outage of ours: it must not be told, or logged, as one.
      throw error instanceof IssueRefused ? refusedCall(app, error.refusal) : error;
    }
  };
}
