import type { Platform, PlatformId } from './platform.ts';
import { qqApp, qqMp } from './qq.ts';
import { weixinApp, weixinH5, weixinMp, weixinWeb } from './weixin.ts';

/** Every platform, by its mark. Of several with one host, the first is meant by a call that names no app. */
export const PLATFORMS: ReadonlyMap<PlatformId, Platform> = new Map(
  [weixinMp, weixinH5, weixinWeb, weixinApp, qqMp, qqApp].map(platform => [platform.id, platform]),
);

/** The descriptor of a platform. A mark without one is a programmer's mistake, as the configuration checks marks. */
export function platformOf(id: PlatformId): Platform {
  const platform = PLATFORMS.get(id);
  if (platform === undefined) throw new TypeError(`no platform descriptor for ${id}`);
  return platform;
}
