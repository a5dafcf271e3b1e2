import type { Handler } from '../../control.ts';
import { appFor } from '../deps.ts';
import type { SessionDeps } from './login.ts';

/** POST /v1/sessions/check: the platform's word on the session that is kept. */
export function checkSession(deps: SessionDeps): Handler<'checkSession'> {
  return async ({ identity, body }) => {
    const app = appFor(deps, identity, body.appid);
    const { valid, errcode, errmsg } = await deps.sessions.check(app, body.openid);
    return { answer: { valid, errcode, errmsg } };
  };
}
