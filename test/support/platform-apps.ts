/** The DCloud appid of every app of these tests. */
export const DCLOUD = '__UNI__SHOP01';

/** One account and one app of every platform. */
export const APPS = [
  { name: 'shop', platform: 'weixin-mp', type: 'mp', appid: 'wx00000000000000a1' },
  { name: 'news', platform: 'weixin-h5', type: 'oa', appid: 'wx00000000000000b2' },
  { name: 'site', platform: 'weixin-web', type: 'web', appid: 'wx00000000000000c3' },
  { name: 'phone', platform: 'weixin-app', type: 'app', appid: 'wx00000000000000d4' },
  { name: 'qshop', platform: 'qq-mp', type: 'qq-mp', appid: '1110000005' },
  { name: 'qphone', platform: 'qq-app', type: 'qq-app', appid: '1110000006' },
] as const;
