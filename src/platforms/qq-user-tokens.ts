import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { lifeIn, optionalTextIn, textIn } from './answer-fields.ts';
import { secretOf } from './app-secret.ts';
import type { App, UpstreamRequest, UserTokenPlan } from './platform.ts';

/** Three months, which QQ Connect gives every access token. */
const LIFE_SECONDS = 7_776_000;
const SECOND = 1000;

/** Answers are form text unless JSON is asked for, and leave the user out unless asked to name it. */
const ANSWER_FORM = { fmt: 'json', need_openid: '1' };

function tokenRequest(app: App, grant: Readonly<Record<string, string>>): UpstreamRequest {
  return {
    method: 'GET',
    path: '/oauth2.0/token',
    query: { client_id: app.appid, client_secret: secretOf(app).reveal(), ...grant, ...ANSWER_FORM },
  };
}

/**
 * Login of QQ Connect: GET /oauth2.0/token for code and refresh token alike, GET /oauth2.0/me for whose a
 * token is. A refresh brings a new refresh token and ends the one before. Unconfirmed, as no page says it:
 * how long a refresh token lasts, and which codes say that it is over.
 */
export const qqUserTokens: UserTokenPlan = {
  exchange: (app, { code, redirectUri }) => {
    // Without it the platform refuses, and the code, which works once, would be spent for nothing.
    if (redirectUri === undefined || redirectUri === '') {
      throw new BridgeError('REQUEST_MALFORMED', 'QQ Connect wants the redirect_uri again with a code', {
        hint: 'send the redirect_uri that the code was asked for with',
      });
    }
    return tokenRequest(app, { grant_type: 'authorization_code', code, redirect_uri: redirectUri });
  },
  refresh: (app, refreshToken) =>
    tokenRequest(app, { grant_type: 'refresh_token', refresh_token: refreshToken.reveal() }),
  read: answer => {
    const refreshToken = optionalTextIn(answer, 'refresh_token');
    return {
      openid: optionalTextIn(answer, 'openid') ?? '',
      unionid: optionalTextIn(answer, 'unionid'),
      scope: optionalTextIn(answer, 'scope'),
      snapshot: false,
      accessToken: new Secret(textIn(answer, 'access_token')),
      refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
      lifeMs: lifeIn(answer, LIFE_SECONDS),
    };
  },
  identify: accessToken => ({
    method: 'GET',
    path: '/oauth2.0/me',
    query: { access_token: accessToken.reveal(), unionid: '1', fmt: 'json' },
  }),
  // Long enough that one can still be tried when the access token that came with it has ended; but as
  // nothing says that it outlives that, one in use is refreshed a week before.
  refreshLifeMs: 2 * LIFE_SECONDS * SECOND,
  renewAheadMs: 7 * 86_400 * SECOND,
  refreshRotates: true,
  loginAgainCodes: new Set([100013, 100014, 100015, 100016, 100022, 100030]),
};
