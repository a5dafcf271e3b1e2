import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alternativeNames, createCertificate, nameConstraints } from './certificate.ts';
import * as der from './der.ts';

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

function read(change: Partial<Parameters<typeof createCertificate>[0]> = {}): X509Certificate {
  const text = createCertificate({
    subject: 'subject',
    issuer: 'issuer',
    key,
    issuerKey: key,
    serial: Buffer.of(1),
    notBefore: Date.parse('2026-03-01T00:00:00Z'),
    notAfter: Date.parse('2026-03-02T00:00:00Z'),
    extensions: [],
    ...change,
  });
  expect(text).toMatch(/^-----BEGIN CERTIFICATE-----\n([\w+/=]{1,64}\n)+-----END CERTIFICATE-----\n$/);
  const x509 = new X509Certificate(text);
  expect(x509.verify(x509.publicKey)).toBe(true);
  return x509;
}

test.each(['1950-01-01T00:00:00Z', '2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z', '2126-02-28T12:34:56Z'])(
  'a time of %s',
  text => {
    const at = new Date(text);
    expect(read({ notBefore: at.getTime() }).validFromDate).toEqual(at);
  },
);

test('numbers of any size, positive whatever their first bit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), bytes => {
      fc.pre(bytes[0] !== 0);
      expect(read({ serial: bytes }).serialNumber).toBe(Buffer.from(bytes).toString('hex').toUpperCase());
    }),
    { numRuns: 50 },
  );
});

test.each([1, 4, 5, 6, 13, 14, 15, 300])('%d host names, whatever their length takes', count => {
  const hosts = Array.from({ length: count }, (_, i) => `host-${i}.example.com`);
  expect(read({ extensions: [alternativeNames(hosts)] }).subjectAltName).toBe(
    hosts.map(host => `DNS:${host}`).join(', '),
  );
});

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['fd00::12:3', 'FD00:0:0:0:0:0:12:3'],
  ['2001:db8:1:2:3:4:5:6', '2001:DB8:1:2:3:4:5:6'],
])('the address %s', (address, shown) => {
  expect(read({ extensions: [alternativeNames([address])] }).subjectAltName).toBe(`IP Address:${shown}`);
});

test('an address it has no bytes for is a mistake', () => {
  expect(() => alternativeNames(['::ffff:1.2.3.4'])).toThrow(TypeError);
});

test('constraints are part of the certificate', () => {
  expect(read({ extensions: [nameConstraints(['qq.com'], ['127.0.0.1'])] }).raw.includes('qq.com')).toBe(
    true,
  );
});

test('identifiers with large numbers', () => {
  expect(der.oid('1.2.840.113549').toString('hex')).toBe('06062a864886f70d');
});

test('a value larger than two bytes of length can say is a mistake', () => {
  expect(() => der.octetString(Buffer.alloc(65_536))).toThrow(TypeError);
  expect(der.octetString(Buffer.alloc(65_535)).subarray(0, 4).toString('hex')).toBe('0482ffff');
});
