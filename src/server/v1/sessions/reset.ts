import type { Handler } from '../../control.ts';
import { appFor } from '../deps.ts';
import type { SessionDeps } from './login.ts';

/** POST /v1/sessions/reset: a new session key from the platform, kept and not shown. */
export function resetSession(deps: SessionDeps): Handler<'resetSession'> {
  return async ({ identity, body }) => {
    await deps.sessions.reset(appFor(deps, identity, body.appid), body.openid);
    return { answer: {} };
  };
}
