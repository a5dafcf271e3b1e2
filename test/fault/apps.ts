import type { AccountOptions } from '../../src/simulator/index.ts';

/** An app of the run. */
export interface FaultApp {
  readonly name: string;
  readonly appid: string;
  readonly secret: string;
  readonly dcloudAppid: string;
  /** Where its tokens come from: the stable endpoint repeats a token, the classic one mints at every call. */
  readonly endpoint: 'stable' | 'classic';
  readonly tokenPath: string;
}

function app(name: string, endpoint: FaultApp['endpoint'], number: number): FaultApp {
  return {
    name,
    appid: `wx${String(number).padStart(16, '0')}`,
    secret: `canary-secret-${name}-0123456789abcdef`,
    dcloudAppid: `__UNI__${name.toUpperCase().replace('-', '')}`,
    endpoint,
    tokenPath: endpoint === 'stable' ? '/cgi-bin/stable_token' : '/cgi-bin/token',
  };
}

/** Two of each endpoint, so that trouble with one can be told from trouble with all. */
export const APPS: readonly FaultApp[] = [
  app('stable-one', 'stable', 1),
  app('stable-two', 'stable', 2),
  app('classic-one', 'classic', 3),
  app('classic-two', 'classic', 4),
];

/**
 * The accounts behind the apps. The overlap lasts to the end of the former token, as with WeChat's real
 * figures: both the renewal window and the overlap are 300 s there.
 */
export function accountsOf(apps: readonly FaultApp[], lifeSeconds: number): AccountOptions[] {
  return apps.map(({ appid, secret }) => ({
    appid,
    secret,
    type: 'mp',
    tokenLifeSeconds: lifeSeconds,
    overlapSeconds: lifeSeconds / 2,
  }));
}

/** The apps as the configuration of a bridge has them. */
export function configuredApps(apps: readonly FaultApp[]): object[] {
  return apps.map(({ name, appid, secret, dcloudAppid, endpoint }, number) => ({
    ...{ name, platform: 'weixin-mp', appid, secret, dcloudAppid },
    tokenEndpoint: endpoint,
    default: number === 0,
  }));
}
