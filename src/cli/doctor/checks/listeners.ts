import { readFileSync } from 'node:fs';
import type { ListenAddress } from '../../../config/settings.ts';
import { SEQID_HEADER } from '../../../gateway/headers.ts';
import { networkErrorCode } from '../../../platforms/network-error.ts';
import { PLATFORMS } from '../../../platforms/platforms.ts';
import { httpUrl } from '../../run-bridge.ts';
import { type Check, type Examination, type Finding, fail, ok, skipped } from '../check.ts';
import { reachable } from '../reach.ts';
import type { Question } from '../wire.ts';

/** What it means when a port cannot be had, and what to do. */
const BIND_ADVICE: Readonly<Record<string, (setting: string) => string>> = {
  EACCES: setting =>
    `ports below 1024 need a right of their own: set ${setting} to a higher port, or give the bridge CAP_NET_BIND_SERVICE`,
  EADDRNOTAVAIL: setting => `this machine has no such address: see "ip address", then correct ${setting}`,
};

/** Whether each address can be had, or is held by the bridge that runs. */
export const listeners: Check = {
  name: 'listeners',
  needs: 'settings',
  async run(exam) {
    const { listen } = exam.settings();
    return Promise.all([
      look(exam, 'control', listen.control, () => exam.bridgeRuns()),
      look(exam, 'gateway', listen.gateway, address => isGateway(exam, httpUrl(address)).catch(() => false)),
      look(exam, 'gatewayTls', listen.gatewayTls, address => isTlsGateway(exam, address)),
    ]);
  },
};

/** What holds a port: a bridge, something else, or a bridge with a flaw. */
type Holder = boolean | string;

async function look(
  { world }: Examination,
  name: string,
  address: ListenAddress | undefined,
  holder: (address: ListenAddress) => Promise<Holder>,
): Promise<Finding> {
  const title = `listen.${name}`;
  if (address === undefined) return skipped(title, 'switched off');
  const where = `${address.host}:${address.port}`;
  if (address.port === 0) return ok(title, `${where} takes any free port`);
  const bound = await world.wire.bind(address.host, address.port);
  if (bound === 'free') return ok(title, `${where} is free`);
  const advice = BIND_ADVICE[bound]?.(title);
  if (bound !== 'EADDRINUSE') return fail(title, `cannot listen on ${where} (${bound})`, advice);
  const held = await holder(reachable(address));
  if (held === true) return ok(title, `${where} is held by the running bridge`);
  if (held !== false) return fail(title, `${where}: ${held}`, TLS_ADVICE);
  return fail(
    title,
    `${where} is held by another program, or by a bridge that hangs`,
    `see which one with: ss -ltnp 'sport = :${address.port}'; stop it, or set ${title} to another address`,
  );
}

const TLS_ADVICE =
  'callers over HTTPS must trust the file at gateway.certificateFile of the bridge that runs; restart it if the file is gone';

/** Asks for a path that no gateway relays; every answer of a gateway bears its mark, refusals too. */
async function isGateway(
  { world }: Examination,
  origin: string,
  tls: Partial<Question> = {},
): Promise<boolean> {
  const { wire, timeoutMs } = world;
  const reply = await wire.ask({ url: `${origin}//`, timeoutMs, ...tls });
  return reply.headers[SEQID_HEADER] !== undefined;
}

async function isTlsGateway(exam: Examination, address: ListenAddress): Promise<Holder> {
  const { certificateFile } = exam.settings();
  const [servername = ''] = [...PLATFORMS.values()].flatMap(({ hosts }) => hosts);
  let ca: string;
  try {
    ca = readFileSync(certificateFile, 'utf8');
  } catch {
    return `something listens there, but there is no CA certificate at ${certificateFile}`;
  }
  try {
    return await isGateway(exam, httpUrl(address, 'https'), { ca, servername });
  } catch (error) {
    return `its certificate is not one of the CA in ${certificateFile} (${networkErrorCode(error)})`;
  }
}
