// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { createSealer, type Sealer } from '../../src/stores/sealing.ts';
import { APPS, DCLOUD } from '../support/platform-apps.ts';
import { temporaryFolder } from '../support/temporary.ts';
import type { Backend, BackendOptions } from './backends.ts';
import { callersOf, type Hide, type Keys, makeKeys } from './callers.ts';
import { createEvidence, type Evidence } from './evidence.ts';
import { breakApps, FAILING, failingAppid } from './failing-apps.ts';
import { createHttp, type Http } from './http.ts';
import { createPlanted, type Planted } from './planted.ts';
import { createProcesses, type Processes, type Running } from './processes.ts';

export { APPS, DCLOUD };

/** The caller that the follower is, at the bridge that it follows. */
export const STAGING = {
  ...{ name: 'staging', key: 'key of staging', lifeMs: 86_400_000 },
  allow: ['/wxa/msg_sec_check', '/wxa/getwxadevinfo', '/wxa/getwxacode', '/cgi-bin/get_api_domain_ip'],
} as const;

/** Where a bridge writes the certificate of its authority, in its folder. */
export const CERTIFICATE_FILE = 'gateway-ca.crt';

/** What the drivers of a run work with. */
export interface Stage {
  readonly folder: string;
  readonly planted: Planted;
  readonly evidence: Evidence;
  readonly http: Http;
  readonly processes: Processes;
  readonly backend: Backend;
  readonly simulator: Simulator;
  readonly keys: Keys;
  readonly secrets: Readonly<Record<string, string>>;
  /** Opens what the bridge seals. */
  readonly sealer: Sealer;
  readonly s2s: { readonly type: 'connectCode' | 'sign'; readonly secret: string };
  readonly bridge: Running;
  readonly control: string;
  readonly gateway: string;
  readonly gatewayTls: string;
  /** PEM of what callers over HTTPS must trust. */
  readonly ca: string;
  readonly configPath: string;
  /** The configuration, to be written again with a change. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** How a run is set up. */
export interface StageOptions {
  readonly name: string;
  readonly open: (options: BackendOptions) => Promise<Backend>;
  /** Where the configuration has its secrets: in variables of the environment, or in files. */
  readonly secretsIn: 'env' | 'file';
  readonly s2s: 'connectCode' | 'sign';
  /** Without, the bridge makes an admin key of its own at its first start. */
  readonly adminKey: boolean;
}

/** Starts platform, store and bridge, with a canary wherever a secret can be. All of it ends with the test. */
export async function openStage({ name, open, secretsIn, s2s, adminKey }: StageOptions): Promise<Stage> {
  const folder = temporaryFolder();
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const planted = createPlanted(name);
  const evidence = createEvidence();
  const { make } = planted;

  const apps = [
    ...APPS,
    ...FAILING.map(
      app => ({ name: app, platform: 'weixin-mp', type: 'mp', appid: failingAppid(app) }) as const,
    ),
  ];
  const secrets = Object.fromEntries(
    apps.map(app => [app.name, make('app-secret', `secret of ${app.name}`)]),
  );
  const simulator = await startSimulator({
    seed: name,
    accounts: apps.map(({ appid, type, name: app }) => ({
      ...{ appid, type, secret: secrets[app] ?? '' },
      // Its users' tokens are over soon, so that they are renewed.
      ...(app === 'site' && { users: { accessTokenLifeSeconds: 1 } }),
    })),
    onMint: (kind, value) => void planted.add(kind, `${kind} of the platform`, value),
  });
  onTestFinished(() => simulator.close());
  breakApps(simulator, app => secrets[app] ?? '');

  const keys = makeKeys(planted, adminKey);
  const sealKeys = [plantSealKey(planted, 'present'), plantSealKey(planted, 'former')] as const;
  const s2sSecret = make('s2s-secret', s2s);
  const backend = await open({ folder, planted, evidence });

  const env: Record<string, string> = { TMPDIR: temporary };
  const hidden = hiding({ folder, env, secretsIn });
  const { origin } = simulator;
  const config = {
    apps: apps.map(({ name: app, platform, appid }) => ({
      ...{ name: app, platform, appid, secret: hidden(`secret-${app}`, secrets[app] ?? '') },
      ...(APPS.some(each => each.name === app) && { dcloudAppid: DCLOUD }),
      ...(app === 'shop' && { default: true }),
      // The secret travels in a URL then.
      ...(['cut', 'garbled', 'down'].includes(app) && { tokenEndpoint: 'classic' }),
    })),
    openapi: { allow: ['/wxa/*', '/cgi-bin/*', '/api/*'] },
    callers: [
      ...callersOf(keys, hidden),
      {
        ...{ name: STAGING.name, key: hidden('key-staging', make('key', STAGING.key)) },
        ...{ scopes: ['call'], apps: ['shop', 'news'], allow: STAGING.allow },
        // Soon enough to be warned of.
        expires: new Date(Date.now() + STAGING.lifeMs).toISOString(),
      },
    ],
    s2s: { type: s2s, [s2s === 'sign' ? 'signKey' : s2s]: hidden('s2s', s2sSecret) },
    ...(adminKey && { admin: { keys: [hidden('key-admin', keys.admin)] } }),
    storage: {
      database: hidden('database', backend.storage.database),
      ...(backend.storage.redis !== undefined && { redis: hidden('redis', backend.storage.redis) }),
      sealKey: [hidden('seal-key', sealKeys[0]), hidden('seal-key-former', sealKeys[1])],
    },
    listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:0', gatewayTls: '127.0.0.1:0' },
    upstream: { weixin: origin, qq: origin, qqConnect: origin },
    gateway: {
      ...{ maxRequestBytes: 300_000, maxResponseBytes: 300_000, replayMemoryBytes: 1000 },
      certificateFile: `./${CERTIFICATE_FILE}`,
    },
    log: { level: 'debug' },
  };
  const configPath = join(folder, 'open-bridge.json');
  writeFileSync(configPath, JSON.stringify(config, null, 2));

  const processes = createProcesses(folder, env, evidence);
  const { bridge, ...origins } = await serve(processes);
  if (!adminKey)
    keys.admin = planted.add('key', 'admin key', valueIn(bridge.output(), /shown only this once: (\S+)/));
  Object.assign(env, { OPEN_BRIDGE_ADMIN_KEY: keys.admin, OPEN_BRIDGE_URL: origins.control });
  return {
    ...{
      folder,
      planted,
      evidence,
      processes,
      backend,
      simulator,
      keys,
      secrets,
      bridge,
      configPath,
      config,
    },
    http: createHttp(evidence),
    sealer: createSealer(sealKeys.map(key => new Secret(key))),
    s2s: { type: s2s, secret: s2sSecret },
    ...origins,
    ca: readFileSync(join(folder, CERTIFICATE_FILE), 'utf8'),
  };
}

/** Makes a seal key; what is planted is both what it is made of and how it is written. */
export function plantSealKey({ make, add }: Planted, which: string): string {
  const bytes = Buffer.from(make('seal-key', which, 32));
  return add('seal-key', `${which} seal key`, bytes.toString('base64'));
}

/** Puts secrets into variables of the environment, or into files beside the configuration. */
export function hiding(to: {
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly secretsIn: 'env' | 'file';
}): Hide {
  return (place, value) => {
    const variable = place.toUpperCase().replaceAll(/\W/g, '_');
    if (to.secretsIn === 'env') to.env[variable] = value;
    else writeFileSync(join(to.folder, `${place}.secret`), `${value}\n`, { mode: 0o600 });
    return to.secretsIn === 'env' ? `\${env:${variable}}` : `\${file:./${place}.secret}`;
  };
}

/** Starts a bridge and learns where it listens. */
export async function serve(processes: Processes) {
  const bridge = processes.start('serve', '--config', 'open-bridge.json');
  await bridge.printed('open-bridge is ready');
  return {
    bridge,
    control: valueIn(bridge.output(), /"control":"([^"]+)"/),
    gateway: valueIn(bridge.output(), /"gateway":"([^"]+)"/),
    gatewayTls: valueIn(bridge.output(), /"gatewayTls":"([^"]+)"/),
  };
}

function valueIn(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[1] ?? '';
}
