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
  all(): readonly App[];
  /** Takes a new list over the old one, as after a reload. */
  replace(apps: readonly App[]): void;
}

/** Makes a directory of apps. Names and appids are taken to be unique; the configuration checks that. */
export function createAppDirectory(initial: readonly App[]): AppDirectory {
  let apps: readonly App[] = [];
  let byName = new Map<string, App>();
  let byAppid = new Map<string, App>();
  let fallback: App | undefined;

  const replace = (next: readonly App[]): void => {
    apps = next;
    byName = new Map(next.map(app => [app.name, app]));
    byAppid = new Map(next.map(app => [app.appid, app]));
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
    all: () => apps,
    replace,
  };
}
