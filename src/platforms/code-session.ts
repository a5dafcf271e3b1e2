import { Secret } from '../base/secret.ts';
import { optionalTextIn, textIn } from './answer-fields.ts';
import { secretOf } from './app-secret.ts';
import type { SessionPlan } from './platform.ts';

/** GET /sns/jscode2session: how mini programs of WeChat and of QQ exchange a login code, with the same parameters and answer. */
export const codeToSession: Pick<SessionPlan, 'exchange' | 'read'> = {
  exchange: (app, code) => ({
    method: 'GET',
    path: '/sns/jscode2session',
    query: {
      appid: app.appid,
      secret: secretOf(app).reveal(),
      js_code: code,
      grant_type: 'authorization_code',
    },
  }),
  read: answer => ({
    openid: textIn(answer, 'openid'),
    unionid: optionalTextIn(answer, 'unionid'),
    sessionKey: new Secret(textIn(answer, 'session_key')),
  }),
};
