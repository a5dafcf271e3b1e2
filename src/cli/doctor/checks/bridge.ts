import { type Client, ClientError, createClient } from '../../../client/client.ts';
import type { CredentialStatusBody } from '../../../contract/credentials.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';

const KEY_ADVICE =
  'put its admin key into OPEN_BRIDGE_ADMIN_KEY, or a caller key with the scope credential:read into OPEN_BRIDGE_CALLER_KEY';

/** The bridge that runs: whether it is ready, of this version and configuration, and what it could not get. */
export const bridge: Check = {
  name: 'bridge',
  needs: 'nothing',
  async run(exam) {
    const { controlUrl: url, world, options } = exam;
    if (url === undefined)
      return [skipped('bridge', 'not asked: nothing tells where its control API is', 'name it with --url')];
    if (!(await exam.bridgeRuns()))
      return [
        warn(
          'bridge',
          `none answers at ${url}`,
          `start it: open-bridge serve --config ${options.config}\nif it runs elsewhere, name its control API with --url`,
        ),
      ];
    const client = createClient({
      url,
      adminKey: world.env['OPEN_BRIDGE_ADMIN_KEY'],
      callerKey: world.env['OPEN_BRIDGE_CALLER_KEY'],
      timeoutMs: world.timeoutMs,
    });
    return [await readiness(client), ...(await version(url, exam)), ...(await view(client, exam))];
  },
};

async function readiness(client: Client): Promise<Finding> {
  try {
    const { status, checks } = await client.readyz();
    const wrong = Object.entries(checks).filter(([, state]) => state !== 'ok');
    if (status === 'draining')
      return warn('bridge', 'runs and is about to stop', 'look again when it has been started anew');
    const found = wrong.map(([name, state]) => `${name}: ${state}`).join('; ');
    if (status === 'ok' && wrong.length === 0) return ok('bridge', 'runs and is ready');
    if (status === 'ok')
      return warn(
        'bridge',
        `runs and is ready, but not at its best (${found})`,
        'see what is said of these above',
      );
    return fail('bridge', `runs but is not ready (${found})`, 'see what is said of these above, and its log');
  } catch (error) {
    return fail('bridge', `runs but does not say whether it is ready: ${messageOf(error)}`, 'see its log');
  }
}

async function version(url: string, { world }: Examination): Promise<readonly Finding[]> {
  const { wire, timeoutMs } = world;
  const document = await wire
    .ask({ url: new URL('/v1/openapi.json', url).href, timeoutMs })
    .catch(() => undefined);
  const info = document?.json?.['info'] as { readonly version?: unknown } | undefined;
  const running = info?.version;
  if (typeof running !== 'string' || running === world.version) return [];
  return [
    warn(
      'bridge',
      `is of version ${running}, this command of ${world.version}`,
      'use the same installation for both, or restart the bridge after an upgrade',
    ),
  ];
}

async function view(client: Client, exam: Examination): Promise<readonly Finding[]> {
  try {
    const { settings } = exam.config;
    const { apps } = await client.listApps();
    // A bridge that follows another has none to tell of.
    const { credentials } =
      settings?.follow === undefined ? await client.listCredentials() : { credentials: [] };
    const looked = settings === undefined ? undefined : new Set(exam.apps().map(({ appid }) => appid));
    const unknown = (settings === undefined ? [] : exam.apps()).filter(
      app => !apps.some(({ appid, platform }) => appid === app.appid && platform === app.platform),
    );
    return [
      ...unknown.map(app =>
        warn(
          `bridge: ${app.name}`,
          `the bridge that runs does not know ${app.appid} as ${app.platform}, or this key may not see it`,
          'it runs with another configuration, or could not take the changed one: see its log, then restart it',
        ),
      ),
      ...credentials
        .filter(({ appid }) => looked?.has(appid) ?? true)
        .flatMap(status => [
          isManaged(status, exam) ? judge(status) : judgePushed(status),
          ...judgeEarlyEnds(status),
        ]),
    ];
  } catch (error) {
    const refused = error instanceof ClientError && (error.status === 401 || error.status === 403);
    return [
      refused
        ? skipped('bridge: credentials', `it does not tell: ${messageOf(error)}`, KEY_ADVICE)
        : fail('bridge: credentials', messageOf(error), 'see its log'),
    ];
  }
}

function judge(status: CredentialStatusBody): Finding {
  const { app, kind, failure, fingerprint, expiresInSeconds } = status;
  const name = `bridge: ${app}`;
  const held =
    fingerprint === null
      ? `has no ${kind}`
      : `holds ${kind} ${fingerprint}${expiresInSeconds === null ? '' : `, ${expiresInSeconds} s left`}`;
  const dead = expiresInSeconds !== null && expiresInSeconds <= 0;
  if (failure !== null) {
    const because = `${failure.errcode ?? ''} ${failure.errmsg}`.trim();
    const found = `${held}; the last ${failure.failures} tries for a new one failed: ${because}`;
    const advice = `${failure.hint ?? 'see what is said of this app above'}\ntried again by itself at ${failure.retryAt}`;
    return (fingerprint === null || dead ? fail : warn)(name, found, advice);
  }
  if (dead)
    return warn(
      name,
      held,
      'it is renewed when it is asked for, or in the background if the schedule says so',
    );
  return ok(name, held);
}

/** Somebody else replaces the credential. */
function judgeEarlyEnds({ app, kind, earlyEnds }: CredentialStatusBody): readonly Finding[] {
  if (earlyEnds === null || earlyEnds.lastDay === 0) return [];
  const { lastDay, lastAt, likelyCause, advice } = earlyEnds;
  const found = `its ${kind} died before its time ${lastDay} times in 24 h, last at ${lastAt}: ${likelyCause}`;
  return [warn(`bridge: ${app}`, found, advice)];
}

/** As configured here; an app that is not is taken for one of the usual kind. */
function isManaged({ appid, platform }: CredentialStatusBody, { config }: Examination): boolean {
  const app = config.settings?.apps.find(each => each.appid === appid && each.platform === platform);
  return app?.managed ?? true;
}

/** What is only pushed in is not renewed by anybody here, and not missed while nobody asks for it. */
function judgePushed({ app, kind, fingerprint, expiresInSeconds }: CredentialStatusBody): Finding {
  const name = `bridge: ${app}`;
  const advice = `have your token server push the ${kind} in: see "${app}: values" above`;
  if (fingerprint === null) return warn(name, `has no ${kind}: none was pushed in`, advice);
  const held = `holds ${kind} ${fingerprint}, which was pushed in`;
  if (expiresInSeconds === null) return ok(name, held);
  if (expiresInSeconds <= 0) return warn(name, `${held} and has ended`, advice);
  return ok(name, `${held}, ${expiresInSeconds} s left`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
