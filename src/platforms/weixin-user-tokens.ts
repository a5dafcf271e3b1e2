import { Secret } from '../base/secret.ts';
import { lifeIn, optionalTextIn, textIn } from './answer-fields.ts';
import { secretOf } from './app-secret.ts';
import type { UserTokenPlan } from './platform.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_LIFE_SECONDS = 7200;

/**
 * Web and app login of WeChat: GET /sns/oauth2/access_token and /sns/oauth2/refresh_token, alike for
 * official accounts, website apps and mobile apps. A refresh takes no secret and prolongs the access token
 * alone: the refresh token ends 30 days after the login whatever is done.
 */
export const weixinUserTokens: UserTokenPlan = {
  exchange: (app, { code }) => ({
    method: 'GET',
    path: '/sns/oauth2/access_token',
    query: {
      appid: app.appid,
      secret: secretOf(app).reveal(),
      code,
      grant_type: 'authorization_code',
    },
  }),
  refresh: (app, refreshToken) => ({
    method: 'GET',
    path: '/sns/oauth2/refresh_token',
    query: { appid: app.appid, grant_type: 'refresh_token', refresh_token: refreshToken.reveal() },
  }),
  read: answer => {
    const refreshToken = optionalTextIn(answer, 'refresh_token');
    return {
      openid: textIn(answer, 'openid'),
      unionid: optionalTextIn(answer, 'unionid'),
      scope: optionalTextIn(answer, 'scope'),
      snapshot: Number(answer['is_snapshotuser']) === 1,
      accessToken: new Secret(textIn(answer, 'access_token')),
      refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
      lifeMs: lifeIn(answer, DEFAULT_LIFE_SECONDS),
    };
  },
  refreshLifeMs: 30 * DAY_MS,
  refreshRotates: false,
  loginAgainCodes: new Set([40030, 42002, 42007]),
};
