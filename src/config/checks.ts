import { isLoopback } from '../access/addresses.ts';
import { DEFAULT_GATEWAY_SETTINGS as GATEWAY } from '../gateway/settings.ts';
import type { ConfigPath, PathFault } from './faults.ts';
import { pathText } from './faults.ts';
import { DEFAULT_LISTEN, parseListen } from './fields.ts';

/** What the rules between settings found. */
export interface CheckResult {
  readonly faults: readonly PathFault[];
  readonly warnings: readonly PathFault[];
}

type Item = Readonly<Record<string, unknown>>;

/**
 * Checks the rules that hold between settings. It takes the file before the schema has passed, so that
 * one run reports everything; what has the wrong shape is skipped, the schema reports that.
 */
export function checkAcross(file: unknown): CheckResult {
  const faults: PathFault[] = [];
  const warnings: PathFault[] = [];
  const fault = (path: ConfigPath, message: string): void => void faults.push({ path, message, at: 'value' });
  const config = item(file);
  const apps = list(config.apps).map(item);
  const callers = list(config.callers).map(item);

  checkApps(apps, fault);
  checkCallers(callers, apps, fault);
  checkKeys(callers, item(config.admin), fault);
  checkSealKeys(item(config.storage).sealKey, fault);
  checkListen(item(config.listen), callers, fault);
  checkReplayMemory(item(config.gateway), fault);

  if (list(config.apps).length === 0) {
    warnings.push({
      path: ['apps'],
      message: 'no app is configured, so there is nothing to hold credentials for',
      at: 'key',
    });
  }
  const known = new Set(apps.map(app => app.dcloudAppid));
  for (const dcloudAppid of Object.keys(item(config.schedule))) {
    if (known.has(dcloudAppid)) continue;
    warnings.push({
      path: ['schedule', dcloudAppid],
      message: 'no app has this dcloudAppid, so nothing is renewed for it',
      at: 'key',
    });
  }
  const origin = URL.parse(text(item(config.upstream).weixin) ?? '');
  if (origin?.protocol === 'http:' && !isLoopback(origin.hostname)) {
    warnings.push({
      path: ['upstream', 'weixin'],
      message: 'http sends secrets and tokens over the network unencrypted',
      at: 'value',
    });
  }
  return { faults, warnings };
}

type Report = (path: ConfigPath, message: string) => void;

function checkApps(apps: readonly Item[], fault: Report): void {
  const unique = createUnique(fault);
  const stored = createUnique(fault);
  let fallback: ConfigPath | undefined;
  apps.forEach((app, index) => {
    const path = ['apps', index];
    // Names and appids share one space: commands and from_appid take either.
    unique(text(app.name), [...path, 'name'], 'the same as');
    if (app.appid !== app.name) unique(text(app.appid), [...path, 'appid'], 'the same as');
    if (text(app.dcloudAppid) !== undefined && text(app.platform) !== undefined) {
      const reason = 'with the same platform, would share stored credentials with';
      stored(JSON.stringify([app.platform, app.dcloudAppid]), [...path, 'dcloudAppid'], reason);
    }
    if (app.default !== true) return;
    if (fallback !== undefined)
      fault([...path, 'default'], `only one app can be the default, and ${pathText(fallback)} is`);
    fallback ??= path;
  });
}

function checkCallers(callers: readonly Item[], apps: readonly Item[], fault: Report): void {
  const unique = createUnique(fault);
  const ids = apps.flatMap(app => [text(app.name), text(app.appid)]);
  // While one of them is unknown, a name that is not found may yet be that one.
  const known = ids.includes(undefined) ? undefined : new Set(ids);
  const names = apps.map(app => text(app.name)).join(', ') || 'none';
  callers.forEach((caller, index) => {
    const path = ['callers', index];
    unique(text(caller.name), [...path, 'name'], 'the same as');
    if ('key' in caller && 'keys' in caller) fault([...path, 'key'], 'give either "key" or "keys", not both');
    if (!('key' in caller) && list(caller.keys).length === 0 && list(caller.addresses).length === 0) {
      fault(path, 'needs a "key", "keys" or "addresses" to be known by');
    }
    list(caller.apps).forEach((entry, position) => {
      const id = text(entry);
      if (id === undefined || known === undefined || known.has(id)) return;
      fault([...path, 'apps', position], `no app has this name or appid; configured apps: ${names}`);
    });
  });
}

function checkKeys(callers: readonly Item[], admin: Item, fault: Report): void {
  const unique = createUnique(fault);
  callers.forEach((caller, index) => {
    unique(text(caller.key), ['callers', index, 'key'], 'the same key as');
    list(caller.keys).forEach((key, position) => {
      unique(text(key), ['callers', index, 'keys', position], 'the same key as');
    });
  });
  list(admin.keys).forEach((key, position) => {
    unique(text(key), ['admin', 'keys', position], 'the same key as');
  });
}

function checkSealKeys(sealKey: unknown, fault: Report): void {
  const unique = createUnique(fault);
  list(sealKey).forEach((key, index) => {
    unique(text(key), ['storage', 'sealKey', index], 'the same key as');
  });
}

function checkListen(listen: Item, callers: readonly Item[], fault: Report): void {
  const unique = createUnique(fault);
  for (const name of ['control', 'gateway', 'gatewayTls'] as const) {
    const address = parseListen(text(stated(listen, name, DEFAULT_LISTEN[name])) ?? '');
    if (typeof address === 'string') continue;
    if (name !== 'control' && !isLoopback(address.host) && callers.length === 0) {
      fault(
        ['listen', name],
        'other machines reach this address and no caller is configured, so anybody could call with your credentials; add "callers", or listen on 127.0.0.1',
      );
    }
    // Port 0 is another port each time.
    if (address.port !== 0)
      unique(`${address.host} ${address.port}`, ['listen', name], 'the same address as');
  }
}

function checkReplayMemory(gateway: Item, fault: Report): void {
  const one = stated(gateway, 'replayMemoryBytes', GATEWAY.replayMemoryBytes);
  const all = stated(gateway, 'replayMemoryTotalBytes', GATEWAY.replayMemoryTotalBytes);
  if (typeof one === 'number' && typeof all === 'number' && one > all) {
    fault(['gateway', 'replayMemoryBytes'], 'must not be more than gateway.replayMemoryTotalBytes');
  }
}

/** Reports a value that was seen before, naming where and never what: it may be a key. */
function createUnique(
  fault: Report,
): (value: string | undefined, path: ConfigPath, relation: string) => void {
  const seen = new Map<string, ConfigPath>();
  return (value, path, relation) => {
    if (value === undefined || value === '') return;
    const first = seen.get(value);
    if (first === undefined) seen.set(value, path);
    else fault(path, `${relation} ${pathText(first)}`);
  };
}

function item(value: unknown): Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Item) : {};
}

/** A field as written or, when it was left out, its default. */
function stated(section: Item, field: string, fallback: unknown): unknown {
  return field in section ? section[field] : fallback;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
