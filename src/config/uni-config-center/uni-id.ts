import type { PlatformId } from '../../platforms/platform.ts';
import { ANY_DCLOUD_APPID } from '../fields.ts';
import {
  asObject,
  type CenterFile,
  type Findings,
  located,
  type Origin,
  originText,
  within,
} from './files.ts';

/** Where uni-open-bridge-common looks for appid and appsecret, in this order: the first place that is there counts. */
const PROVIDER_PATHS: Readonly<Record<PlatformId, readonly (readonly string[])[]>> = {
  'weixin-mp': [['mp-weixin', 'oauth', 'weixin']],
  'weixin-h5': [
    ['web', 'oauth', 'weixin-h5'],
    ['h5-weixin', 'oauth', 'weixin'],
    ['h5', 'oauth', 'weixin'],
  ],
  'weixin-web': [['web', 'oauth', 'weixin-web']],
  'weixin-app': [
    ['app', 'oauth', 'weixin'],
    ['app-plus', 'oauth', 'weixin'],
  ],
  'qq-mp': [['mp-qq', 'oauth', 'qq']],
  'qq-app': [
    ['app', 'oauth', 'qq'],
    ['app-plus', 'oauth', 'qq'],
  ],
};

/** Logins in the same file that uni-id has and uni-open-bridge knows nothing of. */
const OTHER_PROVIDERS = [
  ['mp-alipay', 'oauth', 'alipay'],
  ['app', 'oauth', 'apple'],
  ['app-plus', 'oauth', 'apple'],
];

/** An app found in uni-id's configuration. */
export interface CenterApp {
  readonly platform: PlatformId;
  readonly appid: string;
  readonly secret: string;
  /** DCloud appids it goes by, in the order of the file; `*` for every other one. */
  readonly dcloudAppids: readonly string[];
  /** Begins the names of the apps of one entry; empty when the file has a single entry. */
  readonly prefix: string;
  /** The object that holds appid and appsecret. */
  readonly origin: Origin;
}

interface Entry {
  readonly dcloudAppids: readonly string[];
  readonly prefix: string;
  readonly origin: Origin;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * Takes the apps from `uni-id/config.json`. A single object counts for any DCloud appid, as in uniCloud.
 * Of several, each counts for its own, and the one with `isDefaultConfig` for all others too, which is how
 * uni-id reads it. An appid that several DCloud appids share becomes one app.
 */
export function appsOfUniId(file: CenterFile, findings: Findings): readonly CenterApp[] {
  const found = entriesOf(file, findings).flatMap(entry => {
    for (const path of OTHER_PROVIDERS) {
      if (valueAt(entry.value, path) === undefined) continue;
      findings.notes.push(located(within(entry.origin, ...path), 'not a platform of open-bridge'));
    }
    return Object.entries(PROVIDER_PATHS).flatMap(([platform, paths]) =>
      appOf(entry, platform as PlatformId, paths, findings),
    );
  });
  return joined(found, findings);
}

function entriesOf(file: CenterFile, findings: Findings): readonly Entry[] {
  const root: Origin = { file, path: [] };
  const single = asObject(file.value);
  if (single !== undefined) {
    const named = nonEmpty(single['dcloudAppid']);
    const dcloudAppids = named === undefined ? [ANY_DCLOUD_APPID] : [named, ANY_DCLOUD_APPID];
    return [{ dcloudAppids, prefix: '', origin: root, value: single }];
  }
  if (!Array.isArray(file.value)) {
    findings.faults.push(located(root, 'must be an object or an array of objects'));
    return [];
  }
  const first = new Map<string, Origin>();
  return file.value.flatMap((each: unknown, index): Entry | readonly [] => {
    const origin = within(root, index);
    const value = asObject(each);
    if (value === undefined) {
      findings.faults.push(located(origin, 'must be an object'));
      return [];
    }
    const isDefault = value['isDefaultConfig'] === true;
    const named = nonEmpty(value['dcloudAppid']);
    const other = first.get(named ?? (isDefault ? ANY_DCLOUD_APPID : ''));
    if (named === undefined && !isDefault) {
      findings.warnings.push(located(origin, 'left out: has no dcloudAppid, so nothing can find it'));
      return [];
    }
    if (other !== undefined) {
      const message = `left out: the same dcloudAppid as ${originText(other)}, which comes first`;
      findings.warnings.push(located(within(origin, 'dcloudAppid'), message));
      return [];
    }
    const dcloudAppids = named === undefined ? [] : [named];
    if (isDefault && !first.has(ANY_DCLOUD_APPID)) dcloudAppids.push(ANY_DCLOUD_APPID);
    for (const dcloudAppid of dcloudAppids) first.set(dcloudAppid, origin);
    return { dcloudAppids, prefix: named ?? 'default', origin, value };
  });
}

function appOf(
  entry: Entry,
  platform: PlatformId,
  paths: readonly (readonly string[])[],
  findings: Findings,
): readonly CenterApp[] {
  const path = paths.find(each => valueAt(entry.value, each) !== undefined);
  if (path === undefined) return [];
  const origin = within(entry.origin, ...path);
  const leaf = asObject(valueAt(entry.value, path));
  const appid = nonEmpty(leaf?.['appid']);
  const secret = nonEmpty(leaf?.['appsecret']);
  if (appid !== undefined && secret !== undefined) {
    return [{ platform, appid, secret, dcloudAppids: entry.dcloudAppids, prefix: entry.prefix, origin }];
  }
  const lacking = [appid === undefined && 'appid', secret === undefined && 'appsecret'].filter(Boolean);
  const shadowed = paths.filter(each => each !== path && valueAt(entry.value, each) !== undefined);
  const places = shadowed.map(each => originText(within(entry.origin, ...each))).join(' and ');
  findings.warnings.push(
    located(
      origin,
      `no ${platform} is taken from here: ${lacking.join(' and ')} must not be empty${
        places === '' ? '' : `. This place comes first, so ${places} does not count, as in uniCloud`
      }`,
    ),
  );
  return [];
}

/** One app for each appid, however many DCloud appids it has. */
function joined(found: readonly CenterApp[], findings: Findings): readonly CenterApp[] {
  const byAppid = new Map<string, CenterApp>();
  for (const app of found) {
    const other = byAppid.get(app.appid);
    if (other === undefined) {
      byAppid.set(app.appid, app);
    } else if (other.platform !== app.platform) {
      const message = `the same appid as ${originText(other.origin)}, which is ${other.platform} and not ${app.platform}`;
      findings.faults.push(located(within(app.origin, 'appid'), message));
    } else if (other.secret !== app.secret) {
      const message = `another secret than ${originText(other.origin)}, which has the same appid`;
      findings.faults.push(located(within(app.origin, 'appsecret'), message));
    } else {
      const dcloudAppids = [...new Set([...other.dcloudAppids, ...app.dcloudAppids])];
      byAppid.set(app.appid, { ...other, dcloudAppids });
    }
  }
  return [...byAppid.values()];
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((within, name) => asObject(within)?.[name] ?? undefined, value);
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
