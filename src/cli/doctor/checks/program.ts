import { ERRORS } from '../../../base/errors.ts';
import type { ListenAddress } from '../../../config/settings.ts';
import { SEQID_HEADER } from '../../../gateway/headers.ts';
import { networkErrorCode } from '../../../platforms/network-error.ts';
import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { httpUrl } from '../../run-bridge.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';
import { isInternal, reachable } from '../reach.ts';
import { ACCOUNT_TRIALS, HOST_TRIALS, hostsServed } from '../trials.ts';
import { proxySays, waysTo } from '../ways.ts';
import type { Reply } from '../wire.ts';
import { watchProgram } from './program-run.ts';

/** Whether the gateway takes calls, and whether programs of this machine, or a given one, go through it. */
export const program: Check = {
  name: 'program',
  needs: 'nothing',
  async run(exam) {
    const { settings } = exam.config;
    const listen = settings?.listen.gateway;
    const gateway = listen === undefined || listen.port === 0 ? undefined : reachable(listen);
    const hosts = hostsServed(settings === undefined ? [] : exam.apps());
    // First, so that our own call is not taken for one of the program.
    const way =
      exam.options.command.length > 0
        ? await watchProgram(hosts, gateway, exam)
        : await Promise.all(hosts.map(host => wayOfThisMachine(host, gateway, exam)));
    return [await throughGateway(gateway, exam), ...way];
  },
};

/** One call as a program would make it. Whatever the answer, the mark in its headers shows who gave it. */
async function throughGateway(gateway: ListenAddress | undefined, exam: Examination): Promise<Finding> {
  const name = 'gateway';
  if (gateway === undefined) return skipped(name, 'its address is not known from the configuration');
  if (exam.options.offline)
    return skipped(name, 'a call would reach the platform, which --offline rules out');
  const url = httpUrl(gateway);
  const { env, wire, timeoutMs } = exam.world;
  const key = env['OPEN_BRIDGE_CALLER_KEY'];
  const call = trialCall(exam);
  const headers = { host: call.host, ...(key !== undefined && { 'x-bridge-key': key }) };
  try {
    const reply = await wire.ask({ url: `${url}${call.target}`, headers, timeoutMs });
    return judge(url, call, reply, key !== undefined);
  } catch (error) {
    const running = await exam.bridgeRuns();
    const found = `no answer at ${url} (${networkErrorCode(error)})`;
    if (running)
      return fail(name, found, 'the bridge runs, but not its gateway: see listen.gateway above, and its log');
    return warn(name, found, 'no bridge runs here, so no call gets through');
  }
}

/** A GET that changes nothing. */
interface TrialCall {
  readonly host: string;
  /** With its query. */
  readonly target: string;
  /** Whether the platform refuses it, as it carries nothing. */
  readonly isRefused: boolean;
}

/** A call that gets a credential of ours, if there is an app with one that a GET can be tried with. */
function trialCall(exam: Examination): TrialCall {
  const apps = exam.apps();
  const issued = favourite(apps.filter(app => app.managed && getWithToken(app) !== undefined));
  const app = issued ?? favourite(apps);
  const platform = platformOf(app?.platform ?? 'weixin-mp');
  const [host = ''] = platform.hosts;
  const path = issued && getWithToken(issued);
  if (path === undefined) return { host, target: HOST_TRIALS[platform.upstream].passedOn, isRefused: true };
  // Programs usually name no app, so one is named only where it was asked for.
  const target = exam.options.app === undefined ? path : `${path}?from_appid=${issued?.appid}`;
  return { host, target, isRefused: false };
}

function favourite(apps: readonly App[]): App | undefined {
  return apps.find(app => app.default) ?? apps[0];
}

function getWithToken(app: App): string | undefined {
  const trial = ACCOUNT_TRIALS[app.platform].token?.(app);
  return trial?.method === 'GET' ? trial.path : undefined;
}

function judge(
  url: string,
  { target, isRefused }: TrialCall,
  { status, headers, json, text }: Reply,
  withKey: boolean,
): Finding {
  const name = 'gateway';
  const seqid = headers[SEQID_HEADER];
  if (seqid === undefined)
    return fail(
      name,
      `something answers at ${url} (HTTP ${status}), but it is not a gateway: no ${SEQID_HEADER}`,
      'see which program holds the port, or correct listen.gateway',
    );
  const errcode = json?.['errcode'] === undefined ? '' : `, errcode ${json['errcode']}`;
  const told = `GET ${target} through ${url}: HTTP ${status}${errcode}, ${SEQID_HEADER} ${String(seqid)}`;
  const errmsg = json === undefined ? text.slice(0, 200) : String(json['errmsg'] ?? '');
  if (status === 200 && isRefused) return ok(name, `${told}: the platform answers through it`);
  if (status === 200 && errcode === '') return ok(name, told);
  if (status === 401 && !withKey)
    return ok(
      name,
      `${told}: it asks who calls`,
      'to try the whole way, put a caller key into OPEN_BRIDGE_CALLER_KEY',
    );
  if (status === 403) return ok(name, `${told}: it takes calls, but this one is not allowed`, errmsg);
  if (status === ERRORS.APP_UNKNOWN.status && json?.['errcode'] === ERRORS.APP_UNKNOWN.errcode)
    return ok(name, `${told}: it takes calls, but only such as name their app`, errmsg);
  return fail(name, told, errmsg);
}

/** Where a program that was told nothing goes. */
async function wayOfThisMachine(
  host: string,
  gateway: ListenAddress | undefined,
  exam: Examination,
): Promise<Finding> {
  const name = 'programs';
  const { world } = exam;
  if (exam.options.offline) return skipped(name, `${host} was not looked up (--offline)`);
  let addresses: readonly string[];
  try {
    addresses = await world.wire.lookup(host);
  } catch (error) {
    return warn(name, `${host} cannot be resolved (${networkErrorCode(error)})`, waysTo(host, gateway));
  }
  const shown = addresses.join(', ');
  if (addresses.every(isInternal))
    return ok(name, `${host} is ${shown} here: programs of this machine go there, not to the platform`);
  const proxy = proxySays(host, gateway, world.env);
  if (proxy !== undefined) return { name, ...proxy };
  return ok(
    name,
    `${host} is ${shown} here: programs of this machine do not go through the gateway unless told to`,
    `${waysTo(host, gateway)}\nto see whether a given program does: open-bridge doctor -- COMMAND`,
  );
}
