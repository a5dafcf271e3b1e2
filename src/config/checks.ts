import { addressRuleFault, isLoopback } from '../access/addresses.ts';
import { ipWhiteListWarning } from '../access/ip-white-list.ts';
import { DEFAULT_GATEWAY_SETTINGS as GATEWAY } from '../gateway/settings.ts';
import type { ConfigPath, PathFault } from './faults.ts';
import { pathText } from './faults.ts';
import { DEFAULT_LISTEN, KEY_MIN_LENGTH, nameFault, parseListen } from './fields.ts';
import { checkFollow } from './follow-checks.ts';
import { PLAIN_FORMAT_WARNING } from './redis.ts';

/** What the rules between settings found. */
export interface CheckResult {
  readonly faults: readonly PathFault[];
  readonly warnings: readonly PathFault[];
}

type Item = Readonly<Record<string, unknown>>;

/** Stands for what is no object. */
const NO_ITEM: Item = {};

/**
 * Checks the rules that hold between settings. It takes the file before the schema has passed, so that
 * one run reports everything; what has the wrong shape is skipped, the schema reports that. `nameOf`
 * says in messages where a setting stands.
 */
export function checkAcross(file: unknown, nameOf: (path: ConfigPath) => string = pathText): CheckResult {
  const faults: PathFault[] = [];
  const warnings: PathFault[] = [];
  const report: Reporter = {
    fault: (path, message) => void faults.push({ path, message, at: 'value' }),
    warn: (path, message, at = 'value') => void warnings.push({ path, message, at }),
    nameOf,
  };
  const config = item(file);
  const apps = list(config.apps).map(item);
  const callers = list(config.callers).map(item);
  const follows = config.follow !== undefined;

  checkApps(apps, follows, report);
  checkCallers(callers, apps, report);
  checkKeys(callers, item(config.admin), item(config.follow), report);
  checkSealKeys(item(config.storage).sealKey, report);
  checkRedis(item(config.storage), report);
  checkS2s(item(config.s2s), report);
  checkIpWhiteList(list(config.ipWhiteList), report);
  checkListen(item(config.listen), callers, report);
  checkReplayMemory(item(config.gateway), report);
  checkSchedule(item(config.schedule), apps, report);
  checkUpstreams(item(config.upstream), report);
  if (follows) {
    const found = checkFollow(config, item(config.follow), apps);
    for (const [path, message] of found.faults) report.fault(path, message);
    for (const [path, message] of found.warnings) report.warn(path, message, 'key');
  }

  if (list(config.apps).length === 0) {
    report.warn(['apps'], 'no app is configured, so there is nothing to hold credentials for', 'key');
  }
  return { faults, warnings };
}

interface Reporter {
  fault(path: ConfigPath, message: string): void;
  warn(path: ConfigPath, message: string, at?: PathFault['at']): void;
  readonly nameOf: (path: ConfigPath) => string;
}

function checkApps(apps: readonly Item[], follows: boolean, report: Reporter): void {
  const unique = createUnique(report);
  const stored = createUnique(report);
  let fallback: ConfigPath | undefined;
  apps.forEach((app, index) => {
    const path = ['apps', index];
    // Names and appids share one space: commands and from_appid take either.
    unique(text(app.name), [...path, 'name'], 'the same as');
    if (app.appid !== app.name) unique(text(app.appid), [...path, 'appid'], 'the same as');
    for (const id of text(app.platform) === undefined ? [] : dcloudAppidsIn(app)) {
      const reason = 'with the same platform, would share stored credentials with';
      stored(JSON.stringify([app.platform, id]), [...path, 'dcloudAppid'], reason);
    }
    if (app !== NO_ITEM && !('secret' in app) && app.managed !== false && !follows) {
      report.fault([...path, 'secret'], `is missing; ${secretUse(text(app.platform))}. ${UNMANAGED_ADVICE}`);
    }
    if (app.default !== true) return;
    if (fallback !== undefined) {
      const other = report.nameOf(fallback);
      report.fault([...path, 'default'], `only one app can be the default, and ${other} is`);
    }
    fallback ??= path;
  });
}

/** What the appsecret of an app that fetches its own credentials is for. */
function secretUse(platform: string | undefined): string {
  if (platform === 'weixin-web' || platform === 'weixin-app') {
    return 'it is needed to exchange the login codes of users';
  }
  return platform === 'qq-app'
    ? 'it is needed to exchange the login codes of users and to refresh their tokens'
    : 'it is needed to fetch access tokens and to exchange the login codes of users';
}

const UNMANAGED_ADVICE = 'If a token server of your own pushes the values in, set "managed": false';

function dcloudAppidsIn({ dcloudAppid }: Item): readonly string[] {
  return typeof dcloudAppid === 'string' ? [dcloudAppid] : list(dcloudAppid).flatMap(id => text(id) ?? []);
}

function checkS2s(s2s: Item, report: Reporter): void {
  const { type } = s2s;
  if (type !== 'connectCode' && type !== 'sign') return;
  const needed = type === 'sign' ? 'signKey' : 'connectCode';
  const secret = text(s2s[needed]);
  if (!(needed in s2s)) report.fault(['s2s', needed], `is missing; "type": "${type}" needs it`);
  else if (secret !== undefined && secret !== '' && secret.length < KEY_MIN_LENGTH) {
    report.warn(
      ['s2s', needed],
      `is easy to guess with ${secret.length} characters; use 32 random ones on both sides`,
    );
  }
  const idle = type === 'sign' ? ['connectCode'] : ['signKey', 'hashMethod', 'timeDiffTolerance', 'quirks'];
  for (const name of idle) {
    if (name in s2s) report.warn(['s2s', name], `does nothing while s2s.type is "${type}"`);
  }
  const isMd5 = s2s.hashMethod === 'sha256' && !list(s2s.quirks).includes('sha256-is-md5');
  if (type === 'sign' && isMd5) {
    report.warn(
      ['s2s', 'hashMethod'],
      'callers that use the uni-cloud-s2s module 1.0.1 are refused, because it makes MD5 of sha256; use hmac-sha256 on both sides, or set s2s.quirks to ["sha256-is-md5"]',
    );
  }
}

function checkIpWhiteList(rules: readonly unknown[], report: Reporter): void {
  rules.forEach((rule, index) => {
    if (typeof rule !== 'string' || addressRuleFault(rule) !== undefined) return;
    const warning = ipWhiteListWarning(rule);
    if (warning !== undefined) report.warn(['ipWhiteList', index], warning);
  });
}

function checkSchedule(schedule: Item, apps: readonly Item[], report: Reporter): void {
  const known = new Set(apps.flatMap(dcloudAppidsIn));
  for (const dcloudAppid of Object.keys(schedule)) {
    if (known.has(dcloudAppid)) continue;
    report.warn(
      ['schedule', dcloudAppid],
      'no app has this dcloudAppid, so nothing is renewed for it',
      'key',
    );
  }
}

function checkUpstreams(upstream: Item, report: Reporter): void {
  for (const name of Object.keys(GATEWAY.upstream)) {
    const origin = URL.parse(text(upstream[name]) ?? '');
    if (origin?.protocol === 'http:' && !isLoopback(origin.hostname)) {
      report.warn(['upstream', name], 'http sends secrets and tokens over the network unencrypted');
    }
  }
}

function checkCallers(callers: readonly Item[], apps: readonly Item[], report: Reporter): void {
  const { fault } = report;
  const unique = createUnique(report);
  const ids = apps.flatMap(app => [text(app.name), text(app.appid)]);
  // While one of them is unknown, a name that is not found may yet be that one.
  const known = ids.includes(undefined) ? undefined : new Set(ids);
  // What is no name may be a secret in the wrong place.
  const fit = apps
    .map(app => text(app.name))
    .filter(name => name !== undefined && nameFault(name) === undefined);
  const names = fit.join(', ') || 'none';
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

function checkKeys(callers: readonly Item[], admin: Item, follow: Item, report: Reporter): void {
  const unique = createUnique(report);
  callers.forEach((caller, index) => {
    unique(text(caller.key), ['callers', index, 'key'], 'the same key as');
    list(caller.keys).forEach((key, position) => {
      unique(text(key), ['callers', index, 'keys', position], 'the same key as');
    });
  });
  list(admin.keys).forEach((key, position) => {
    unique(text(key), ['admin', 'keys', position], 'the same key as');
  });
  unique(text(follow.key), ['follow', 'key'], 'the same key as');
}

function checkSealKeys(sealKey: unknown, report: Reporter): void {
  const unique = createUnique(report);
  list(sealKey).forEach((key, index) => {
    unique(text(key), ['storage', 'sealKey', index], 'the same key as');
  });
}

function checkRedis({ redis, redisFormat }: Item, report: Reporter): void {
  if (redisFormat === undefined) return;
  const path = ['storage', 'redisFormat'];
  if (redis === undefined || redis === null) report.warn(path, 'does nothing without storage.redis');
  else if (redisFormat === 'plain') report.warn(path, PLAIN_FORMAT_WARNING);
}

function checkListen(listen: Item, callers: readonly Item[], report: Reporter): void {
  const { fault } = report;
  const unique = createUnique(report);
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

function checkReplayMemory(gateway: Item, { fault }: Reporter): void {
  const one = stated(gateway, 'replayMemoryBytes', GATEWAY.replayMemoryBytes);
  const all = stated(gateway, 'replayMemoryTotalBytes', GATEWAY.replayMemoryTotalBytes);
  if (typeof one === 'number' && typeof all === 'number' && one > all) {
    fault(['gateway', 'replayMemoryBytes'], 'must not be more than gateway.replayMemoryTotalBytes');
  }
}

/** Reports a value that was seen before, naming where and never what: it may be a key. */
function createUnique({
  fault,
  nameOf,
}: Reporter): (value: string | undefined, path: ConfigPath, relation: string) => void {
  const seen = new Map<string, ConfigPath>();
  return (value, path, relation) => {
    if (value === undefined || value === '') return;
    const first = seen.get(value);
    if (first === undefined) seen.set(value, path);
    else fault(path, `${relation} ${nameOf(first)}`);
  };
}

function item(value: unknown): Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Item) : NO_ITEM;
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
