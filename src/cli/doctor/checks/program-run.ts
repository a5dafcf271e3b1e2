import type { ListenAddress } from '../../../config/settings.ts';
import { type Arrived, markCalls } from '../calls.ts';
import { type Examination, type Finding, fail, ok, warn } from '../check.ts';
import type { Endpoint } from '../connections.ts';
import type { Watched } from '../processes.ts';
import { proxySays, waysTo } from '../ways.ts';

const NAME = 'program';

const MAYBE_OTHERS =
  'its own connections were too short or cannot be seen here, so this may have been another program';

const LIST_ADVICE =
  'to see each call that arrives, put an admin key into OPEN_BRIDGE_ADMIN_KEY, or a caller key with the scope calls:read into OPEN_BRIDGE_CALLER_KEY';

const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);

/**
 * Runs the program and looks from both ends: at its own connections, as far as the system shows them, and
 * at the calls that reach the gateway meanwhile.
 */
export async function watchProgram(
  hosts: readonly [string, ...string[]],
  gateway: ListenAddress | undefined,
  exam: Examination,
): Promise<readonly Finding[]> {
  const { world, options } = exam;
  const [command = ''] = options.command;
  const platform = await hostsByAddress(hosts, exam);
  const before = await markCalls(exam);
  const watched = await world.processes.watch(options.command);
  if (watched.failure !== undefined)
    return [fail(NAME, `${command} could not be started (${watched.failure})`, 'check its name and path')];
  const arrived = await before?.since();

  const ended = watched.code === undefined ? 'was ended by a signal' : `ended with status ${watched.code}`;
  const findings = [
    ...wentPast(command, platform, gateway, { watched, exam }),
    ...reached(command, watched, arrived, exam),
  ];
  if (findings.length === 0)
    findings.push(unseen(command, watched, arrived, { host: hosts[0], gateway, exam }));
  return findings.map(finding => ({ ...finding, found: `${finding.found}; ${ended}` }));
}

/** Which platform host an address belongs to. */
async function hostsByAddress(
  hosts: readonly string[],
  { world }: Examination,
): Promise<ReadonlyMap<string, string>> {
  const known = await Promise.all(
    hosts.map(async host => {
      const addresses = await world.wire.lookup(host).catch(() => []);
      return addresses.map((address): [string, string] => [address, host]);
    }),
  );
  return new Map(known.flat());
}

/** Connections of its own to addresses of a platform. */
function wentPast(
  command: string,
  platform: ReadonlyMap<string, string>,
  gateway: ListenAddress | undefined,
  { watched, exam }: { readonly watched: Watched; readonly exam: Examination },
): readonly Finding[] {
  const past = (watched.connections ?? []).filter(
    end => platform.has(end.address) && WEB_PORTS.has(end.port) && !isGateway(end, exam),
  );
  return [...Map.groupBy(past, end => platform.get(end.address) ?? '')].map(([host, ends]) =>
    fail(
      NAME,
      `${command} went past the gateway: it connected to ${list(ends)}, which is ${host}`,
      waysTo(host, gateway),
    ),
  );
}

/** What speaks for calls through the gateway, the surest first. */
function reached(
  command: string,
  watched: Watched,
  arrived: Arrived | undefined,
  exam: Examination,
): readonly Finding[] {
  const own = (watched.connections ?? []).filter(end => isGateway(end, exam));
  const connected = own.length > 0 || watched.traces.some(end => isGateway(end, exam));
  if (connected && arrived?.count === 0)
    return [
      warn(
        NAME,
        `${own.length > 0 ? command : 'something'} connected to the gateway while ${command} ran, but no call arrived`,
        trustAdvice(exam),
      ),
    ];
  if (own.length > 0) {
    const calls = arrived === undefined ? '' : `; calls that arrived meanwhile: ${arrived.told}`;
    return [ok(NAME, `${command} went through the gateway (${list(own)})${calls}`)];
  }
  if (arrived !== undefined && arrived.count > 0)
    return [ok(NAME, `calls arrived at the gateway while ${command} ran: ${arrived.told}`, MAYBE_OTHERS)];
  if (connected) return [ok(NAME, `something connected to the gateway while ${command} ran`, MAYBE_OTHERS)];
  return [];
}

function unseen(
  command: string,
  watched: Watched,
  arrived: Arrived | undefined,
  { host, gateway, exam }: { host: string; gateway: ListenAddress | undefined; exam: Examination },
): Finding {
  const others = watched.connections ?? [];
  const notes = [
    others.length === 0 ? undefined : `it connected to ${list(others)}`,
    watched.connections === undefined ? 'its connections cannot be seen on this system' : undefined,
    arrived === undefined ? 'the bridge does not show its list of calls' : undefined,
    proxySays(host, gateway, exam.world.env)?.found,
  ].filter(note => note !== undefined);
  const what =
    arrived === undefined ? 'was not seen to call the gateway' : 'made no call that reached the gateway';
  const why = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  const advice = [
    ...(arrived === undefined ? [LIST_ADVICE] : []),
    waysTo(host, gateway),
    // A handshake that breaks off may leave no trace at all.
    ...(exam.config.settings?.listen.gatewayTls === undefined ? [] : [trustAdvice(exam)]),
  ];
  return warn(NAME, `${command} ${what}${why}`, advice.join('\n'));
}

function trustAdvice({ config }: Examination): string {
  const file = config.settings?.certificateFile ?? 'at gateway.certificateFile';
  return `when it calls https://, it must trust the CA certificate ${file} (NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE, keytool)`;
}

function isGateway({ address, port }: Endpoint, { config }: Examination): boolean {
  const { gateway, gatewayTls } = config.settings?.listen ?? {};
  return [gateway, gatewayTls].some(
    listen =>
      listen?.port === port &&
      (listen.host === address ||
        listen.host === '0.0.0.0' ||
        listen.host === '::' ||
        address === '127.0.0.1'),
  );
}

function list(endpoints: readonly Endpoint[]): string {
  return endpoints
    .map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`)
    .join(', ');
}
