import type { BudgetRule, PathCredential } from './platform.ts';

/**
 * Paths of api.weixin.qq.com that take no app token: they prove themselves by secret, code, refresh
 * token or user token. `/sns/*` is token-less as a whole apart from the component calls below.
 */
const WITHOUT_TOKEN: ReadonlySet<string> = new Set([
  '/cgi-bin/token',
  '/cgi-bin/stable_token',
  '/cgi-bin/clear_quota/v2',
  '/cgi-bin/component/api_start_push_ticket',
  '/cgi-bin/component/api_component_token',
  '/cgi-bin/component/clear_quota/v2',
]);

/** Paths that want the third-party platform's own `component_access_token`. */
const COMPONENT: ReadonlySet<string> = new Set([
  '/sns/component/jscode2session',
  '/sns/oauth2/component/access_token',
  '/sns/oauth2/component/refresh_token',
  '/wxa/gettemplatedraftlist',
  '/wxa/gettemplatelist',
  '/wxa/addtotemplate',
  '/wxa/deletetemplate',
]);

/** Which credential a path wants; everything not known otherwise wants the app's access_token. */
export function weixinPathCredential(path: string): PathCredential {
  if (WITHOUT_TOKEN.has(path)) return 'none';
  if (COMPONENT.has(path) || path.startsWith('/cgi-bin/component/')) return 'component';
  return path.startsWith('/sns/') ? 'none' : 'app';
}

const CLEAR_QUOTA: BudgetRule = { name: 'clear-quota', limit: 10, reserve: 2, window: 'month' };

/** clear_quota works ten times a month for an account, over the API and the console together. */
export const weixinPathBudgets: Readonly<Record<string, BudgetRule>> = {
  '/cgi-bin/clear_quota': CLEAR_QUOTA,
};
