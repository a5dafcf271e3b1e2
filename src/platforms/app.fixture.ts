import { Secret } from '../base/secret.ts';
import type { App } from './platform.ts';

/** An app with a secret, of the platform that a test is about. */
export function appOf(changes: Partial<App> = {}): App {
  return {
    name: 'shop',
    platform: 'weixin-mp',
    appid: 'wx01',
    secret: new Secret('the-secret'),
    managed: true,
    dcloudAppid: undefined,
    default: false,
    tokenMode: 'stable',
    renews: [],
    ...changes,
  };
}
