import { dirname, join, resolve } from 'node:path';
import type { CallerConfig } from '../access/callers.ts';
import { hashCallerKey } from '../access/callers.ts';
import type { S2sSettings } from '../access/s2s.ts';
import { Secret } from '../base/secret.ts';
import type { FollowSettings } from '../gateway/settings.ts';
import type { App, CredentialKind } from '../platforms/platform.ts';
import { type Database, serverKind } from '../stores/database.ts';
import { ANY_DCLOUD_APPID, dcloudAppidsOf, parseListen } from './fields.ts';
import { buildRedis } from './redis.ts';
import { renewedKinds } from './schedule.ts';
import type { ConfigFile } from './schema.ts';
import type { ListenAddress, Settings, StorageSettings } from './settings.ts';

type AppEntry = ConfigFile['apps'][number];

/**
 * Makes the Settings from a file that passed all checks. `folder` is where relative paths start. Apps from
 * the index `scheduledOnlyFrom` on are renewed only when the schedule says so. `sealKeys` are those of
 * `storage.sealKey`, read from wherever they are.
 */
export function buildSettings(
  file: ConfigFile,
  folder: string,
  scheduledOnlyFrom: number,
  sealKeys: readonly string[],
): Settings {
  const { weixin, qq, qqConnect } = file.upstream;
  const upstream = { weixin: originOf(weixin), qq: originOf(qq), qqConnect: originOf(qqConnect) };
  const follow = file.follow && buildFollow(file.follow);
  const storage = buildStorage(file.storage, folder, sealKeys);
  const { certificateFile, ...limits } = file.gateway;
  return {
    apps: file.apps.map((entry, index) => {
      const app = buildApp(entry, file.schedule, index < scheduledOnlyFrom ? ['access-token'] : []);
      return follow === undefined ? app : { ...app, renews: [] };
    }),
    follow,
    openapi: file.openapi,
    callers: file.callers.map(buildCaller),
    ipWhiteList: file.ipWhiteList,
    s2s: file.s2s && buildS2s(file.s2s),
    uniOpenBridge: file.uniOpenBridge,
    storage,
    listen: {
      control: listenAddress(file.listen.control),
      gateway: file.listen.gateway === null ? undefined : listenAddress(file.listen.gateway),
      gatewayTls: file.listen.gatewayTls === null ? undefined : listenAddress(file.listen.gatewayTls),
    },
    upstream,
    gateway: { ...limits, upstream, follow },
    certificateFile:
      certificateFile === undefined
        ? join(databaseFolder(storage, folder), 'gateway-ca.crt')
        : resolve(folder, certificateFile),
    admin: { keyHashes: file.admin.keys.map(hashCallerKey) },
    metrics: file.metrics,
    callLog: file.callLog,
    audit: file.audit,
    shutdown: { drainMs: file.shutdown.drainMs, timeoutMs: file.shutdown.timeoutMs ?? limits.timeoutMs },
    log: file.log,
  };
}

function buildApp(
  entry: AppEntry,
  schedule: ConfigFile['schedule'],
  unscheduled: readonly CredentialKind[],
): App {
  const ids = dcloudAppidsOf(entry.dcloudAppid);
  const [first, ...others] = ids.filter(id => id !== ANY_DCLOUD_APPID);
  const any = first !== undefined && ids.includes(ANY_DCLOUD_APPID) ? [ANY_DCLOUD_APPID] : [];
  return {
    name: entry.name,
    platform: entry.platform,
    appid: entry.appid,
    secret: entry.secret === undefined ? undefined : new Secret(entry.secret),
    managed: entry.managed,
    dcloudAppid: first,
    dcloudAliases: [...others, ...any],
    default: entry.default,
    tokenMode: entry.tokenEndpoint,
    renews: entry.managed ? renewedKinds(entry.platform, ids, schedule, unscheduled) : [],
  };
}

function buildFollow({ gateway, key, ca }: NonNullable<ConfigFile['follow']>): FollowSettings {
  return { gateway: originOf(gateway), key: new Secret(key), ca };
}

function buildS2s(s2s: NonNullable<ConfigFile['s2s']>): S2sSettings {
  const { type, connectCode = '', signKey = '', hashMethod, quirks } = s2s;
  if (type === 'connectCode') return { type, connectCode: new Secret(connectCode) };
  const toleranceMs = s2s.timeDiffTolerance * 1000;
  return { type, signKey: new Secret(signKey), hashMethod, quirks, toleranceMs };
}

function buildCaller({
  key,
  keys,
  addresses,
  expires,
  ...rest
}: ConfigFile['callers'][number]): CallerConfig {
  const clear = key === undefined ? (keys ?? []) : [key];
  return {
    ...rest,
    keys: clear.map(hashCallerKey),
    addresses: addresses ?? [],
    expiresAt: expires === undefined ? undefined : Date.parse(expires),
  };
}

function buildStorage(
  storage: ConfigFile['storage'],
  folder: string,
  sealKeys: readonly string[],
): StorageSettings {
  return {
    database: buildDatabase(storage.database, folder),
    sealKeys: sealKeys.map(sealKey => new Secret(sealKey)),
    keyFormat: storage.keyFormat,
    redis: buildRedis(storage.redis),
    redisFormat: storage.redisFormat,
  };
}

function buildDatabase(text: string, folder: string): Database {
  const kind = serverKind(text);
  if (kind !== undefined) return { kind, url: new Secret(text) };
  const path = text.slice('sqlite:'.length);
  return { kind: 'sqlite', path: path === ':memory:' ? path : resolve(folder, path) };
}

/** A database in memory, or on a server, has no folder of its own. */
function databaseFolder({ database }: StorageSettings, folder: string): string {
  return database.kind !== 'sqlite' || database.path === ':memory:' ? folder : dirname(database.path);
}

function listenAddress(text: string): ListenAddress {
  const address = parseListen(text);
  if (typeof address === 'string') throw new TypeError(`an address that passed the schema ${address}`);
  return address;
}

function originOf(url: string): string {
  return new URL(url).origin;
}
