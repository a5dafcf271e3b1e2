import { Secret } from '../../base/secret.ts';
import { checkConfig } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import { refusingUpstream } from '../../credentials/follower.ts';
import type { UpstreamId } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import { createUpstream } from '../../platforms/upstream.ts';
import { httpUrl } from '../run-bridge.ts';
import {
  type Check,
  type Database,
  type DoctorOptions,
  type Examination,
  type Finding,
  fail,
  skipped,
  type World,
} from './check.ts';
import { CHECKS } from './checks.ts';
import { openDatabase } from './open-database.ts';
import { type Reach, reachable, reachOrigin } from './reach.ts';
import { HOST_TRIALS } from './trials.ts';

/** Shorter texts are no secrets, and replacing them would garble what is said. */
const SHORTEST_SECRET = 8;

/**
 * Looks at everything, one check after the other, telling each finding as it is made. Never throws.
 *
 * @example
 * const findings = await examine({ config: 'open-bridge.json', offline: false, mint: false, command: [] }, world);
 */
export async function examine(
  options: DoctorOptions,
  world: World,
  tell: (finding: Finding) => void = () => {},
): Promise<readonly Finding[]> {
  const { exam, scrub, close } = createExamination(options, world);
  const findings: Finding[] = [];
  const blocked: Check[] = [];
  const add = (finding: Finding): void => {
    const told = scrub(finding);
    findings.push(told);
    tell(told);
  };
  try {
    for (const check of CHECKS) {
      if (check.needs !== 'nothing' && exam.config.settings === undefined) blocked.push(check);
      else if (check.needs === 'platform' && options.offline)
        add(skipped(check.name, 'asks the platform, which --offline rules out'));
      else if (check.needs === 'platform' && exam.config.settings?.follow !== undefined)
        add(skipped(check.name, 'this bridge follows another and never asks the platform itself'));
      else for (const finding of await run(check, exam)) add(finding);
    }
    if (blocked.length > 0) {
      const names = blocked.map(({ name }) => name).join(', ');
      add(
        skipped('the rest', `not looked at: ${names}`, 'mend the configuration first, then run this again'),
      );
    }
  } finally {
    await close();
  }
  return findings;
}

/** A check that trips over something nobody thought of must not take the others with it. */
async function run(check: Check, exam: Examination): Promise<readonly Finding[]> {
  try {
    return await check.run(exam);
  } catch (error) {
    return [fail(check.name, `the check itself failed: ${error instanceof Error ? error.message : error}`)];
  }
}

interface Started {
  readonly exam: Examination;
  readonly scrub: (finding: Finding) => Finding;
  readonly close: () => Promise<void>;
}

function createExamination(options: DoctorOptions, world: World): Started {
  const { env } = world;
  const config = checkConfig({ path: options.config, env });
  const hidden = new Map<string, Secret>();
  const hide = (secret: string): void => {
    if (secret.length >= SHORTEST_SECRET) hidden.set(secret, new Secret(secret));
  };
  for (const secret of [
    ...(config.settings?.apps ?? []).flatMap(app => app.secret?.reveal() ?? []),
    ...(config.settings?.storage.sealKeys ?? []).map(key => key.reveal()),
    s2sSecret(config.settings),
    config.settings?.follow?.key.reveal(),
    ...storagePasswords(config.settings),
    env['OPEN_BRIDGE_ADMIN_KEY'],
    env['OPEN_BRIDGE_CALLER_KEY'],
  ]) {
    if (secret !== undefined) hide(secret);
  }

  const settings: Examination['settings'] = () => {
    if (config.settings === undefined) throw new TypeError('the configuration cannot be used');
    return config.settings;
  };
  const follows = config.settings?.follow !== undefined;
  const upstream = follows ? refusingUpstream() : createUpstream({ origins: () => settings().upstream });
  const reaches = new Map<UpstreamId, Promise<Reach>>();
  let database: Promise<Database | undefined> | undefined;
  let runs: Promise<boolean> | undefined;
  const controlUrl =
    options.url ?? env['OPEN_BRIDGE_URL'] ?? configuredControl(config.settings?.listen.control);

  const exam: Examination = {
    ...{ options, world, config, controlUrl, upstream, settings, hide },
    egress: undefined,
    apps() {
      const { apps } = settings();
      const { app } = options;
      return app === undefined ? apps : apps.filter(({ name, appid }) => name === app || appid === app);
    },
    database() {
      database ??= openDatabase(exam);
      return database;
    },
    upstreams() {
      const used = new Set(exam.apps().map(({ platform }) => platformOf(platform).upstream));
      return used.size === 0 ? ['weixin'] : [...used];
    },
    reach(name) {
      const reach =
        reaches.get(name) ?? reachOrigin(settings().upstream[name], HOST_TRIALS[name].path, world);
      reaches.set(name, reach);
      return reach;
    },
    bridgeRuns() {
      runs ??= answers(controlUrl, world);
      return runs;
    },
  };
  const scrubText = (text: string): string =>
    [...hidden].reduce((told, [secret, shown]) => told.replaceAll(secret, String(shown)), text);
  return {
    exam,
    scrub: ({ advice, ...rest }) => ({
      ...rest,
      found: scrubText(rest.found),
      ...(advice !== undefined && { advice: scrubText(advice) }),
    }),
    async close() {
      await upstream.close();
      const opened = await database?.catch(() => undefined);
      await opened?.close();
    },
  };
}

function s2sSecret(settings: Settings | undefined): string | undefined {
  const s2s = settings?.s2s;
  return s2s?.type === 'sign' ? s2s.signKey.reveal() : s2s?.connectCode.reveal();
}

/** Passwords of database and Redis, as written and as meant. */
function storagePasswords(settings: Settings | undefined): readonly string[] {
  if (settings === undefined) return [];
  const { database, redis } = settings.storage;
  const urls = [
    ...(database.kind === 'sqlite' ? [] : [database.url]),
    ...(redis?.kind === 'single' ? [redis.url] : []),
  ];
  const written = urls.map(url => new URL(url.reveal()).password).filter(password => password !== '');
  const others =
    redis === undefined || redis.kind === 'single'
      ? []
      : [redis.password, redis.kind === 'sentinel' ? redis.sentinelUser.password : undefined];
  return [
    ...written,
    ...written.map(decodeURIComponent),
    ...others.flatMap(password => password?.reveal() ?? []),
  ];
}

/** Where a bridge with this configuration is reached from this machine. */
function configuredControl(
  listen: { readonly host: string; readonly port: number } | undefined,
): string | undefined {
  return listen === undefined || listen.port === 0 ? undefined : httpUrl(reachable(listen));
}

async function answers(url: string | undefined, { wire, timeoutMs }: World): Promise<boolean> {
  if (url === undefined) return false;
  const livez = await wire.ask({ url: new URL('/livez', url).href, timeoutMs }).catch(() => undefined);
  return livez?.json?.['status'] === 'ok';
}
