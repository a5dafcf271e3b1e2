import type { KeyObject } from 'node:crypto';
import { createPublicKey, hash, sign } from 'node:crypto';
import { isIP } from 'node:net';
import * as der from './der.ts';

/** What a certificate says. Times are milliseconds since the Unix epoch. */
export interface CertificateOptions {
  /** Common name of the one it is for. */
  readonly subject: string;
  /** Common name of the one who signs. */
  readonly issuer: string;
  /** Key pair it is for: an EC private key. */
  readonly key: KeyObject;
  /** Key it is signed with: an EC private key on P-256. */
  readonly issuerKey: KeyObject;
  /** Up to 20 bytes, the first of them not 0. */
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Made by the functions below. */
  readonly extensions: readonly Buffer[];
}

const ECDSA_WITH_SHA256 = der.sequence(der.oid('1.2.840.10045.4.3.2'));
const COMMON_NAME = der.oid('2.5.4.3');
const VERSION_3 = der.explicit(0, der.integer(2));
const IPV6_BYTES = 16;

/** Makes an X.509 v3 certificate (RFC 5280), signed with ECDSA and SHA-256, as PEM text. */
export function createCertificate(options: CertificateOptions): string {
  const { subject, issuer, key, issuerKey, serial, notBefore, notAfter, extensions } = options;
  const content = der.sequence(
    VERSION_3,
    der.integer(serial),
    ECDSA_WITH_SHA256,
    commonName(issuer),
    der.sequence(der.time(notBefore), der.time(notAfter)),
    commonName(subject),
    publicKeyInfo(key),
    der.explicit(3, der.sequence(keyIdExtension('2.5.29.14', keyIdOf(key)), ...extensions)),
  );
  const signature = sign('sha256', content, issuerKey);
  return toPem(der.sequence(content, ECDSA_WITH_SHA256, der.bitString(signature)));
}

/** Says that certificates may be signed with the key, none of them an authority's own (sections 4.2.1.3 and 4.2.1.9). */
export function authorityExtensions(): readonly Buffer[] {
  return [
    extension('2.5.29.19', true, der.sequence(der.boolean(true), der.integer(0))),
    // keyCertSign is bit 5.
    extension('2.5.29.15', true, der.bitString(Buffer.of(0b0000_0100), 2)),
  ];
}

/** Says that the key proves a TLS server, and whose key signed that. */
export function serverExtensions(issuerKey: KeyObject): readonly Buffer[] {
  return [
    extension('2.5.29.19', true, der.sequence()),
    // digitalSignature is bit 0.
    extension('2.5.29.15', true, der.bitString(Buffer.of(0b1000_0000), 7)),
    extension('2.5.29.37', false, der.sequence(der.oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.35', false, der.sequence(der.implicit(0, keyIdOf(issuerKey)))),
  ];
}

/** The hosts a server certificate is for: names and addresses (section 4.2.1.6). */
export function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map(host =>
    isIP(host) === 0 ? der.implicit(2, Buffer.from(host)) : der.implicit(7, addressBytes(host)),
  );
  return extension('2.5.29.17', false, der.sequence(...names));
}

/**
 * Confines an authority to names in `domains` (each with all names below it) and to single addresses
 * (section 4.2.1.10). A client that trusts the authority then still trusts it for nothing else.
 */
export function nameConstraints(domains: readonly string[], addresses: readonly string[]): Buffer {
  const subtrees = [
    ...domains.map(domain => der.implicit(2, Buffer.from(domain))),
    ...addresses.map(address => {
      const bytes = addressBytes(address);
      return der.implicit(7, Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)]));
    }),
  ];
  const permitted = der.explicit(0, ...subtrees.map(subtree => der.sequence(subtree)));
  return extension('2.5.29.30', true, der.sequence(permitted));
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  const mark = critical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(id), ...mark, der.octetString(value));
}

function keyIdExtension(id: string, keyId: Uint8Array): Buffer {
  return extension(id, false, der.octetString(keyId));
}

/** The leftmost 160 bits of the SHA-256 of the public key (RFC 7093, section 2, method 1). */
function keyIdOf(key: KeyObject): Buffer {
  const point = publicKeyInfo(key).subarray(-65);
  return hash('sha256', point, 'buffer').subarray(0, 20);
}

function publicKeyInfo(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function commonName(name: string): Buffer {
  return der.sequence(der.set(der.sequence(COMMON_NAME, der.utf8String(name))));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string => text.split(':').filter(Boolean).map(pad).join('');
  const pad = (group: string): string => group.padStart(4, '0');
  const front = Buffer.from(groups(head), 'hex');
  const back = Buffer.from(groups(tail ?? ''), 'hex');
  const gap = IPV6_BYTES - front.length - back.length;
  if (gap < 0 || address.includes('.'))
    throw new TypeError(`${address} is no IPv6 address in plain hexadecimal groups`);
  return Buffer.concat([front, Buffer.alloc(gap), back]);
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
