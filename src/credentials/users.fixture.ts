import { appOf, createWorld, type Node, type World } from '../../test/support/world.ts';
import { Secret } from '../base/secret.ts';
import type { App, CredentialKind, PlatformId } from '../platforms/platform.ts';
import type { AccountOptions } from '../simulator/index.ts';
import type { CredentialRef } from './credentials.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const TYPES = {
  'weixin-mp': 'mp',
  'weixin-h5': 'oa',
  'weixin-web': 'web',
  'weixin-app': 'app',
  'qq-mp': 'qq-mp',
  'qq-app': 'qq-app',
} as const satisfies Readonly<Record<PlatformId, AccountOptions['type']>>;

/** One app a platform, as it is configured here and known to the simulator. */
export const APPS = Object.fromEntries(
  (Object.keys(TYPES) as PlatformId[]).map((platform, at) => {
    const appid = platform.startsWith('qq') ? `110000000${at}` : `wx00000000000000c${at}`;
    const secret = new Secret(`canary-secret-of-${platform}`);
    return [platform, appOf(appid, { name: platform, platform, secret, dcloudAppid: '__UNI__CANARY' })];
  }),
) as Readonly<Record<PlatformId, App>>;

const ACCOUNTS: readonly AccountOptions[] = Object.values(APPS).map(({ appid, platform, secret }) => ({
  appid,
  secret: secret?.reveal() ?? '',
  type: TYPES[platform],
}));

/** A world with an account on every platform, and one node. */
export async function userWorld(): Promise<World & { readonly first: Node }> {
  const world = await createWorld(ACCOUNTS);
  return { ...world, first: await world.node() };
}

/** Names a user's credential of one of the apps. */
export function userRef(app: App, kind: CredentialKind, openid: string, version?: number): CredentialRef {
  return { app, kind, openid, version };
}

/** How often a node asked the platform for a path. */
export function asked(node: Node, path: string): number {
  return node.sent.filter(request => request.path === path).length;
}
