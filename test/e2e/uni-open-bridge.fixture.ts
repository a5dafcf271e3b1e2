import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Log } from '../../src/base/log.ts';
import {
  type CredentialKey,
  connectBridge,
  createBridge,
  type OpenBridge,
  OpenBridgeError,
} from '../../src/common/index.ts';
import type { MethodName } from '../../src/common/methods.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Bridge, startBridge } from '../../src/server/bridge.ts';
import { type AccountOptions, type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { writeConfig } from '../support/bridge.ts';
import { keptLog } from '../support/canary.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { APPS, DCLOUD } from '../support/platform-apps.ts';
import { temporaryFolder } from '../support/temporary.ts';

export { APPS, DCLOUD };
export const [SHOP, NEWS] = APPS;

export type TestPlatform = (typeof APPS)[number]['platform'];

/** The canary among the secrets of an account. */
export function secretOf(appid: string): string {
  return `canary-secret-${appid}-0123456789abcdef`;
}

/** Apps as the configuration has them; the account's secret and the DCloud appid filled in. */
export function configuredApps(change: Readonly<Record<string, object>> = {}): object[] {
  return APPS.map(({ name, platform, appid }) => ({
    ...{ name, platform, appid, secret: secretOf(appid), dcloudAppid: DCLOUD },
    ...change[name],
  }));
}

/** How one function is called, whatever the way. */
export interface Input {
  readonly value?: unknown;
  readonly expiresIn?: unknown;
  readonly obtain?: unknown;
  readonly detail?: unknown;
}

/** One way to the functions, told apart only by name. */
export interface Way {
  readonly name: 'embedded' | 'remote' | 'http';
  /** What the function gives; throws OpenBridgeError. */
  call(method: MethodName, key: unknown, input?: Input): Promise<unknown>;
}

/** A bridge with its platform, and every way to its functions. */
export interface Stage {
  readonly simulator: Simulator;
  readonly bridge: Bridge;
  readonly configPath: string;
  /** Origin of the control API. */
  readonly control: string;
  /** All that the running bridge logged. */
  readonly log: ReturnType<typeof keptLog>;
  /** POST to one of the functions. */
  post(method: string, body: unknown, headers?: Record<string, string>): Promise<HttpAnswer>;
  /** Takes a changed configuration, as a reload does. */
  reconfigure(change: Record<string, unknown>): void;
  embedded(): Promise<OpenBridge>;
  remote(callerKey?: string): OpenBridge;
  /** `http` and `remote` are the same bridge; `embedded` shares its database. */
  ways(): Promise<readonly Way[]>;
}

/** An answer over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly text: string;
}

export interface StageOptions {
  readonly clock?: Clock;
  readonly config?: Record<string, unknown>;
  readonly accounts?: Readonly<Record<string, Partial<AccountOptions>>>;
}

/** Starts a platform, and a bridge before it that issues nothing unasked. All of it ends with the test. */
export async function startStage({
  clock = systemClock,
  config = {},
  accounts = {},
}: StageOptions = {}): Promise<Stage> {
  const folder = temporaryFolder();
  const simulator = await startSimulator({
    accounts: APPS.map(({ appid, type, name }) => ({
      appid,
      type,
      secret: secretOf(appid),
      ...accounts[name],
    })),
    now: () => clock.now(),
  });
  onTestFinished(() => simulator.close());
  const { origin } = simulator;
  const settled = {
    apps: configuredApps(),
    schedule: { [DCLOUD]: { enable: false } },
    upstream: { weixin: origin, qq: origin, qqConnect: origin },
    ...config,
  };
  const configPath = writeConfig(folder, origin, settled);
  const log = keptLog();
  const bridge = await startBridge({
    settings: loadConfig({ path: configPath, env: {} }).settings,
    ...{ clock, log, instance: 'test', version: '0.0.0-test', tmpDir: tmpdir() },
  });
  onTestFinished(() => inTime(clock, bridge.close()));
  const control = `http://127.0.0.1:${bridge.control.port}`;
  const quiet = keptLog();

  const stage: Stage = {
    ...{ simulator, bridge, configPath, control, log },
    post: (method, body, headers) => post(`${control}/uni-open-bridge/${method}`, body, headers),
    reconfigure(change) {
      const changed = writeConfig(folder, origin, { ...settled, ...change });
      bridge.apply(loadConfig({ path: changed, env: {} }).settings);
    },
    embedded: () => openEmbedded(configPath, clock, quiet),
    remote(callerKey) {
      const remote = connectBridge({ url: control, callerKey, log: quiet });
      onTestFinished(() => remote.close());
      return remote;
    },
    async ways() {
      return [
        libraryWay('embedded', await stage.embedded()),
        libraryWay('remote', stage.remote()),
        httpWay(control),
      ];
    },
  };
  return stage;
}

/** Waits for an end. A renewal in the background may be waiting for its turn, on a clock that nobody else moves any more. */
async function inTime(clock: Clock, ended: Promise<void>): Promise<void> {
  let over = false;
  const mark = (): void => {
    over = true;
  };
  ended.then(mark, mark);
  while ('advance' in clock && !over) await (clock as ManualClock).advance(50);
  await ended;
}

/** A bridge inside this process, closed with the test. */
export async function openEmbedded(config: string, clock: Clock, log: Log): Promise<OpenBridge> {
  const embedded = await createBridge({ config, env: {}, clock, log });
  onTestFinished(() => inTime(clock, embedded.close()));
  return embedded;
}

/** Sends a body as JSON, or as it is when it is text. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

/** The functions of the library as a way. */
export function libraryWay(name: 'embedded' | 'remote', bridge: OpenBridge): Way {
  return {
    name,
    call(method, key, { value, expiresIn, ...options } = {}) {
      const of = bridge[method] as (...input: unknown[]) => Promise<unknown>;
      if (method.startsWith('get')) return of(key, undefined, options);
      return method.startsWith('set') ? of(key, value, expiresIn) : of(key);
    },
  };
}

/** Plain HTTP as a way: what a get answers, undefined for the others, an OpenBridgeError for a failure. */
export function httpWay(control: string): Way {
  return {
    name: 'http',
    async call(method, key, input = {}) {
      const { status, body, headers } = await post(`${control}/uni-open-bridge/${method}`, {
        ...(key as CredentialKey),
        ...input,
      });
      if (status === 200) return method.startsWith('get') ? body : undefined;
      const told = body as { errCode: number | string; errMsg: string };
      throw new OpenBridgeError(told, headers.get('x-bridge-error') as 'INTERNAL');
    },
  };
}

/** What a call came to, so that ways can be compared. */
export async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return { gave: await call };
  } catch (error) {
    if (!(error instanceof OpenBridgeError)) throw error;
    return { errCode: error.errCode, errMsg: error.errMsg, reason: error.reason };
  }
}
