import type { ListenAddress } from '../../../config/settings.ts';
import { SEQID_HEADER } from '../../../gateway/headers.ts';
import { networkErrorCode } from '../../../platforms/network-error.ts';
import { PLATFORMS } from '../../../platforms/platforms.ts';
import { httpUrl } from '../../run-bridge.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped, warn } from '../check.ts';
import { isInternal, PROBE_PATH, reachable } from '../reach.ts';
import { proxySays, waysTo } from '../ways.ts';
import type { Reply } from '../wire.ts';
import { watchProgram } from './program-run.ts';

/** The host by which programs mean the platform. */
const [HOST = ''] = [...PLATFORMS.values()].flatMap(({ hosts }) => hosts);

/** Whether the gateway takes calls, and whether programs of this machine, or a given one, go through it. */
export const program: Check = {
  name: 'program',
  needs: 'nothing',
  async run(exam) {
    const { settings } = exam.config;
    const listen = settings?.listen.gateway;
    const gateway = listen === undefined || listen.port === 0 ? undefined : reachable(listen);
    // First, so that our own call is not taken for one of the program.
    const way =
      exam.options.command.length > 0
        ? await watchProgram(HOST, gateway, exam)
        : [await wayOfThisMachine(gateway, exam)];
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
  const headers = { host: HOST, ...(key !== undefined && { 'x-bridge-key': key }) };
  try {
    const reply = await wire.ask({ url: `${url}${PROBE_PATH}`, headers, timeoutMs });
    return judge(url, reply, key !== undefined);
  } catch (error) {
    const running = await exam.bridgeRuns();
    const found = `no answer at ${url} (${networkErrorCode(error)})`;
    if (running)
      return fail(name, found, 'the bridge runs, but not its gateway: see listen.gateway above, and its log');
    return warn(name, found, 'no bridge runs here, so no call gets through');
  }
}

function judge(url: string, { status, headers, json, text }: Reply, withKey: boolean): Finding {
  const name = 'gateway';
  const seqid = headers[SEQID_HEADER];
  if (seqid === undefined)
    return fail(
      name,
      `something answers at ${url} (HTTP ${status}), but it is not a gateway: no ${SEQID_HEADER}`,
      'see which program holds the port, or correct listen.gateway',
    );
  const errcode = json?.['errcode'] === undefined ? '' : `, errcode ${json['errcode']}`;
  const told = `GET ${PROBE_PATH} through ${url}: HTTP ${status}${errcode}, ${SEQID_HEADER} ${String(seqid)}`;
  const errmsg = json === undefined ? text.slice(0, 200) : String(json['errmsg'] ?? '');
  if (status === 200 && errcode === '') return ok(name, told);
  if (status === 401 && !withKey)
    return ok(
      name,
      `${told}: it asks who calls`,
      'to try the whole way, put a caller key into OPEN_BRIDGE_CALLER_KEY',
    );
  if (status === 403) return ok(name, `${told}: it takes calls, but this one is not allowed`, errmsg);
  return fail(name, told, errmsg);
}

/** Where a program that was told nothing goes. */
async function wayOfThisMachine(gateway: ListenAddress | undefined, exam: Examination): Promise<Finding> {
  const name = 'programs';
  const { world } = exam;
  if (exam.options.offline) return skipped(name, `${HOST} was not looked up (--offline)`);
  let addresses: readonly string[];
  try {
    addresses = await world.wire.lookup(HOST);
  } catch (error) {
    return warn(name, `${HOST} cannot be resolved (${networkErrorCode(error)})`, waysTo(HOST, gateway));
  }
  const shown = addresses.join(', ');
  if (addresses.every(isInternal))
    return ok(name, `${HOST} is ${shown} here: programs of this machine go there, not to the platform`);
  const proxy = proxySays(HOST, gateway, world.env);
  if (proxy !== undefined) return { name, ...proxy };
  return ok(
    name,
    `${HOST} is ${shown} here: programs of this machine do not go through the gateway unless told to`,
    `${waysTo(HOST, gateway)}\nto see whether a given program does: open-bridge doctor -- COMMAND`,
  );
}
