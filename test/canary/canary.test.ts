import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../src/base/errors.ts';
import { METHOD_NAMES, METHODS } from '../../src/common/methods.ts';
import { ROUTES } from '../../src/contract/routes.ts';
import { describeOn, postgresServer } from '../support/database-servers.ts';
import { describeOnRedis } from '../support/redis-server.ts';
import { serversBackend, sqliteBackend } from './backends.ts';
import { driveBadCalls, driveCalls, driveFaultyCalls } from './calls.ts';
import { COMMAND_DRIVES, commandNames, driveCommands, FILES_OF_VALUES } from './commands.ts';
import { driveFailures } from './failures.ts';
import { driveFollower, endFollower, FOLLOWERS, openFollower } from './follower.ts';
import { driveFunctionRefusals, driveFunctions, driveRefresh, KIND_DRIVES } from './functions.ts';
import { CANARY_KINDS, type CanaryKind } from './planted.ts';
import { driveBadStarts, driveReloads } from './reloads.ts';
import { driveRefusals, driveRoutes, ROUTE_DRIVES } from './routes.ts';
import { openStage, type Stage, type StageOptions } from './stage.ts';
import { driveLogins, type Users } from './users.ts';

const LONGEST_MS = 240_000;

/** Errors that no request brings about here, with the reason. */
const UNPROVOKED: Readonly<Record<string, string>> = {
  INTERNAL: 'would be a fault of ours; answer-errors.test.ts and logger.test.ts see to what is logged of one',
  SEAL_BROKEN: 'is brought about by a start, and told in words',
  CONFIG_INVALID: 'is brought about by starts and reloads, and told in words',
};

/** Everything there is to do with a bridge, good and bad, and with one that follows it; resolves to that one. */
async function driveEverything(stage: Stage, options: StageOptions, asScripts: boolean): Promise<Stage> {
  const users = await driveLogins(stage);
  await driveCalls(stage, users);
  await driveFailures(stage);
  await driveRefresh(stage, users);
  await driveRoutes(stage, users);
  await driveFunctions(stage, users);
  await driveLogins(stage);
  await Promise.all([driveBadCalls(stage, users), driveRefusals(stage), driveFunctionRefusals(stage, users)]);
  await driveFaultyCalls(stage, users);
  await stage.backend.keepContents();
  await driveCommands(stage, asScripts);
  await driveReloads(stage);
  await driveBadStarts(stage);
  const follower = await openFollower(stage, options);
  await driveFollower(follower, stage, users);
  await driveOutage(stage, users);
  await stage.backend.keepContents();
  return follower;
}

/** The same requests while the store is away. */
async function driveOutage(stage: Stage, users: Users): Promise<void> {
  const giveBack = await stage.backend.takeAway();
  const before = stage.evidence.size('answer 503');
  await Promise.all([
    driveRoutes(stage, users, false),
    driveFunctions(stage, users, false),
    driveBadCalls(stage, users),
    driveFailures(stage),
  ]);
  await giveBack();
  expect(stage.evidence.size('answer 503')).toBeGreaterThan(before);
}

/** Files that the run's processes left behind: in the folder they ran in, and in that for temporary ones. */
function keepFiles({ folder, evidence, configPath }: Stage): void {
  const ours = new Set(['faulty.json', 'faulty.jsonl', 'broken.json', 'draft.json']);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter(each => statSync(join(folder, each)).isFile())) {
    const isOurs = ours.has(name) || /^(start-|center|faulty-center)|\.secret$/.test(name);
    if (isOurs || name in FILES_OF_VALUES || join(folder, name) === configPath) continue;
    const may: CanaryKind[] = /\.db|backup/.test(name) ? ['openid'] : [];
    evidence.add(`file ${name}`, readFileSync(join(folder, name)), may);
  }
}

/** Where the prefix of a private key on P-256 ends, which all of them share, and where its public half begins. */
const [SCALAR_FROM, SCALAR_TO] = [50, 88];

/** Plants the keys that the bridge made itself: of its certificates, and of virtual tokens. */
async function plantMadeKeys({ backend, sealer, planted }: Stage): Promise<void> {
  const rows = await backend.settings();
  const opened = (wanted: string): string => {
    const { name, value } = rows.find(row => row.name === wanted) ?? { name: wanted, value: '' };
    const text = sealer.open(value, name);
    if (text === value) throw new Error(`${wanted} is not sealed`);
    return text;
  };
  planted.add('made-key', 'key of virtual tokens', opened('virtual-token-key'));
  const { privateKey } = JSON.parse(opened('gateway-ca')) as { readonly privateKey: string };
  const body = privateKey.replaceAll(/-----[^-]+-----|\n/g, '');
  planted.add('made-key', 'key of certificates', body.slice(SCALAR_FROM, SCALAR_TO));
}

/** Kinds that nobody is ever handed, so that there is no place where they belong. */
const NEVER_SEEN: ReadonlySet<CanaryKind> = new Set([
  ...(['app-secret', 'key', 'seal-key', 'made-key', 's2s-secret', 'password'] as const),
  ...(['code', 'sent', 'misplaced'] as const),
]);

/** Drives everything and searches everything; resolves to what stands where it does not belong. */
async function leaksOf(options: StageOptions, asScripts: boolean): Promise<readonly string[]> {
  const stage = await openStage(options);
  const { bridge, evidence, planted } = stage;
  const follower = await driveEverything(stage, options, asScripts);
  bridge.signal('SIGTERM');
  expect(await bridge.ended()).toBe(0);
  await endFollower(follower);
  for (const each of [stage, follower]) {
    keepFiles(each);
    await plantMadeKeys(each);
  }

  const output = bridge.output() + follower.bridge.output();
  const codes = new Set(output.match(/(?<="(?:code|failure|outcome)":")[A-Z_]+/g));
  const missing = Object.keys(ERRORS).filter(code => !codes.has(code) && !(code in UNPROVOKED));
  expect(missing, 'errors that nothing brought about').toEqual([]);
  for (const whose of ['', `${FOLLOWERS} `])
    for (const place of ['answer', 'output', 'arguments', 'table', 'file'])
      expect(evidence.size(whose + place), `what is searched of ${whose}${place}`).toBeGreaterThan(0);

  const { leaks, atHome } = evidence.search(planted);
  const kinds = new Set(planted.all().map(({ kind }) => kind));
  expect(
    CANARY_KINDS.filter(kind => !kinds.has(kind) && !(kind === 'password' && options.secretsIn === 'file')),
    'kinds that were not planted',
  ).toEqual([]);
  expect(
    CANARY_KINDS.filter(kind => !atHome.has(kind) && !NEVER_SEEN.has(kind)),
    'kinds that were not found where they belong',
  ).toEqual([]);
  return leaks;
}

describe('everything there is', () => {
  test('every route is driven', () => {
    expect(Object.keys(ROUTE_DRIVES).sort()).toEqual(Object.keys(ROUTES).sort());
  });

  test('every function is driven', () => {
    const kinds = METHOD_NAMES.map(name => METHODS[name].kind);
    expect(new Set(Object.keys(KIND_DRIVES))).toEqual(new Set(kinds));
  });

  test('every command is driven, or excused for a reason', async () => {
    expect(Object.keys(COMMAND_DRIVES).sort()).toEqual([...(await commandNames())].sort());
  });
});

describe('nothing secret is seen anywhere', () => {
  test(
    'SQLite',
    async () => {
      const options = { secretsIn: 'file', s2s: 'connectCode', adminKey: true } as const;
      expect(await leaksOf({ name: 'sqlite', open: sqliteBackend, ...options }, true)).toEqual([]);
    },
    LONGEST_MS,
  );
});

await describeOn(postgresServer, 'nothing secret is seen anywhere', async () => {
  await describeOnRedis('with Redis', () => {
    test(
      'by people',
      async () => {
        const options = { secretsIn: 'env', s2s: 'sign', adminKey: false } as const;
        expect(await leaksOf({ name: 'servers', open: serversBackend, ...options }, false)).toEqual([]);
      },
      LONGEST_MS,
    );
  });
});
