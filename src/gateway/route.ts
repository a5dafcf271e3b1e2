import { isIP } from 'node:net';
import { appForbidden } from '../access/access.ts';
import type { Caller } from '../access/callers.ts';
import { mayActAs } from '../access/callers.ts';
import { BridgeError } from '../base/errors.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { App, Platform, PlatformId } from '../platforms/platform.ts';
import type { Call, Stage } from './call.ts';

/** What routing goes by. */
export interface RouteOptions {
  readonly platforms: ReadonlyMap<PlatformId, Platform>;
  readonly apps: AppDirectory;
}

/** Paths of our own services, which no platform has. */
const SERVICES_PREFIX = '/_/';

/**
 * Decides where a call goes, as which app, and whether it wants one of our credentials. The host never
 * becomes an address to connect to: it only picks among the known platforms.
 */
export function route({ platforms, apps }: RouteOptions): Stage {
  const byHost = new Map<string, Platform[]>();
  for (const platform of platforms.values()) {
    for (const host of platform.hosts) byHost.set(host, [...(byHost.get(host) ?? []), platform]);
  }
  const all = [...platforms.values()];

  /** The platforms a call can be meant for. */
  const candidates = (call: Call): readonly Platform[] => {
    const named = byHost.get(call.host);
    if (named !== undefined) return named;
    if (call.proxied && isForeign(call.host)) throw notRelayed(call.host, [...byHost.keys()]);
    return all;
  };

  return next => call => {
    if (call.path.startsWith(SERVICES_PREFIX)) throw noService(call.path);
    call.ownToken = call.token !== undefined && call.virtualFor === undefined;
    const among = candidates(call);
    const caller = call.caller as Caller;
    // A credential of the caller's own decides whose call it is, so naming an unknown app does no harm.
    const app = call.ownToken
      ? peek(apps, call.appNamed, among)
      : (call.virtualFor ?? pickApp(apps, caller, call.appNamed, among));
    const platform = among.find(each => each.id === app?.platform) ?? among[0];
    if (platform === undefined) throw new TypeError('the gateway knows no platform');
    call.app = app;
    call.platform = platform;
    if (call.ownToken) return next(call);

    const wants = platform.pathCredential(call.path);
    if (wants === 'component') throw componentUnsupported(call.path);
    if (wants === 'none') return next(call);
    if (app === undefined) throw noApp(apps);
    if (!mayActAs(caller, app)) throw appForbidden(caller, app);
    call.injects = true;
    return next(call);
  };
}

/** The app a call with a credential of its own is counted for. */
function peek(apps: AppDirectory, named: string | undefined, among: readonly Platform[]): App | undefined {
  const app = named === undefined ? apps.defaultApp() : apps.find(named);
  return app !== undefined && serves(among, app) ? app : undefined;
}

/** The app to act as: the one named, else the default one, else the only one that fits caller and host. */
function pickApp(
  apps: AppDirectory,
  caller: Caller,
  named: string | undefined,
  among: readonly Platform[],
): App | undefined {
  if (named !== undefined) {
    const app = apps.require(named);
    if (serves(among, app)) return app;
    throw new BridgeError(
      'APP_UNKNOWN',
      `${app.name} (${app.appid}) is an app of ${app.platform}, not of the host called`,
      {
        hint: `call ${among.map(platform => platform.hosts[0]).join(' or ')} only as apps of theirs`,
      },
    );
  }
  // An app of another platform is never a fallback: its token must not leave for this host.
  const fallback = apps.defaultApp();
  const suits = fallback !== undefined && serves(among, fallback);
  if (suits && mayActAs(caller, fallback)) return fallback;
  const fitting = apps.all().filter(app => serves(among, app) && mayActAs(caller, app));
  const issuing = fitting.filter(app => platformHasToken(among, app));
  const [only, another] = issuing.length > 0 ? issuing : fitting;
  if (another === undefined && only !== undefined) return only;
  return fitting.find(app => app.default) ?? (suits ? fallback : undefined);
}

/** Website and mobile apps share the host with mini programs and official accounts, but are issued no token. */
function platformHasToken(among: readonly Platform[], app: App): boolean {
  return among.some(
    ({ id, plan }) => id === app.platform && plan('access-token', app.tokenMode) !== undefined,
  );
}

function serves(among: readonly Platform[], app: App): boolean {
  return among.some(platform => platform.id === app.platform);
}

/** Whether a host is somebody else's, as against an address or an internal name of this gateway. */
function isForeign(host: string): boolean {
  return host.includes('.') && isIP(host) === 0;
}

function notRelayed(host: string, known: readonly string[]): BridgeError {
  return new BridgeError('NOT_FOUND', `this gateway is no general proxy and does not relay ${host}`, {
    hint: `it relays ${known.join(', ')}; add ${host} to no_proxy where the caller runs`,
  });
}

function noService(path: string): BridgeError {
  return new BridgeError('NOT_FOUND', `there is no service at ${path}`, {
    hint: 'paths under /_/ belong to services of the gateway itself, and this one is not offered',
  });
}

function componentUnsupported(path: string): BridgeError {
  return new BridgeError(
    'CREDENTIAL_UNSUPPORTED',
    `${path} wants a third-party platform's component_access_token, which is not kept here`,
    {
      hint: 'call it with that token through a client of your own',
    },
  );
}

function noApp(apps: AppDirectory): BridgeError {
  const names = apps.all().map(app => app.name);
  return new BridgeError('APP_UNKNOWN', 'the call names no app and there is no default one', {
    hint:
      names.length === 0
        ? 'add an app under "apps" in the configuration'
        : `add from_appid=<appid> to the query, or set "default": true on one of ${names.join(', ')}`,
  });
}
