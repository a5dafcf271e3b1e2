import { type ConfigPath, pathText } from '../faults.ts';
import { ANY_DCLOUD_APPID, nameFault } from '../fields.ts';
import type { UniConfigCenter } from './center.ts';
import { asObject, located, type Origin, within } from './files.ts';
import type { CenterApp } from './uni-id.ts';

/** A configuration file over a uni-config-center folder. */
export interface Merged {
  /** In the shape of our own file, unchecked. */
  readonly value: unknown;
  /** Where a setting that came from the folder stands; undefined for one of our own file. */
  originOf(path: ConfigPath): Origin | undefined;
  /**
   * Apps from this index on are renewed only when the schedule says so: they came from a folder that has
   * one, and uniCloud leaves the others alone.
   */
  readonly scheduledOnlyFrom: number;
}

type Item = Readonly<Record<string, unknown>>;

/**
 * Puts what a uni-config-center folder says under our own file, whose entries win: an app by its appid
 * (what our entry leaves open is filled in) or by its place as the app of a dcloudAppid on a platform, the
 * schedule by dcloudAppid, ipWhiteList and s2s whole. `own` is our file as a plain value, unchecked.
 * Contradictions are added to the faults of `center`, what is left out to its warnings.
 */
export function mergeCenter(own: unknown, center: UniConfigCenter): Merged {
  const file = asObject(own);
  if (file === undefined) return { value: own, originOf: () => undefined, scheduledOnlyFrom: 0 };
  const origins = new Map<string, Origin>();
  const set = (path: ConfigPath, origin: Origin): void => void origins.set(pathText(path), origin);
  const merged: Record<string, unknown> = { ...file };

  const written = 'apps' in file ? file['apps'] : [];
  const apps = Array.isArray(written) ? (written as unknown[]).map(each => asObject(each) ?? each) : [];
  const ownCount = apps.length;
  if (Array.isArray(written)) {
    for (const app of center.apps) placeApp(app, apps, ownCount, center, set);
    nameApps(apps, ownCount, center.apps);
    merged['apps'] = apps;
  }

  const { schedule, ipWhiteList, s2s } = center;
  if (schedule !== undefined) {
    const entries: [string, unknown][] = [];
    const ownSchedule = asObject('schedule' in file ? file['schedule'] : {});
    for (const { dcloudAppid, entry, origin, platformOrigins } of schedule) {
      if (ownSchedule === undefined || Object.hasOwn(ownSchedule, dcloudAppid)) continue;
      entries.push([dcloudAppid, entry]);
      set(['schedule', dcloudAppid], origin);
      for (const [platform, place] of platformOrigins) set(['schedule', dcloudAppid, platform], place);
    }
    if (ownSchedule !== undefined) {
      merged['schedule'] = { ...Object.fromEntries(entries), ...ownSchedule };
    }
  }
  if (ipWhiteList !== undefined && !('ipWhiteList' in file)) {
    merged['ipWhiteList'] = ipWhiteList.map(({ rule }) => rule);
    ipWhiteList.forEach(({ origin }, index) => {
      set(['ipWhiteList', index], origin);
    });
  }
  if (s2s !== undefined && !('s2s' in file)) {
    merged['s2s'] = s2s.value;
    set(['s2s'], { file: s2s.file, path: [] });
  }

  return {
    value: merged,
    originOf(path) {
      for (let length = path.length; length > 0; length -= 1) {
        const origin = origins.get(pathText(path.slice(0, length)));
        if (origin !== undefined) return within(origin, ...path.slice(length));
      }
      return undefined;
    },
    scheduledOnlyFrom: schedule === undefined ? Number.POSITIVE_INFINITY : ownCount,
  };
}

type SetOrigin = (path: ConfigPath, origin: Origin) => void;

/** Fills in our own entry of an app, adds the app, or leaves it out. */
function placeApp(
  app: CenterApp,
  apps: unknown[],
  ownCount: number,
  center: UniConfigCenter,
  set: SetOrigin,
): void {
  const ownApps = apps.slice(0, ownCount).map(each => asObject(each) ?? {});
  const index = ownApps.findIndex(({ appid }) => appid === app.appid);
  const ours = ownApps[index];
  const rivals = ownApps.filter(each => each !== ours && each['platform'] === app.platform);
  const taken = new Set(rivals.flatMap(dcloudAppidsIn));
  const free = app.dcloudAppids.filter(id => !taken.has(id));
  if (ours !== undefined) {
    apps[index] = filledIn(ours, { ...app, dcloudAppids: free }, ['apps', index], center, set);
    return;
  }
  const named = (ids: readonly string[]): number => ids.filter(id => id !== ANY_DCLOUD_APPID).length;
  if (free.length === 0 || (named(free) === 0 && named(app.dcloudAppids) > 0)) {
    const whose = app.dcloudAppids.filter(id => id !== ANY_DCLOUD_APPID).join(', ') || 'any dcloudAppid';
    const message = `left out: open-bridge's own configuration has another ${app.platform} for ${whose}, and it wins`;
    center.warnings.push(located(app.origin, message));
    return;
  }
  const path = ['apps', apps.length];
  set(path, app.origin);
  set([...path, 'secret'], within(app.origin, 'appsecret'));
  apps.push({ platform: app.platform, appid: app.appid, secret: app.secret, dcloudAppid: free });
}

/** Our own entry, with secret and DCloud appids from the folder where it has none. */
function filledIn(
  ours: Item,
  app: CenterApp,
  path: ConfigPath,
  center: UniConfigCenter,
  set: SetOrigin,
): Item {
  const filled: Record<string, unknown> = { ...ours };
  if ('platform' in ours && ours['platform'] !== app.platform) {
    const message = `the same appid as ${pathText(path)} of open-bridge's own configuration, but another platform: ${app.platform}`;
    center.faults.push(located(within(app.origin, 'appid'), message));
    return ours;
  }
  if (typeof ours['secret'] === 'string' && ours['secret'] !== app.secret) {
    const message = `another secret than ${pathText([...path, 'secret'])} of open-bridge's own configuration, for the same appid`;
    center.faults.push(located(within(app.origin, 'appsecret'), message));
  }
  if (!('secret' in ours) && ours['managed'] !== false) {
    filled['secret'] = app.secret;
    set([...path, 'secret'], within(app.origin, 'appsecret'));
  }
  // One that names its DCloud appids is nobody else's, except for those that the folder names too.
  const others = app.dcloudAppids.filter(id => id !== ANY_DCLOUD_APPID);
  if ('dcloudAppid' in ours) filled['dcloudAppid'] = [...new Set([...dcloudAppidsIn(ours), ...others])];
  else if (app.dcloudAppids.length > 0) filled['dcloudAppid'] = app.dcloudAppids;
  return filled;
}

/** Gives the added apps short names that nothing else is called by, and that stay the same when others come. */
function nameApps(apps: unknown[], ownCount: number, center: readonly CenterApp[]): void {
  const taken = new Set(
    apps.flatMap(each => {
      const { name, appid } = asObject(each) ?? {};
      return [name, appid];
    }),
  );
  const prefixes = new Map(center.map(({ appid, prefix }) => [appid, prefix]));
  for (let index = ownCount; index < apps.length; index += 1) {
    const { platform, appid, ...rest } = asObject(apps[index]) ?? {};
    const prefix = (prefixes.get(String(appid)) ?? '').replace(/^__UNI__/, '');
    const [short = '', long = ''] = [
      prefix === '' ? `${platform}` : `${prefix}-${platform}`,
      `${platform}-${appid}`,
    ].map(each => each.replaceAll(/[^A-Za-z0-9._-]/g, '-'));
    const name = taken.has(short) || nameFault(short) !== undefined ? long.slice(0, 64) : short;
    taken.add(name);
    apps[index] = { name, platform, appid, ...rest };
  }
}

function dcloudAppidsIn({ dcloudAppid }: Item): readonly string[] {
  if (typeof dcloudAppid === 'string') return [dcloudAppid];
  if (!Array.isArray(dcloudAppid)) return [ANY_DCLOUD_APPID];
  return dcloudAppid.filter((id: unknown) => typeof id === 'string');
}
