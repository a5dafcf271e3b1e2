import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  NEWS,
  SHOP,
  startTestBridge,
  type TestBridge,
  temporaryFolder,
  writeConfig,
} from '../../../test/support/bridge.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { seededRandom } from '../../../test/support/temporary.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Simulator, startSimulator } from '../../simulator/index.ts';
import type { DoctorOptions, Finding, World } from './check.ts';
import { examine } from './examine.ts';
import { findingLines } from './render.ts';
import { systemWire } from './wire.ts';

/** What the tests of the doctor share: a platform, a configuration, and a look at it all. */
export interface Patient {
  readonly simulator: Simulator;
  readonly folder: string;
  readonly config: string;
  /** Writes the configuration anew. */
  configure(change: Record<string, unknown>): void;
  /** Examines, and makes sure that nothing secret is told. */
  examine(options?: Partial<DoctorOptions>, world?: Partial<World>): Promise<Findings>;
}

/** Findings with ways to ask for them. */
export interface Findings {
  readonly all: readonly Finding[];
  /** The first one of this name. */
  of(name: string): Finding | undefined;
  /** Everything as a person reads it. */
  readonly text: string;
}

/** A world of which nothing leaves this machine: names other than its own are not known. */
export function worldOf(change: Partial<World> = {}): World {
  return {
    clock: systemClock,
    random: seededRandom(),
    env: {},
    version: '0.0.0-test',
    instance: 'doctor:1',
    uid: process.getuid?.(),
    wire: { ...systemWire, lookup: lookupAt({}) },
    processes: { watch: async () => ({ code: 0, failure: undefined, connections: [], traces: [] }) },
    timeoutMs: 2000,
    ...change,
  };
}

/** A resolver that knows this machine and the names given. */
export function lookupAt(names: Readonly<Record<string, readonly string[]>>): World['wire']['lookup'] {
  return async host => {
    const known = names[host] ?? (/^[\d.]+$|^::1$/.test(host) ? [host] : undefined);
    if (known === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    return known;
  };
}

/** Accounts on the platforms that `SHOP` and `NEWS` are not on. */
const OTHERS = [
  { appid: 'wx00000000000000c3', secret: 'canary-secret-site-0123456789abcdef', type: 'web' },
  { appid: 'wx00000000000000d4', secret: 'canary-secret-mobile-0123456789abcd', type: 'app' },
  { appid: '1110000005', secret: 'canary-secret-qq-mini-0123456789abc', type: 'qq-mp' },
  { appid: '101000006', secret: 'canary-secret-qq-login-0123456789ab', type: 'qq-app' },
] as const;
export const [SITE, MOBILE, QQ_MINI, QQ_LOGIN] = OTHERS;

const PATIENT_ACCOUNTS = [SHOP, NEWS, ...OTHERS];

/** Apps for them, in the form of the configuration file. */
export const OTHER_APPS = [
  { name: 'site', platform: 'weixin-web', appid: SITE.appid, secret: SITE.secret },
  { name: 'mobile', platform: 'weixin-app', appid: MOBILE.appid, secret: MOBILE.secret },
  { name: 'qq-mini', platform: 'qq-mp', appid: QQ_MINI.appid, secret: QQ_MINI.secret },
  { name: 'qq-login', platform: 'qq-app', appid: QQ_LOGIN.appid, secret: QQ_LOGIN.secret },
];

/** Starts a simulator and writes a configuration for it; both are gone when the test ends. */
export async function startPatient(change: Record<string, unknown> = {}): Promise<Patient> {
  const folder = temporaryFolder();
  const simulator = await startSimulator({ accounts: PATIENT_ACCOUNTS.map(each => ({ ...each })) });
  onTestFinished(async () => {
    await simulator.close();
    folder[Symbol.dispose]();
  });
  const config = writeConfig(folder.path, simulator.origin, change);
  return {
    simulator,
    folder: folder.path,
    config,
    configure: next => void writeConfig(folder.path, simulator.origin, next),
    async examine(options = {}, world = {}) {
      const all = await examine(
        { config, offline: false, mint: false, command: [], ...options },
        worldOf(world),
      );
      const text = all.flatMap(findingLines).join('\n');
      const secrets = PATIENT_ACCOUNTS.flatMap(({ appid, secret }) => [
        secret,
        ...simulator.state.tokens(appid),
      ]);
      for (const secret of secrets) expect(text + JSON.stringify(all)).not.toContain(secret);
      return { all, text, of: name => all.find(finding => finding.name === name) };
    },
  };
}

/** Settings of an app in the form of the configuration file. */
export function appEntry(account: typeof SHOP | typeof NEWS, change: Record<string, unknown> = {}): object {
  const isShop = account.appid === SHOP.appid;
  return {
    name: isShop ? 'shop' : 'news',
    platform: isShop ? 'weixin-mp' : 'weixin-h5',
    appid: account.appid,
    secret: account.secret,
    ...change,
  };
}

/** A running bridge with the doctor beside it. */
export interface Running extends TestBridge {
  /** Examines, and makes sure that no text with `canary` in it is told. */
  look(
    options?: Partial<DoctorOptions>,
    world?: Partial<World>,
  ): Promise<{ readonly all: readonly Finding[]; of(name: string): Finding | undefined }>;
}

/** Starts a bridge on ports that its configuration names; it is gone when the test ends. All have one clock. */
export async function startRunning(
  config: Record<string, unknown> = {},
  clock: Clock = systemClock,
): Promise<Running> {
  const ports = { control: await freePort(), gateway: await freePort(), gatewayTls: await freePort() };
  const listen = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `127.0.0.1:${port}`]));
  const test = await startTestBridge({
    config: { listen, ...config },
    clock,
    prepare: simulator => {
      for (const account of OTHERS) simulator.addAccount({ ...account });
    },
  });
  onTestFinished(() => test.close());
  return {
    ...test,
    async look(options = {}, world = {}) {
      const path = join(test.folder, 'open-bridge.json');
      const all = await examine(
        { config: path, offline: false, mint: false, command: [], ...options },
        worldOf({ clock, ...world }),
      );
      expect(JSON.stringify(all)).not.toContain('canary');
      return { all, of: name => all.find(finding => finding.name === name) };
    },
  };
}
