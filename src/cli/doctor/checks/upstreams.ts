import type { UpstreamId } from '../../../platforms/platform.ts';
import { type Check, type Examination, type Finding, fail, ok, warn } from '../check.ts';
import { isInternal, type Reach, type Step } from '../reach.ts';
import { HOST_TRIALS, isPlatformHost } from '../trials.ts';

const DAY_MS = 24 * 60 * 60_000;
const EXPIRES_SOON_MS = 7 * DAY_MS;
/** A call of the platform itself is usually answered in a tenth of this. */
const SLOW_MS = 2000;

const PROXY_VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];

/** Whether each platform of the apps can be reached: name, connection, certificate, and who answers. */
export const upstreams: Check = {
  name: 'upstream',
  needs: 'platform',
  run: async exam =>
    Promise.all(exam.upstreams().map(async upstream => judge(upstream, await exam.reach(upstream), exam))),
};

function judge(upstream: UpstreamId, reach: Reach, exam: Examination): Finding {
  const name = `upstream.${upstream}`;
  const { origin, host, addresses, failed, reply, handshake, steps } = reach;
  const inside = addresses.filter(isInternal);
  if (isPlatformHost(host) && inside.length > 0)
    return fail(
      name,
      `${host} leads to ${inside.join(', ')} on this machine, so the bridge would call itself or a stranger`,
      `take ${host} out of the hosts file (or DNS) that the bridge sees: only its callers should have that entry`,
    );
  const way = steps.map(({ step, ms }) => `${step} ${ms} ms`).join(', ');
  if (failed !== undefined)
    return fail(name, `${origin}: ${failure(failed, reach)}`, adviceFor(failed.step, reach, exam));
  const told = `${origin} answers (${way})`;
  if (reply !== undefined && isPlatformHost(host) && !HOST_TRIALS[upstream].isAnswer(reply))
    return warn(
      name,
      `${origin}: HTTP ${reply.status} came back, but not in the platform's words`,
      'something between this machine and the platform answers in its place: a proxy, a firewall, a login page',
    );
  if (reply !== undefined && reply.status >= 500)
    return fail(name, `${origin} answers HTTP ${reply.status}`, 'see what stands at this origin, or wait');
  const leftMs = (handshake?.expiresAt ?? Number.POSITIVE_INFINITY) - exam.world.clock.now();
  if (leftMs < EXPIRES_SOON_MS)
    return warn(
      name,
      `${told}; its certificate ends in ${Math.floor(leftMs / DAY_MS)} days`,
      'renew it in time',
    );
  const slow = steps.find(({ ms }) => ms > SLOW_MS);
  if (slow !== undefined)
    return warn(name, told, `${slow.step} is slow: look at the network and the resolver`);
  return ok(name, told, proxyNote(exam));
}

function failure(
  { step, code }: NonNullable<Reach['failed']>,
  { host, addresses, handshake }: Reach,
): string {
  switch (step) {
    case 'dns':
      return `the name ${host} cannot be resolved (${code})`;
    case 'tcp':
      return `no connection to ${addresses.join(', ')} (${code})`;
    case 'tls':
      return `its certificate is refused (${code}${handshake === undefined ? '' : `; made by ${handshake.issuer}`})`;
    default:
      return `it took the connection but gave no answer (${code})`;
  }
}

function adviceFor(step: Step, { host }: Reach, exam: Examination): string {
  const lines: Readonly<Record<Step, string>> = {
    dns: `try: getent hosts ${host}; mend /etc/resolv.conf or the DNS of the container network`,
    tcp: `let this machine out to ${host}: firewall, security group, NAT gateway or route`,
    tls: 'something between opens the traffic: exempt this machine, or trust its CA with NODE_EXTRA_CA_CERTS=FILE. If the certificate has ended, look at the clock first, then renew it',
    http: `try: curl -sv https://${host}/; something on the way swallows the traffic, or the platform is down`,
  };
  const note = proxyNote(exam);
  return note === undefined ? lines[step] : `${lines[step]}\n${note}`;
}

function proxyNote({ world }: Examination): string | undefined {
  const set = PROXY_VARIABLES.filter(name => world.env[name]);
  if (set.length === 0) return undefined;
  return `${set.join(', ')} is set here, but the bridge goes to the platform directly and uses no proxy`;
}
