/**
 * Settings whose names are fixed but which do nothing yet. Taking them in silence would let an operator
 * believe in a protection that is not there, so each is a fault of its own instead of an unknown key.
 */
export const LATER_SETTINGS: ReadonlySet<string> = new Set([
  'ipWhiteList',
  's2s',
  'uniOpenBridge',
  'uniConfigCenter',
  'storage.redis',
  'storage.redisFormat',
  'listen.ingress',
  'upstream.qq',
]);

/** Platforms whose names are fixed but which no descriptor serves yet. */
export const LATER_PLATFORMS: ReadonlySet<string> = new Set(['weixin-web', 'weixin-app', 'qq-mp', 'qq-app']);

/** The fault of a setting or a value of the tables above. */
export const LATER_MESSAGE = 'not available in this version';
