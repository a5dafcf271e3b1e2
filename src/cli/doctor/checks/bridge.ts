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
    if (status === 'ok') return ok('bridge', 'runs and is ready');
    const found = wrong.map(([name, state]) => `${name}: ${state}`).join('; ');
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
    const { apps } = await client.listApps();
    const { credentials } = await client.listCredentials();
    const { settings } = exam.config;
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
      ...credentials.filter(({ appid }) => looked?.has(appid) ?? true).map(judge),
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
