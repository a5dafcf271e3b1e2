import { BridgeError } from '../base/errors.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { CredentialRef } from '../credentials/credentials.ts';
import type { App, PlatformId } from '../platforms/platform.ts';
import type { CheckedKey } from './key.ts';
import type { Operation } from './operation.ts';

/** What a configuration writes among the DCloud appids of such an app. */
const ANY_DCLOUD_APPID = '*';

/**
 * Where the ticket is that a key of another platform means: a mini program has none, and what
 * uni-open-bridge answers for one is the ticket of the official account of the same DCloud appid.
 */
const TICKET_KEPT_BY: Partial<Readonly<Record<PlatformId, PlatformId>>> = { 'weixin-mp': 'weixin-h5' };

/**
 * The credential that an operation is about. Throws APP_UNKNOWN naming those of the configured apps that
 * `visible` lets be named, and REQUEST_MALFORMED when the parts of the key speak of different apps.
 */
export function resolve(
  apps: AppDirectory,
  { kind, key }: Pick<Operation, 'kind' | 'key'>,
  visible: (app: App) => boolean = () => true,
): CredentialRef {
  const { openid, version } = key;
  const app =
    key.appid === undefined ? byDcloudAppid(apps, key, visible) : byAppid(apps, key, key.appid, visible);
  const keeper = kind === 'ticket' ? ticketKeeper(apps, app, key) : app;
  return {
    app: keeper,
    kind,
    ...(openid !== undefined && { openid }),
    ...(version !== undefined && { version }),
  };
}

function byDcloudAppid(apps: AppDirectory, key: CheckedKey, visible: (app: App) => boolean): App {
  const { dcloudAppid = '', platform = '' } = key;
  const app = apps.findByDcloudAppid(dcloudAppid, platform);
  if (app !== undefined) return app;
  const unnamed = apps.all().filter(each => each.platform === platform && servesAny(each));
  if (unnamed.length > 1) {
    throw new BridgeError(
      'APP_UNKNOWN',
      `${unnamed.length} apps of ${platform} have no dcloudAppid, so nothing says which of them ${JSON.stringify(dcloudAppid)} means`,
      { hint: 'give each its dcloudAppid under "apps" in the configuration, or name the app by its appid' },
    );
  }
  throw new BridgeError(
    'APP_UNKNOWN',
    `no app of ${platform} has the dcloudAppid ${JSON.stringify(dcloudAppid)}`,
    {
      hint: `${configured(apps, visible)}; set dcloudAppid on one of "apps" in the configuration, or add one`,
    },
  );
}

function byAppid(
  apps: AppDirectory,
  { dcloudAppid, platform }: CheckedKey,
  appid: string,
  visible: (app: App) => boolean,
): App {
  const app = apps.find(appid);
  if (app === undefined) {
    throw new BridgeError('APP_UNKNOWN', `no app has the appid ${JSON.stringify(appid)}`, {
      hint: `${configured(apps, visible)}; add it under "apps" in the configuration`,
    });
  }
  const differs = (part: string, here: string, there: string): BridgeError =>
    new BridgeError(
      'REQUEST_MALFORMED',
      `the key names ${appid} and the ${part} ${here}, but that app has ${there}`,
      {
        hint: 'name the app by its appid alone, or by dcloudAppid and platform',
      },
    );
  if (platform !== undefined && platform !== app.platform) throw differs('platform', platform, app.platform);
  if (dcloudAppid === undefined) return app;
  const meant = apps.findByDcloudAppid(dcloudAppid, app.platform);
  if (meant === undefined ? !servesAny(app) : meant !== app)
    throw differs('dcloudAppid', dcloudAppid, app.dcloudAppid ?? 'none');
  return app;
}

/** The app whose ticket it is; the app itself where that is nobody else's. */
function ticketKeeper(apps: AppDirectory, app: App, key: CheckedKey): App {
  const platform = TICKET_KEPT_BY[app.platform];
  const dcloudAppid = key.dcloudAppid ?? app.dcloudAppid;
  if (platform === undefined || dcloudAppid === undefined) return app;
  return apps.findByDcloudAppid(dcloudAppid, platform) ?? app;
}

/** Whether an app stands in for every DCloud appid that no other app of its platform names. */
function servesAny({ dcloudAppid, dcloudAliases }: App): boolean {
  return dcloudAppid === undefined || dcloudAliases?.includes(ANY_DCLOUD_APPID) === true;
}

function configured(apps: AppDirectory, visible: (app: App) => boolean): string {
  const list = apps
    .all()
    .filter(visible)
    .map(app => {
      const ids = [app.dcloudAppid, ...(app.dcloudAliases ?? [])].filter(
        id => id !== undefined && id !== ANY_DCLOUD_APPID,
      );
      if (servesAny(app)) ids.push('any dcloudAppid');
      return `${ids.join(' or ')} on ${app.platform} (${app.appid})`;
    });
  return `configured: ${list.join(', ') || 'none'}`;
}
