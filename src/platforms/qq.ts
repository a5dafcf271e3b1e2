import { classicTokenPlan } from './classic-token.ts';
import { codeToSession } from './code-session.ts';
import type { CredentialKind, Platform } from './platform.ts';
import { qqConnectErrorRule } from './qq-connect-errors.ts';
import { qqErrorRule } from './qq-errors.ts';
import { qqUserTokens } from './qq-user-tokens.ts';
import { verdictOf } from './verdict.ts';

const TOKEN_PATH = '/api/getToken';

/** What both platforms of QQ lack. */
const qq = {
  tokenParameter: 'access_token',
  callerTokenParameters: ['access_token'],
  ticketPath: undefined,
  callRecordPath: undefined,
  pathBudgets: {},
  kindFault: (kind: CredentialKind) =>
    kind === 'ticket' || kind === 'card-ticket'
      ? 'QQ has no tickets: they sign web pages and cards in WeChat, so they belong to an official account (weixin-h5), or are pushed in for a website app (weixin-web) or a mobile app (weixin-app)'
      : undefined,
} as const satisfies Partial<Platform>;

const tokenPlan = classicTokenPlan(TOKEN_PATH);

export const qqMp: Platform = {
  ...qq,
  id: 'qq-mp',
  title: 'QQ小程序 (QQ mini program)',
  upstream: 'qq',
  hosts: ['api.q.qq.com'],
  consoleUrl: 'https://q.qq.com',
  // There is one token endpoint, with the rules of WeChat's classic one, whatever the app's token mode.
  plan: kind => (kind === 'access-token' ? tokenPlan : undefined),
  sessions: { ...codeToSession, sessionRefusedCodes: new Set() },
  // The token and login endpoints write errcode, those under /api/json write errCode.
  verdict: answer => verdictOf(answer['errcode'] ?? answer['errCode'], answer['errmsg'] ?? answer['errMsg']),
  errorRule: qqErrorRule,
  pathCredential: path => (path === TOKEN_PATH || path.startsWith('/sns/') ? 'none' : 'app'),
  tokenPaths: { [TOKEN_PATH]: 'classic' },
};

/** QQ Connect knows users only: there is no token of the app's own. */
export const qqApp: Platform = {
  ...qq,
  id: 'qq-app',
  title: 'QQ互联 (QQ Connect)',
  upstream: 'qqConnect',
  hosts: ['graph.qq.com'],
  consoleUrl: 'https://connect.qq.com',
  plan: () => undefined,
  userTokens: qqUserTokens,
  verdict: answer => verdictOf(answer['error'], answer['error_description']),
  errorRule: qqConnectErrorRule,
  pathCredential: () => 'none',
  tokenPaths: {},
};
