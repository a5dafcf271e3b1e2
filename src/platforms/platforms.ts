import type { Platform, PlatformId } from './platform.ts';
import { weixinErrorRule } from './weixin-errors.ts';
import { weixinPathBudgets, weixinPathCredential } from './weixin-paths.ts';
import { miniProgramPlan, officialAccountPlan } from './weixin-plans.ts';

/** What mini programs and official accounts have in common: one host, one error table, one place for the token. */
const weixin = {
  upstream: 'weixin',
  hosts: ['api.weixin.qq.com'],
  consoleUrl: 'https://mp.weixin.qq.com',
  errorRule: weixinErrorRule,
  pathCredential: weixinPathCredential,
  tokenParameter: 'access_token',
  callerTokenParameters: ['access_token', 'cloudbase_access_token', 'component_access_token'],
  tokenPaths: { '/cgi-bin/token': 'classic', '/cgi-bin/stable_token': 'stable' },
  ticketPath: { path: '/cgi-bin/ticket/getticket', kinds: { jsapi: 'ticket', wx_card: 'card-ticket' } },
  callRecordPath: '/cgi-bin/openapi/rid/get',
  pathBudgets: weixinPathBudgets,
} as const satisfies Partial<Platform>;

const weixinMp: Platform = {
  ...weixin,
  id: 'weixin-mp',
  title: '微信小程序 (mini program)',
  plan: miniProgramPlan,
};
const weixinH5: Platform = {
  ...weixin,
  id: 'weixin-h5',
  title: '微信公众号 (official account)',
  plan: officialAccountPlan,
};

/** Every platform this version knows, by its mark. */
export const PLATFORMS: ReadonlyMap<PlatformId, Platform> = new Map(
  [weixinMp, weixinH5].map(platform => [platform.id, platform]),
);

/** The descriptor of a platform. A mark without one is a programmer's mistake, as the configuration checks marks. */
export function platformOf(id: PlatformId): Platform {
  const platform = PLATFORMS.get(id);
  if (platform === undefined) throw new TypeError(`no platform descriptor for ${id}`);
  return platform;
}
