// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../../src/base/secret.ts';
import { createSealer } from '../../src/stores/sealing.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { callersOf, makeKeys } from './callers.ts';
import { driveBadCalls, message } from './calls.ts';
import { faultyConfig, runHere } from './commands.ts';
import { evidenceOf } from './evidence.ts';
import { driveFunctionRefusals, driveFunctions } from './functions.ts';
import { createHttp } from './http.ts';
import type { CanaryKind } from './planted.ts';
import { createProcesses } from './processes.ts';
import { IN_USE, REFUSED, reload, rewrite } from './reloads.ts';
import { driveRefusals, driveRoutes } from './routes.ts';
import {
  APPS,
  DCLOUD,
  hiding,
  plantSealKey,
  STAGING,
  type Stage,
  type StageOptions,
  serve,
} from './stage.ts';
import type { Users } from './users.ts';

/**
 * All that a follower may show, whatever is asked of it: the stand-ins that it makes itself, and names that it
 * was sent. Nothing of the platform and nothing of the bridge that it follows is ever at home there.
 */
const OF_A_FOLLOWER: readonly CanaryKind[] = ['virtual-token', 'id'];

/** With what the names of its evidence begin. */
export const FOLLOWERS = 'follower’s';

const [SHOP, NEWS, , , QQ] = APPS;
const [CHECK, INFO, CODE, ADDRESSES] = STAGING.allow;

/** Starts a bridge that follows the one of a stage, with store, folder and secrets of its own. It ends with the test. */
export async function openFollower(followed: Stage, options: StageOptions): Promise<Stage> {
  const { planted, simulator, secrets } = followed;
  const folder = temporaryFolder();
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const evidence = evidenceOf(FOLLOWERS, OF_A_FOLLOWER, followed.evidence);
  const backend = await options.open({ folder, planted, evidence });
  const env: Record<string, string> = { TMPDIR: temporary };
  const hidden = hiding({ folder, env, secretsIn: options.secretsIn });
  const keys = makeKeys(planted, true, ' at the follower');
  const sealKey = plantSealKey(planted, 'follower’s');
  const s2s = { type: options.s2s, secret: planted.make('s2s-secret', 's2s at the follower') };
  writeFileSync(join(folder, 'followed-ca.crt'), followed.ca);
  const config = {
    follow: {
      gateway: followed.gatewayTls,
      key: hidden('key-follow', planted.make('key', STAGING.key)),
      ca: '${file:./followed-ca.crt}',
    },
    apps: APPS.map(({ name, platform, appid }) => ({
      ...{ name, platform, appid, dcloudAppid: DCLOUD },
      ...(name === 'shop' && { default: true }),
    })),
    openapi: { allow: ['/*'] },
    callers: callersOf(keys, hidden),
    s2s: { type: s2s.type, [s2s.type === 'sign' ? 'signKey' : s2s.type]: hidden('s2s', s2s.secret) },
    admin: { keys: [hidden('key-admin', keys.admin)] },
    storage: {
      database: hidden('database', backend.storage.database),
      ...(backend.storage.redis !== undefined && { redis: hidden('redis', backend.storage.redis) }),
      sealKey: hidden('seal-key', sealKey),
    },
    listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:0', gatewayTls: '127.0.0.1:0' },
    gateway: { certificateFile: './gateway-ca.crt' },
    log: { level: 'debug' },
  };
  const configPath = join(folder, 'open-bridge.json');
  writeFileSync(configPath, JSON.stringify(config, null, 2));
  const processes = createProcesses(folder, env, evidence);
  const { bridge, ...origins } = await serve(processes);
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
    ...{ ...origins, s2s, http: createHttp(evidence), sealer: createSealer([new Secret(sealKey)]) },
    ca: readFileSync(join(folder, 'gateway-ca.crt'), 'utf8'),
  };
}

/** Everything there is to do with a follower while the bridge that it follows runs, with its own store and without. */
export async function driveFollower(follower: Stage, followed: Stage, users: Users): Promise<void> {
  await driveRelayed(follower, users);
  await driveSdk(follower);
  await driveOwnRoutes(follower, users);
  await driveFunctions(follower, users, false);
  await Promise.all([
    driveRefusals(follower),
    driveFunctionRefusals(follower, users),
    driveBadCalls(follower, users),
  ]);
  await driveFollowerCommands(follower);
  await driveFollowerReloads(follower, followed);
  const giveBack = await follower.backend.takeAway();
  const asked = { target: INFO, headers: { 'x-bridge-key': follower.keys.orders } };
  await expectStatus(follower.http.ask(follower.gateway, asked), 200);
  await driveOwnRoutes(follower, users);
  await giveBack();
}

/** The control API. What the platform was told to say when it is asked is taken back, as a follower never asks. */
async function driveOwnRoutes(follower: Stage, users: Users): Promise<void> {
  const { faults } = follower.simulator;
  const before = new Set(faults.list().map(({ id }) => id));
  await driveRoutes(follower, users, false);
  for (const { id } of faults.list()) if (!before.has(id)) faults.clear(id);
}

/** Asks of a follower what can only be had at the bridge that it follows, once that is gone; then ends it. */
export async function endFollower(follower: Stage): Promise<void> {
  const { http, control, gateway, keys, bridge, backend } = follower;
  await expectStatus(http.ask(gateway, { target: INFO, headers: { 'x-bridge-key': keys.orders } }), 502);
  await http.ask(control, { target: '/readyz' });
  bridge.signal('SIGTERM');
  const code = await bridge.ended();
  if (code !== 0) throw new Error(`the follower ends with ${code}`);
  await backend.keepContents();
}

async function expectStatus<Answer extends { readonly status: number; readonly text: string }>(
  asked: Promise<Answer>,
  status: number,
): Promise<Answer> {
  const answer = await asked;
  if (answer.status !== status)
    throw new Error(`a follower does not answer ${status}: ${answer.status} ${answer.text}`);
  return answer;
}

/** Calls that the bridge that is followed does or refuses, with a platform that does well or not. */
async function driveRelayed(follower: Stage, users: Users): Promise<void> {
  const { http, gateway, gatewayTls, ca, keys, planted, simulator } = follower;
  const headers = { 'x-bridge-key': keys.orders };
  const get = (target: string) => http.ask(gateway, { target, headers });
  const check = { method: 'POST', target: CHECK, headers, body: message(follower, users.shop) };
  const query = `from_appid=${NEWS.appid}&openid=${users.news}&key=${planted.make('sent', 'key in a query')}`;
  await expectStatus(http.ask(gateway, check), 200);
  await expectStatus(get(`${ADDRESSES}?${query}`), 200);
  await expectStatus(http.ask(gateway, { method: 'POST', target: CODE, headers, body: { path: 'a' } }), 200);
  for (const version of [1, 2] as const) await expectStatus(http.askTls(gatewayTls, version, ca, check), 200);
  // A token that a program brings is good at the bridge that is followed.
  const [ours = ''] = simulator.state.tokens(SHOP.appid, 'stable');
  const own = [ours, planted.make('sent', 'token of the caller that is none')];
  for (const token of own) await expectStatus(get(`${INFO}?access_token=${token}`), 200);

  // What that bridge does not allow to its caller comes back as it says it.
  for (const target of [`/tcb/unlisted?${query}`, `${INFO}?from_appid=${QQ.appid}`, '/cgi-bin/nothing'])
    await expectStatus(get(target), 403);
  for (const type of ['jsapi', 'wx_card'])
    await expectStatus(get(`/cgi-bin/ticket/getticket?type=${type}&from_appid=${NEWS.appid}`), 403);
  const sent = planted.make('sent', 'value of a header between bridges');
  for (const name of ['x-bridge-hops', 'x-bridge-host', 'x-openapi-seqid-followed'])
    await http.ask(gateway, { target: INFO, headers: { ...headers, [name]: sent } });

  for (const effect of [
    { kind: 'errcode', errcode: 40001 } as const,
    { kind: 'revoke' } as const,
    { kind: 'cut', at: 'body' } as const,
    { kind: 'blob', bytes: 400_000 } as const,
  ]) {
    const id = simulator.faults.add({ ...effect, path: CHECK });
    // A broken answer of the platform is handed on broken, which is no answer to whoever asks.
    await http.ask(gateway, check).catch(() => undefined);
    simulator.faults.clear(id);
  }
}

/** An unchanged SDK, whose secret is a key of the follower's, or by mistake that of the app. */
async function driveSdk({ http, gateway, keys, planted, secrets }: Stage): Promise<void> {
  const asSdk = (secret: string, appid: string = SHOP.appid) => ({
    ...{ grant_type: 'client_credential', appid, secret },
  });
  const may: readonly CanaryKind[] = ['virtual-token'];
  const byKey = { target: `/cgi-bin/token?${new URLSearchParams(asSdk(keys.orders))}`, may };
  const stable = { method: 'POST', target: '/cgi-bin/stable_token', may };
  const given = [
    await expectStatus(http.ask(gateway, byKey), 200),
    await expectStatus(http.ask(gateway, { ...stable, body: asSdk(keys.legacy, NEWS.appid) }), 200),
  ];
  for (const [at, { json, text }] of given.entries()) {
    const token = String(json['access_token']);
    if (!token.startsWith('OBV1')) throw new Error(`no virtual token: ${text}`);
    planted.add('virtual-token', 'virtual token of a follower', token.slice(-22));
    const headers = { 'x-bridge-key': [keys.orders, keys.legacy][at] ?? '' };
    await expectStatus(http.ask(gateway, { target: `${INFO}?access_token=${token}`, headers }), 200);
    await http.ask(gateway, { target: `${INFO}?access_token=${token.slice(0, -2)}xx`, headers });
  }
  await http.ask(gateway, { ...stable, body: asSdk(secrets['shop'] ?? '') });
  await http.ask(gateway, { ...stable, body: asSdk(planted.make('key', STAGING.key)) });
}

/** Commands that have something to say of a follower. */
async function driveFollowerCommands(follower: Stage): Promise<void> {
  const { configPath, folder } = follower;
  const config = ['--config', configPath];
  for (const words of [
    ['config', 'check', configPath],
    ['doctor', ...config, '--json'],
    ['credentials', 'list', '--json'],
    ['credentials', 'rotate', 'shop'],
    ['callers', 'list'],
    ['calls', '--last', '200', '--json'],
    ['audit', 'list', '--last', '500'],
    ['audit', 'export', '--out', join(folder, 'audit.jsonl'), ...config],
    ['data', 'backup', '--out', join(folder, 'backup.jsonl'), '--history', ...config],
    ['data', 'export', '--out', join(folder, 'all.json'), ...config],
    ['keys', 'leak-drill', 'news'],
  ])
    await runHere(follower, words);
}

/** Changes the file of a running follower: to wrong ways to the other bridge, to faulty files, and back. */
async function driveFollowerReloads(follower: Stage, followed: Stage): Promise<void> {
  const { http, gateway, gatewayTls, keys, planted, config, simulator, secrets } = follower;
  const follow = config['follow'] as Readonly<Record<string, string>>;
  const { ca: _, ...plain } = follow;
  const call = () => http.ask(gateway, { target: INFO, headers: { 'x-bridge-key': keys.orders } });
  const trials: readonly (readonly [change: Record<string, unknown>, status: number])[] = [
    [{ follow: { ...follow, key: followed.keys.nobody } }, 502],
    [{ follow: { ...follow, key: followed.keys.expired } }, 502],
    [{ follow: { ...plain, gateway: followed.gateway } }, 200],
    // With callers it would not take its own key.
    [{ follow: { ...plain, gateway }, callers: [] }, 508],
    [{ follow: { ...follow, gateway: gatewayTls } }, 502],
    [{ follow: plain }, 502],
    [{ follow: { ...plain, gateway: simulator.origin } }, 502],
    [{ follow: { ...plain, gateway: 'http://127.0.0.1:9' } }, 502],
  ];
  for (const [change, status] of trials) {
    await reload(follower, change);
    await expectStatus(call(), status);
  }
  await reload(follower, {});

  const misplaced = planted.make('misplaced', 'secret in a faulty reload of a follower');
  const apps = config['apps'] as readonly { readonly name: string }[];
  const withSecrets = apps.map(app => ({ ...app, secret: secrets[app.name] }));
  const faulty = [
    faultyConfig(config, misplaced),
    { ...config, follow: misplaced },
    {
      ...config,
      follow: { gateway: misplaced, key: [misplaced], ca: `-----BEGIN ${misplaced}`, control: misplaced },
    },
    { ...config, follow: { ...follow, gateway: `https://host/?key=${misplaced}`, keys: [misplaced] } },
    { ...config, apps: withSecrets },
    // Its role is not to be changed while it runs.
    { ...config, follow: undefined, apps: withSecrets },
  ];
  for (const each of faulty) await rewrite(follower, JSON.stringify(each), REFUSED);
  await rewrite(follower, JSON.stringify(config), IN_USE);
  await expectStatus(call(), 200);
}
