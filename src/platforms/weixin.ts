import type { CredentialKind, Platform } from './platform.ts';
import { openWeixinErrorRule, weixinErrorRule } from './weixin-errors.ts';
import { weixinPathBudgets, weixinPathCredential } from './weixin-paths.ts';
import { miniProgramPlan, officialAccountPlan } from './weixin-plans.ts';
import { weixinSessions } from './weixin-sessions.ts';
import { weixinUserTokens } from './weixin-user-tokens.ts';

/** What all kinds of WeChat apps have in common: one host, one set of paths, one place for the token. */
const weixin = {
  upstream: 'weixin',
  hosts: ['api.weixin.qq.com'],
  pathCredential: weixinPathCredential,
  tokenParameter: 'access_token',
  callerTokenParameters: ['access_token', 'cloudbase_access_token', 'component_access_token'],
  tokenPaths: { '/cgi-bin/token': 'classic', '/cgi-bin/stable_token': 'stable' },
  ticketPath: { path: '/cgi-bin/ticket/getticket', kinds: { jsapi: 'ticket', wx_card: 'card-ticket' } },
  callRecordPath: '/cgi-bin/openapi/rid/get',
  pathBudgets: weixinPathBudgets,
} as const satisfies Partial<Platform>;

/** Mini programs and official accounts, whose settings are on mp.weixin.qq.com. */
const account = {
  ...weixin,
  consoleUrl: 'https://mp.weixin.qq.com',
  tokenProbePath: '/cgi-bin/getcallbackip',
  errorRule: weixinErrorRule,
} as const satisfies Partial<Platform>;

/**
 * Website and mobile apps of the open platform. Their app-level access_token and tickets are run by whoever
 * owns them: values are pushed in and never issued here.
 */
const openApp = {
  ...weixin,
  consoleUrl: 'https://open.weixin.qq.com',
  errorRule: openWeixinErrorRule,
  plan: () => undefined,
  kindFault: () => undefined,
  userTokens: weixinUserTokens,
} as const satisfies Partial<Platform>;

function miniProgramKindFault(kind: CredentialKind): string | undefined {
  return kind === 'ticket' || kind === 'card-ticket'
    ? 'a mini program has no tickets: they sign web pages and cards, so they belong to an official account (weixin-h5), or are pushed in for a website app (weixin-web) or a mobile app (weixin-app)'
    : undefined;
}

export const weixinMp: Platform = {
  ...account,
  id: 'weixin-mp',
  title: '微信小程序 (mini program)',
  plan: miniProgramPlan,
  kindFault: miniProgramKindFault,
  sessions: weixinSessions,
};

export const weixinH5: Platform = {
  ...account,
  id: 'weixin-h5',
  title: '微信公众号 (official account)',
  plan: officialAccountPlan,
  kindFault: () => undefined,
  userTokens: weixinUserTokens,
};

export const weixinWeb: Platform = { ...openApp, id: 'weixin-web', title: '微信网站应用 (website app)' };

export const weixinApp: Platform = { ...openApp, id: 'weixin-app', title: '微信移动应用 (mobile app)' };
