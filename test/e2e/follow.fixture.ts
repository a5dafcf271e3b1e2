import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import { type Bridge, startBridge } from '../../src/server/bridge.ts';
import { createLogger } from '../../src/server/logger.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { NEWS, SHOP, startTestBridge, type TestBridge, temporaryFolder } from '../support/bridge.ts';

/** What the tests of following share: the bridge that is followed, and bridges that follow. */

export const FOLLOW_KEY = 'canary-follow-key-0123456789abcdef';
export const ADMIN_KEY = 'canary-admin-key-0123456789abcdef';

/** The caller that followers are, at the bridge that is followed. */
export const FOLLOWER = { name: 'staging', key: FOLLOW_KEY, scopes: ['call'] } as const;

/** The bridge that is followed, with the caller above; it ends with the test. */
export async function startFollowed(
  options: Parameters<typeof startTestBridge>[0] = {},
): Promise<TestBridge> {
  const followed = await startTestBridge({
    ...options,
    config: { admin: { keys: [ADMIN_KEY] }, callers: [FOLLOWER], ...options.config },
  });
  onTestFinished(() => followed.close());
  return followed;
}

export interface Follower {
  readonly bridge: Bridge;
  /** Origin of the gateway. */
  readonly gateway: string;
  /** Origin of the control API, whose admin key is `ADMIN_KEY`. */
  readonly control: string;
  /** The configuration file. */
  readonly config: string;
  readonly logs: string[];
  /** Applies a changed configuration, as a reload does. */
  reconfigure(change: Record<string, unknown>): void;
}

export interface FollowerOptions {
  /** What is laid over the usual `follow`, which names the bridge that is followed. */
  readonly follow: { readonly gateway: string } & Record<string, unknown>;
  readonly config?: Record<string, unknown>;
  readonly clock?: Clock;
  /** A folder with a database from before. */
  readonly folder?: string;
  /** Puts into the settings what the configuration would refuse. */
  readonly alter?: (settings: Settings) => Settings;
}

/** The two apps as a follower has them. */
export const FOLLOWER_APPS = [
  { name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, default: true },
  { name: 'news', platform: 'weixin-h5', appid: NEWS.appid },
];

/** Writes the configuration of a follower into a folder. */
export function writeFollowerConfig(
  folder: string,
  follow: FollowerOptions['follow'],
  change: Record<string, unknown> = {},
): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'open-bridge.json');
  const key = join(folder, 'seal.key');
  if (!existsSync(key)) writeFileSync(key, newSealKey());
  const config = {
    apps: FOLLOWER_APPS,
    openapi: { allow: ['/*'] },
    storage: { database: 'sqlite:./open-bridge.db', sealKey: `\${file:./seal.key}` },
    admin: { keys: [ADMIN_KEY] },
    log: { level: 'debug' },
    listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:0', gatewayTls: '127.0.0.1:0' },
    follow: { key: FOLLOW_KEY, ...follow },
    ...change,
  };
  writeFileSync(path, JSON.stringify(config, null, 2));
  return path;
}

/** Starts a follower; it ends with the test. */
export async function startFollower(options: FollowerOptions): Promise<Follower> {
  const { clock = systemClock, alter = settings => settings } = options;
  const own = options.folder === undefined ? temporaryFolder() : undefined;
  const folder = options.folder ?? own?.path ?? '';
  const config = writeFollowerConfig(folder, options.follow, options.config);
  const logs: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logs.push(String(chunk));
      done();
    },
  });
  const settings = alter(loadConfig({ path: config, env: {} }).settings);
  const bridge = await startBridge({
    settings,
    clock,
    log: createLogger(settings.log.level, sink),
    ...{ instance: 'follower', version: '0.0.0-test', tmpDir: tmpdir() },
  });
  onTestFinished(async () => {
    await bridge.close();
    own?.[Symbol.dispose]();
  });
  return {
    bridge,
    gateway: `http://127.0.0.1:${bridge.gateway?.port}`,
    control: `http://127.0.0.1:${bridge.control.port}`,
    config,
    logs,
    reconfigure(change) {
      const path = writeFollowerConfig(folder, options.follow, { ...options.config, ...change });
      bridge.apply(alter(loadConfig({ path, env: {} }).settings));
    },
  };
}

/** An answer of a gateway, with everything that can be seen of it. */
export interface Seen {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly seqid: string;
  /** Ids at the bridges that were followed. */
  readonly followed: string | null;
  /** Headers and body as text, to look for what must not be there. */
  readonly text: string;
}

/** Calls through a gateway and reads a JSON answer. */
export async function call(gateway: string, path: string, init: RequestInit = {}): Promise<Seen> {
  const answer = await fetch(`${gateway}${path}`, init);
  const text = await answer.text();
  return {
    status: answer.status,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    seqid: answer.headers.get('x-openapi-seqid') ?? '',
    followed: answer.headers.get('x-openapi-seqid-followed'),
    text: JSON.stringify([...answer.headers]) + text,
  };
}

/** Asks a control API as its administrator. */
export async function ask(control: string, path: string, body?: unknown): Promise<Seen> {
  return call(control, path, {
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
}
