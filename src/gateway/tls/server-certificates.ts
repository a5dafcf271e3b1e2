import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { CertificateAuthority, ServerCertificate } from './authority.ts';

/** Always a server certificate that is good for a while. */
export interface ServerCertificates {
  current(): ServerCertificate;
  /** Calls `use` with every certificate that takes the place of the current one. */
  onChange(use: (certificate: ServerCertificate) => void): void;
  /** Looks at the hosts again, and issues a new certificate when they are not the ones it is for. */
  refresh(): void;
  /** Stops renewing. */
  close(): void;
}

/** What server certificates are kept with. */
export interface ServerCertificatesOptions {
  readonly authority: CertificateAuthority;
  /** Hosts to be served beside this machine's own names; asked at every look. */
  readonly hosts: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** How often the time is compared: a machine that slept, or whose clock was set, is noticed by then. */
const LOOK_EVERY_MS = 60 * 60_000;

/**
 * Keeps a server certificate fresh without a restart. They live in memory alone: each process has its own,
 * and all come from the authority that callers trust.
 */
export function keepServerCertificates(options: ServerCertificatesOptions): ServerCertificates {
  const { authority, clock, log } = options;
  const users: ((certificate: ServerCertificate) => void)[] = [];
  const stop = new AbortController();
  let wanted = '';
  let current = issue();

  function issue(): ServerCertificate {
    const hosts = options.hosts();
    wanted = hosts.join();
    const left = hosts.filter(host => !authority.permits(host));
    if (left.length > 0) {
      log.warn(
        { hosts: left },
        'HTTPS is not offered for these hosts: the stored certificate authority was made without them',
      );
    }
    return authority.issue(hosts, clock.now());
  }

  function look(): void {
    if (clock.now() < current.renewAt && options.hosts().join() === wanted) return;
    current = issue();
    log.info(
      { expiresAt: new Date(current.expiresAt).toISOString(), hosts: current.hosts },
      'server certificate renewed',
    );
    for (const use of users) use(current);
  }

  async function watch(): Promise<void> {
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS, stop.signal);
      look();
    }
  }
  watch().catch(error => {
    if (!stop.signal.aborted) log.error({ err: error }, 'renewal of the server certificate stopped');
  });

  return {
    current: () => current,
    onChange: use => void users.push(use),
    refresh: look,
    close: () => stop.abort(),
  };
}
