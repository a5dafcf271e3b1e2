import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { inspect } from 'node:util';
import type { Dispatcher } from 'undici';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import { createAccess } from '../access/access.ts';
import type { CallerConfig } from '../access/callers.ts';
import { createCallerDirectory } from '../access/callers.ts';
import { createVirtualTokens } from '../access/virtual-tokens.ts';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Secret } from '../base/secret.ts';
import { createAppDirectory } from '../credentials/apps.ts';
import type { Authority, Credential, CredentialRef, RefusalReport } from '../credentials/credentials.ts';
import type { App, Platform, PlatformId } from '../platforms/platform.ts';
import { PLATFORMS } from '../platforms/platforms.ts';
import type { Gateway } from './gateway.ts';
import { createGateway } from './gateway.ts';
import type { HttpListenerOptions } from './http-listener.ts';
import { listenHttp } from './http-listener.ts';
import type { TakeBudget } from './limit.ts';
import type { CallRecord } from './record.ts';
import type { Followed } from './relay.ts';
import type { GatewaySettings } from './settings.ts';
import { DEFAULT_GATEWAY_SETTINGS } from './settings.ts';
import type { GatewayTokens } from './tokens.ts';
import { type Respond, startUpstream, type TestUpstream } from './wire.fixture.ts';

/** What the tests of the gateway share: an authority in memory, and a gateway with a listener. */

/** Two mini programs, the first one the default, and an official account. */
export const SHOP = appOf('shop', 'wx00000000000000a1', 'weixin-mp', true);
export const SPARE = appOf('spare', 'wx00000000000000a2', 'weixin-mp');
export const NEWS = appOf('news', 'wx00000000000000b2', 'weixin-h5');

export function appOf(name: string, appid: string, platform: PlatformId, isDefault = false): App {
  return {
    name,
    platform,
    appid,
    secret: new Secret(`canary-secret-of-${name}`),
    managed: true,
    dcloudAppid: undefined,
    default: isDefault,
    tokenMode: 'stable',
    renews: ['access-token'],
  };
}

/** An authority in memory: every issue makes the next token, and a report is a compare-and-set. */
export interface TestAuthority extends Authority {
  /** The token in force for an app; tests compare it with what the upstream received. */
  token(app: App): string;
  readonly reports: RefusalReport[];
  /** What the next reports do instead of renewing. */
  mode: 'renew' | 'keep' | 'fail' | 'hang' | 'store-away' | 'unavailable' | 'keep-unavailable';
  /** When set, `get` rejects with it. */
  failure: Error | undefined;
}

export function createTestAuthority(clock: Clock = systemClock): TestAuthority {
  const current = new Map<string, Credential>();
  const issue = (ref: CredentialRef): Credential => {
    const epoch = (current.get(ref.app.appid)?.epoch ?? 0) + 1;
    // With characters that need encoding, as a token may have.
    const value = new Secret(`canary-token+${ref.app.name}/${epoch}==${'x'.repeat(120)}`);
    const credential = { ref, value, epoch, issuedAt: clock.now(), expiresAt: clock.now() + 7_200_000 };
    current.set(ref.app.appid, credential);
    return credential;
  };
  const get = (ref: CredentialRef): Credential => current.get(ref.app.appid) ?? issue(ref);
  const unused = (): never => {
    throw new Error('not used by the gateway');
  };
  const authority: TestAuthority = {
    reports: [],
    mode: 'renew',
    failure: undefined,
    token: app => get({ app, kind: 'access-token' }).value.reveal(),
    async get(ref) {
      if (authority.failure !== undefined) throw authority.failure;
      return get(ref);
    },
    held: ref => (authority.failure === undefined ? current.get(ref.app.appid) : undefined),
    async report(ref, report) {
      authority.reports.push(report);
      if (authority.mode === 'fail') throw new Error('the store is on fire');
      if (authority.mode === 'store-away')
        throw new BridgeError('STORE_UNAVAILABLE', 'the database failed: ECONNREFUSED', {
          hint: 'check that the server runs',
        });
      const unavailable = new BridgeError('CREDENTIAL_UNAVAILABLE', 'no access-token for shop', {
        ...{ hint: 'add 203.0.113.7 to the list', retryAfterMs: 5000 },
        upstream: { errcode: 40164, errmsg: 'invalid ip' },
      });
      if (authority.mode === 'unavailable') throw unavailable;
      if (authority.mode === 'hang') return new Promise(() => {});
      const credential = get(ref);
      if (credential.value.fingerprint !== report.fingerprint)
        return { credential, outcome: 'superseded', reason: undefined };
      if (authority.mode === 'keep-unavailable')
        return { credential, outcome: 'kept', reason: unavailable.message, failure: unavailable };
      if (authority.mode === 'keep') return { credential, outcome: 'kept', reason: 'the budget is used up' };
      return { credential: issue(ref), outcome: 'renewed', reason: undefined };
    },
    rotate: unused,
    renew: unused,
    keep: unused,
    status: unused,
  };
  return authority;
}

export interface TestLog extends Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[];
  /** All that was logged, as JSON and as a person would inspect it. */
  text(): string;
}

export function createTestLog(): TestLog {
  const lines: TestLog['lines'] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    text: () => JSON.stringify(lines) + inspect(lines, { depth: 20, showHidden: true }),
  };
}

export interface TestGatewayOptions {
  readonly origin: string;
  readonly apps?: readonly App[];
  readonly allow?: readonly string[];
  readonly enabled?: boolean;
  readonly callers?: readonly CallerConfig[];
  readonly settings?: Partial<GatewaySettings>;
  readonly takeBudget?: TakeBudget;
  readonly platforms?: ReadonlyMap<PlatformId, Platform>;
  readonly clock?: Clock;
  readonly listener?: Partial<HttpListenerOptions>;
  readonly tmpDir?: string;
  readonly tokens?: Partial<GatewayTokens>;
  readonly onFollowed?: (state: Followed) => void;
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly port: number;
  readonly url: string;
  readonly authority: TestAuthority;
  readonly log: TestLog;
  readonly records: CallRecord[];
  readonly access: ReturnType<typeof createAccess>;
  readonly apps: ReturnType<typeof createAppDirectory>;
  readonly tokens: GatewayTokens;
  /** The settings in force; tests change them as a reload would. */
  readonly live: { settings: GatewaySettings };
  /** Waits for the next record beyond those there are. */
  record(count: number): Promise<CallRecord>;
  /** Tells callers that their connections end, and serves on. */
  drain(): void;
  closeWithin(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A gateway with a listener on a free port of the loopback, all paths allowed unless told otherwise. */
export async function startGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const clock = options.clock ?? systemClock;
  const authority = createTestAuthority(clock);
  const log = createTestLog();
  const records: CallRecord[] = [];
  const callers = createCallerDirectory(options.callers ?? [], () => clock.now());
  const access = createAccess({ enabled: options.enabled ?? true, allow: options.allow ?? ['/*'], callers });
  const apps = createAppDirectory(options.apps ?? [SHOP, SPARE, NEWS]);
  const live = {
    settings: { ...DEFAULT_GATEWAY_SETTINGS, upstream: upstreamsAt(options.origin), ...options.settings },
  };
  const tokens: GatewayTokens = {
    virtual: createVirtualTokens({
      key: new Secret(Buffer.alloc(32, 7).toString('base64')),
      now: () => clock.now(),
      nonce: () => randomBytes(4).toString('hex'),
    }),
    isRevoked: async () => false,
    recognize: async () => undefined,
    ...options.tokens,
  };
  const gateway = createGateway({
    platforms: options.platforms ?? PLATFORMS,
    apps,
    access,
    authority,
    tokens,
    takeBudget: options.takeBudget ?? (async () => {}),
    settings: () => live.settings,
    clock,
    randomHex: bytes => randomBytes(bytes).toString('hex'),
    log,
    onCall: each => records.push(each),
    ...(options.onFollowed !== undefined && { onFollowed: options.onFollowed }),
    tmpDir: options.tmpDir ?? tmpdir(),
  });
  const listener = await listenHttp({ gateway, clock, log, host: '127.0.0.1', port: 0, ...options.listener });
  return {
    gateway,
    port: listener.port,
    url: `http://127.0.0.1:${listener.port}`,
    authority,
    log,
    records,
    access,
    apps,
    tokens,
    live,
    async record(count) {
      for (const until = performance.now() + 5000; records.length < count; ) {
        if (performance.now() > until)
          throw new Error(`only ${records.length} of ${count} calls were recorded`);
        await new Promise(resolve => setTimeout(resolve, 2));
      }
      return records[count - 1] as CallRecord;
    },
    drain: listener.drain,
    async closeWithin(timeoutMs) {
      await listener.close(timeoutMs);
      await gateway.close();
    },
    async close() {
      await listener.close(0);
      await gateway.close();
    },
  };
}

/** A caller with one key, all apps and paths, and the usual rights unless told otherwise. */
export function callerOf(name: string, change: Partial<CallerConfig> = {}): CallerConfig {
  return { name, keys: [], addresses: [], tokens: 'real', ...change };
}

/** Calls through a gateway and reads the whole answer. */
export async function callThrough(
  gw: TestGateway,
  path: string,
  options: Partial<Dispatcher.RequestOptions> = {},
): Promise<{
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
  json(): Record<string, unknown>;
}> {
  const { statusCode, headers, body } = await request(`${gw.url}${path}`, { method: 'GET', ...options });
  const text = await body.text();
  return { status: statusCode, headers, text, json: () => JSON.parse(text) };
}

/** The parameter that the gateway puts into calls as an app, with the token now in force. */
export function tokenQuery(gw: TestGateway, app = SHOP): string {
  return `access_token=${encodeURIComponent(gw.authority.token(app))}`;
}

/** One server that stands in for every platform. */
export function upstreamsAt(origin: string): GatewaySettings['upstream'] {
  return { weixin: origin, qq: origin, qqConnect: origin };
}

/**
 * A gateway before an upstream of its own, which says that all is well unless told otherwise. Both end with
 * the test.
 */
export async function gatewayBefore(
  options: Omit<TestGatewayOptions, 'origin'> = {},
  respond: Respond = allIsWell,
): Promise<{ gw: TestGateway; up: TestUpstream }> {
  const up = await startUpstream(respond);
  const gw = await startGateway({ origin: up.origin, ...options });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  return { gw, up };
}

const allIsWell: Respond = (_req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end('{"errcode":0,"errmsg":"ok"}');
};
