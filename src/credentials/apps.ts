import { BridgeError } from '../base/errors.ts';
import type { App } from '../platforms/platform.ts';

/** The configured apps of one environment, found by name or appid. Replaced whole on reload. */
export interface AppDirectory {
  /** The app with this configured name or, failing that, this appid. */
  find(nameOrAppid: string): App | undefined;
  /** As `find`; throws BridgeError APP_UNKNOWN naming what is configured. */
  require(nameOrAppid: string): App;
  /** The app calls act as when they name none: the one marked default, or the only one. */
  defaultApp(): App | undefined;
  /**
   * The app that a DCloud appid means on a platform. An app configured without a dcloudAppid (or with `*`
   * beside it) serves every one of its platform that no other app names; undefined when there is none, or
   * more than one such app.
   */
  findByDcloudAppid(dcloudAppid: string, platform: string): App | undefined;
  all(): readonly App[];
  /** Takes a new list over the old one, as after a reload. */
  replace(apps: readonly App[]): void;
}

/** Makes a directory of apps. Names and appids are taken to be unique; the configuration checks that. */
export function createAppDirectory(initial: readonly App[]): AppDirectory {
  let apps: readonly App[] = [];
  let byName = new Map<string, App>();
  let byAppid = new Map<string, App>();
  let byDcloudAppid = new Map<string, App>();
  let withoutDcloudAppid = new Map<string, App[]>();
  let fallback: App | undefined;

  const replace = (next: readonly App[]): void => {
    apps = next;
    byName = new Map(next.map(app => [app.name, app]));
    byAppid = new Map(next.map(app => [app.appid, app]));
    byDcloudAppid = new Map(
      next.flatMap(app =>
        dcloudAppidsOf(app).map((dcloudAppid): [string, App] => [`${app.platform}:${dcloudAppid}`, app]),
      ),
    );
    withoutDcloudAppid = Map.groupBy(
      next.filter(app => app.dcloudAppid === undefined || app.dcloudAliases?.includes('*')),
      app => app.platform,
    );
    fallback = next.find(app => app.default) ?? (next.length === 1 ? next[0] : undefined);
  };
  replace(initial);

  const find = (nameOrAppid: string): App | undefined => byName.get(nameOrAppid) ?? byAppid.get(nameOrAppid);
  return {
    find,
    require(nameOrAppid) {
      const app = find(nameOrAppid);
      if (app !== undefined) return app;
      throw new BridgeError('APP_UNKNOWN', `no app named ${JSON.stringify(nameOrAppid)} is configured`, {
        hint: `configured apps: ${apps.map(each => `${each.name} (${each.appid})`).join(', ') || 'none'}; add it under "apps" in the configuration file`,
      });
    },
    defaultApp: () => fallback,
    findByDcloudAppid(dcloudAppid, platform) {
      const named = byDcloudAppid.get(`${platform}:${dcloudAppid}`);
      if (named !== undefined) return named;
      const unnamed = withoutDcloudAppid.get(platform);
      return unnamed?.length === 1 ? unnamed[0] : undefined;
    },
    all: () => apps,
    replace,
  };
}

/** The DCloud appids an app is named by. */
function dcloudAppidsOf({ dcloudAppid, dcloudAliases = [] }: App): readonly string[] {
  const named = dcloudAliases.filter(alias => alias !== '*');
  return dcloudAppid === undefined ? named : [dcloudAppid, ...named];
}
