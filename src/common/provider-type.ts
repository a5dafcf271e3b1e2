import type { PlatformId } from '../platforms/platform.ts';

/** Platform marks under the names that uni-open-bridge-common gives them. */
export const ProviderType = {
  WEIXIN_MP: 'weixin-mp',
  WEIXIN_H5: 'weixin-h5',
  WEIXIN_APP: 'weixin-app',
  WEIXIN_WEB: 'weixin-web',
  QQ_MP: 'qq-mp',
  QQ_APP: 'qq-app',
} as const satisfies Readonly<Record<string, PlatformId>>;

/** One platform mark, such as `weixin-mp`. */
export type ProviderType = (typeof ProviderType)[keyof typeof ProviderType];

/** The older name of `ProviderType`. */
export const PlatformType = ProviderType;

/** The older name of `ProviderType`. */
export type PlatformType = ProviderType;

/** Every platform mark. */
export const PLATFORM_MARKS: readonly ProviderType[] = Object.values(ProviderType);
