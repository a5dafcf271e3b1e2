import { dirname, join, resolve } from 'node:path';
import type { CallerConfig } from '../access/callers.ts';
import { hashCallerKey } from '../access/callers.ts';
import { Secret } from '../base/secret.ts';
import type { App, CredentialKind } from '../platforms/platform.ts';
import { parseListen } from './fields.ts';
import type { ConfigFile } from './schema.ts';
import type { ListenAddress, Settings, StorageSettings } from './settings.ts';

type AppEntry = ConfigFile['apps'][number];

/** Makes the Settings from a file that passed all checks. `folder` is where relative paths start. */
export function buildSettings(file: ConfigFile, folder: string): Settings {
  const upstream = { weixin: new URL(file.upstream.weixin).origin };
  const storage = buildStorage(file.storage, folder);
  const { certificateFile, ...limits } = file.gateway;
  return {
    apps: file.apps.map(entry => buildApp(entry, file.schedule)),
    openapi: file.openapi,
    callers: file.callers.map(buildCaller),
    storage,
    listen: {
      control: listenAddress(file.listen.control),
      gateway: file.listen.gateway === null ? undefined : listenAddress(file.listen.gateway),
      gatewayTls: file.listen.gatewayTls === null ? undefined : listenAddress(file.listen.gatewayTls),
    },
    upstream,
    gateway: { ...limits, upstream },
    certificateFile:
      certificateFile === undefined
        ? join(databaseFolder(storage, folder), 'gateway-ca.crt')
        : resolve(folder, certificateFile),
    admin: { keyHashes: file.admin.keys.map(hashCallerKey) },
    metrics: file.metrics,
    callLog: file.callLog,
    log: file.log,
  };
}

function buildApp(entry: AppEntry, schedule: ConfigFile['schedule']): App {
  return {
    name: entry.name,
    platform: entry.platform,
    appid: entry.appid,
    secret: new Secret(entry.secret),
    dcloudAppid: entry.dcloudAppid,
    default: entry.default,
    tokenMode: entry.tokenEndpoint,
    renews: renewedKinds(entry, schedule),
  };
}

/** uni-open-bridge's `schedule`: off unless enabled on both levels; an app without an entry keeps its token fresh. */
function renewedKinds(entry: AppEntry, schedule: ConfigFile['schedule']): readonly CredentialKind[] {
  const { dcloudAppid, platform } = entry;
  if (dcloudAppid === undefined || !Object.hasOwn(schedule, dcloudAppid)) return ['access-token'];
  const scheduled = schedule[dcloudAppid];
  const ofPlatform = scheduled?.[platform];
  if (scheduled?.enable !== true || ofPlatform?.enable !== true) return [];
  const tasks = new Set<string>(ofPlatform.tasks);
  if (tasks.has('ticket')) return ['access-token', 'ticket'];
  return tasks.has('accessToken') ? ['access-token'] : [];
}

function buildCaller({ key, keys, addresses, ...rest }: ConfigFile['callers'][number]): CallerConfig {
  const clear = key === undefined ? (keys ?? []) : [key];
  return { ...rest, keys: clear.map(hashCallerKey), addresses: addresses ?? [] };
}

function buildStorage(storage: ConfigFile['storage'], folder: string): StorageSettings {
  const path = storage.database.slice('sqlite:'.length);
  const sealKeys = typeof storage.sealKey === 'string' ? [storage.sealKey] : storage.sealKey;
  return {
    database: { kind: 'sqlite', path: path === ':memory:' ? path : resolve(folder, path) },
    sealKeys: sealKeys.map(sealKey => new Secret(sealKey)),
    keyFormat: storage.keyFormat,
  };
}

/** A database in memory has no folder of its own. */
function databaseFolder({ database }: StorageSettings, folder: string): string {
  return database.path === ':memory:' ? folder : dirname(database.path);
}

function listenAddress(text: string): ListenAddress {
  const address = parseListen(text);
  if (typeof address === 'string') throw new TypeError(`an address that passed the schema ${address}`);
  return address;
}
