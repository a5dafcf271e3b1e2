import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Bridge, startBridge } from '../../src/server/bridge.ts';
import { createLogger } from '../../src/server/logger.ts';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { newSealKey } from '../../src/stores/sealing.ts';

/** The two accounts that tests use, with secrets that leak tests look for. */
export const ACCOUNTS = [
  { appid: 'wx00000000000000a1', secret: 'canary-secret-shop-0123456789abcdef', type: 'mp' },
  { appid: 'wx00000000000000b2', secret: 'canary-secret-news-0123456789abcdef', type: 'oa' },
] as const;
export const [SHOP, NEWS] = ACCOUNTS;

/** A folder for one test; `[Symbol.dispose]` removes it. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'open-bridge-test-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes a configuration with the two accounts against a simulator; `change` is laid over it. */
export function writeConfig(folder: string, upstream: string, change: Record<string, unknown> = {}): string {
  mkdirSync(folder, { recursive: true });
  const key = join(folder, 'seal.key');
  if (!existsSync(key)) writeFileSync(key, newSealKey());
  const path = join(folder, 'open-bridge.json');
  const config = {
    apps: [
      { name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret, default: true },
      { name: 'news', platform: 'weixin-h5', appid: NEWS.appid, secret: NEWS.secret },
    ],
    openapi: { allow: ['/wxa/*', '/cgi-bin/*'] },
    storage: { database: 'sqlite:./open-bridge.db', sealKey: `\${file:./seal.key}` },
    upstream: { weixin: upstream, qq: upstream, qqConnect: upstream },
    log: { level: 'debug' },
    ...change,
    listen: {
      control: '127.0.0.1:0',
      gateway: '127.0.0.1:0',
      gatewayTls: '127.0.0.1:0',
      ...(change['listen'] as Record<string, unknown> | undefined),
    },
  };
  writeFileSync(path, JSON.stringify(config, null, 2));
  return path;
}

/** A bridge in this process, on ports of its own, with its simulator and everything it logged. */
export interface TestBridge {
  readonly bridge: Bridge;
  readonly simulator: Simulator;
  /** Origin of the gateway. */
  readonly gateway: string;
  /** Origin of the control API. */
  readonly control: string;
  readonly folder: string;
  /** Applies a changed configuration, as a reload does. */
  reconfigure(change: Record<string, unknown>): void;
  /** Stops the bridge and starts another on the same data. */
  restart(): Promise<void>;
  /** Every log line so far. */
  readonly logs: string[];
  close(): Promise<void>;
}

/** Starts simulator and bridge; `clock` is shared by both. */
export async function startTestBridge(
  options: {
    readonly clock?: Clock;
    readonly config?: Record<string, unknown>;
    /** Sets the simulated platform up before the bridge first speaks to it. */
    readonly prepare?: (simulator: Simulator) => void;
  } = {},
): Promise<TestBridge> {
  const { clock = systemClock } = options;
  const folder = temporaryFolder();
  const simulator = await startSimulator({
    accounts: ACCOUNTS.map(account => ({ ...account })),
    now: () => clock.now(),
  });
  options.prepare?.(simulator);
  const logs: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logs.push(String(chunk));
      done();
    },
  });
  const path = writeConfig(folder.path, simulator.origin, options.config);
  const begin = (): Promise<Bridge> => {
    const { settings } = loadConfig({ path, env: {} });
    const log = createLogger(settings.log.level, sink);
    return startBridge({ settings, clock, log, instance: 'test', version: '0.0.0-test', tmpDir: tmpdir() });
  };
  let bridge = await begin();
  return {
    get bridge() {
      return bridge;
    },
    simulator,
    get gateway() {
      return `http://127.0.0.1:${bridge.gateway?.port}`;
    },
    get control() {
      return `http://127.0.0.1:${bridge.control.port}`;
    },
    folder: folder.path,
    logs,
    reconfigure(change) {
      const changed = writeConfig(folder.path, simulator.origin, { ...options.config, ...change });
      bridge.apply(loadConfig({ path: changed, env: {} }).settings);
    },
    async restart() {
      await bridge.close();
      bridge = await begin();
    },
    async close() {
      await bridge.close();
      await simulator.close();
      folder[Symbol.dispose]();
    },
  };
}
