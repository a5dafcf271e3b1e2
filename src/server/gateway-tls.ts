import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ListenAddress } from '../config/settings.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { listenHttps } from '../gateway/https-listener.ts';
import type { HttpListener } from '../gateway/listener.ts';
import { openAuthority } from '../gateway/tls/authority.ts';
import { publishCertificate } from '../gateway/tls/certificate-file.ts';
import { keepServerCertificates } from '../gateway/tls/server-certificates.ts';
import { PLATFORMS } from '../platforms/platforms.ts';
import type { Sealer } from '../stores/sealing.ts';
import type { Store } from '../stores/store.ts';

/** What HTTPS before the gateway is made of. */
export interface GatewayTlsOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  readonly address: ListenAddress;
  /** Where the CA certificate is written for callers to trust. */
  readonly certificateFile: string;
}

/**
 * Offers the gateway over HTTPS under the platforms' own names, with a certificate authority of its own.
 * Throws BridgeError when the authority cannot be opened or its certificate not be written, and rejects
 * with Node's error when the address cannot be had.
 */
export async function listenGatewayTls(options: GatewayTlsOptions): Promise<HttpListener> {
  const { store, sealer, gateway, clock, log, address, certificateFile } = options;
  const hosts = (): string[] => [
    ...new Set([...PLATFORMS.values()].flatMap(({ hosts: ofPlatform }) => ofPlatform)),
  ];
  const authority = await openAuthority({
    settings: store.settings,
    sealer,
    hosts: hosts(),
    now: clock.now(),
  });
  publishCertificate(certificateFile, authority.certificate);
  const certificates = keepServerCertificates({ authority, hosts, clock, log });
  try {
    const listener = await listenHttps({ gateway, clock, log, certificates, ...address });
    return {
      ...listener,
      close(timeoutMs) {
        certificates.close();
        return listener.close(timeoutMs);
      },
    };
  } catch (error) {
    certificates.close();
    throw error;
  }
}
