import type { KeyObject } from 'node:crypto';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { BridgeError } from '../../base/errors.ts';
import type { Sealer } from '../../stores/sealing.ts';
import type { SettingTable } from '../../stores/store.ts';
import {
  alternativeNames,
  authorityExtensions,
  createCertificate,
  nameConstraints,
  serverExtensions,
} from './certificate.ts';

/** Name of the stored authority, and what its seal is bound to. */
const SETTING = 'gateway-ca';

const AUTHORITY_NAME = 'open-bridge gateway CA';

/** Hosts by which a caller on this machine reaches the listener. */
const LOCAL_NAMES = ['localhost'];
const LOCAL_ADDRESSES = ['127.0.0.1', '::1'];

const DAY_MS = 24 * 60 * 60_000;

/** Certificates begin in the past, for clients whose clock is slow. */
const BACKDATED_MS = DAY_MS;

const AUTHORITY_LIFE_MS = 10 * 365 * DAY_MS;

/** Far below the 398 days that clients grant a server certificate. */
const SERVER_LIFE_MS = 30 * DAY_MS;

/** A certificate with its key, for a TLS server. Times are milliseconds since the Unix epoch. */
export interface ServerCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, in memory only. */
  readonly privateKey: string;
  readonly hosts: readonly string[];
  /** When it is to be replaced: a third of its life is left then. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** The gateway's own certificate authority: callers trust it, and so every server certificate it issues. */
export interface CertificateAuthority {
  /** PEM, for callers to trust. */
  readonly certificate: string;
  readonly expiresAt: number;
  /** Whether the authority may vouch for a host. */
  permits(host: string): boolean;
  /** Issues a certificate for those of the hosts that it may vouch for, and for this machine's own names. */
  issue(hosts: readonly string[], now: number): ServerCertificate;
}

/** What an authority is opened with. */
export interface AuthorityOptions {
  readonly settings: SettingTable;
  readonly sealer: Sealer;
  /** Hosts it is made for, if there is none yet. */
  readonly hosts: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

interface Stored {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
  /** Domains the certificate is confined to. */
  readonly domains: readonly string[];
  readonly expiresAt: number;
}

/**
 * Opens the authority kept in the store, or makes one; nodes that share a database share it. Its key is
 * sealed there. Throws BridgeError SEAL_BROKEN when what is stored cannot be opened.
 */
export async function openAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const { settings, sealer, hosts, now } = options;
  let sealed = await settings.get(SETTING);
  if (sealed === undefined) {
    const made = makeAuthority(hosts, now);
    sealed = await settings.putIfAbsent(SETTING, sealer.seal(JSON.stringify(made), SETTING));
  }
  const text = sealer.open(sealed, SETTING);
  // What was never sealed was not written by us; whoever can write rows must not choose the authority.
  if (text === sealed) {
    throw new BridgeError('SEAL_BROKEN', `the stored setting ${SETTING} is not sealed`, {
      hint: `remove the row "${SETTING}" from the settings table; a new authority is made at the next start and callers must trust its certificate`,
    });
  }
  // Under the key that seals now, so that the former one can be taken out of the configuration.
  if (sealingKeyOf(sealed) !== sealingKeyOf(sealer.seal('', SETTING)))
    await settings.put(SETTING, sealer.seal(text, SETTING));
  return authorityOf(JSON.parse(text) as Stored);
}

/** The part of sealed text that names the key. */
function sealingKeyOf(sealed: string): string {
  return sealed.slice(0, sealed.lastIndexOf(':'));
}

function makeAuthority(hosts: readonly string[], now: number): Stored {
  const key = newKey();
  const domains = [...new Set([...hosts.map(domainOf), ...LOCAL_NAMES])];
  const expiresAt = now + AUTHORITY_LIFE_MS;
  const certificate = createCertificate({
    subject: AUTHORITY_NAME,
    issuer: AUTHORITY_NAME,
    key,
    issuerKey: key,
    serial: newSerial(),
    notBefore: now - BACKDATED_MS,
    notAfter: expiresAt,
    extensions: [...authorityExtensions(), nameConstraints(domains, LOCAL_ADDRESSES)],
  });
  return { certificate, privateKey: toPem(key), domains, expiresAt };
}

function authorityOf({ certificate, privateKey, domains, expiresAt }: Stored): CertificateAuthority {
  const issuerKey = createPrivateKey(privateKey);
  const permits = (host: string): boolean =>
    isIP(host) === 0
      ? domains.some(domain => host === domain || host.endsWith(`.${domain}`))
      : LOCAL_ADDRESSES.includes(host);
  return {
    certificate,
    expiresAt,
    permits,
    issue(wanted, now) {
      const hosts = [...wanted.filter(permits), ...LOCAL_NAMES, ...LOCAL_ADDRESSES];
      const key = newKey();
      const endsAt = Math.min(now + SERVER_LIFE_MS, expiresAt);
      return {
        certificate: createCertificate({
          subject: hosts[0] ?? AUTHORITY_NAME,
          issuer: AUTHORITY_NAME,
          key,
          issuerKey,
          serial: newSerial(),
          notBefore: now - BACKDATED_MS,
          notAfter: endsAt,
          extensions: [...serverExtensions(issuerKey), alternativeNames(hosts)],
        }),
        privateKey: toPem(key),
        hosts,
        renewAt: endsAt - SERVER_LIFE_MS / 3,
        expiresAt: endsAt,
      };
    },
  };
}

/**
 * The domain of whoever runs a host, such as `qq.com`. An authority is confined to it rather than to the
 * host, so that further hosts of the same platform need no new authority, which every caller would have
 * to trust anew. Two-letter countries with second-level domains (`com.cn`) take three labels.
 */
function domainOf(host: string): string {
  const labels = host.split('.');
  const [second = '', top = ''] = labels.slice(-2);
  return labels.slice(top.length === 2 && second.length <= 3 ? -3 : -2).join('.');
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** 128 random bits, of which the first keeps the number positive and the second its length. */
function newSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
