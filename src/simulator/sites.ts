import type { AccountType } from './account-types.ts';

/** A host of the simulated platforms: api.weixin.qq.com, api.q.qq.com or graph.qq.com. */
export type Site = 'weixin' | 'qq' | 'qq-connect';

const SITE_OF_HOST: ReadonlyMap<string, Site> = new Map([
  ['api.weixin.qq.com', 'weixin'],
  // The same service at other places, page "API domains".
  ['api2.weixin.qq.com', 'weixin'],
  ['sh.api.weixin.qq.com', 'weixin'],
  ['sz.api.weixin.qq.com', 'weixin'],
  ['hk.api.weixin.qq.com', 'weixin'],
  ['api.q.qq.com', 'qq'],
  ['graph.qq.com', 'qq-connect'],
]);

const SITE_OF_TYPE: Readonly<Record<AccountType, Site>> = {
  mp: 'weixin',
  oa: 'weixin',
  web: 'weixin',
  app: 'weixin',
  'qq-mp': 'qq',
  'qq-app': 'qq-connect',
};

/** The site that a host name means; undefined for any other name, such as 127.0.0.1. */
export function siteOfHost(host: string): Site | undefined {
  return SITE_OF_HOST.get(host);
}

/** The site on which accounts of a type live; on the others their appid is unknown. */
export function siteOfType(type: AccountType): Site {
  return SITE_OF_TYPE[type];
}
