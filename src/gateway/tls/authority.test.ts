import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../base/secret.ts';
import { createSealer, newSealKey } from '../../stores/sealing.ts';
import type { SettingTable } from '../../stores/store.ts';
import { settingsInMemory } from '../https.fixture.ts';
import type { CertificateAuthority } from './authority.ts';
import { openAuthority } from './authority.ts';

const NOW = Date.parse('2026-03-01T04:00:00Z');
const DAY_MS = 86_400_000;
const HOST = 'api.weixin.qq.com';
const KEY = newSealKey();

function open(
  settings: SettingTable = settingsInMemory(),
  keys: readonly string[] = [KEY],
  hosts: readonly string[] = [HOST],
): Promise<CertificateAuthority> {
  return openAuthority({
    settings,
    sealer: createSealer(keys.map(key => new Secret(key))),
    hosts,
    now: NOW,
  });
}

describe('the authority', () => {
  test('is a certificate authority for ten years, from yesterday, that signs no further authority', async () => {
    const { certificate, expiresAt } = await open();
    const x509 = new X509Certificate(certificate);
    expect(x509).toMatchObject({ ca: true, subject: 'CN=open-bridge gateway CA' });
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' });
    expect(x509.validFromDate.getTime()).toBe(NOW - DAY_MS);
    expect(x509.validToDate.getTime()).toBe(expiresAt);
    expect(expiresAt).toBe(NOW + 3650 * DAY_MS);
  });

  test('is made once for everybody who shares the store', async () => {
    const rows = new Map<string, string>();
    const settings = settingsInMemory(rows);
    const [one, two] = await Promise.all([open(settings), open(settings)]);
    const later = await open(settings);
    expect(two.certificate).toBe(one.certificate);
    expect(later.certificate).toBe(one.certificate);
    expect(rows.size).toBe(1);
    const issuer = new X509Certificate(one.certificate);
    for (const node of [one, two, later]) {
      const leaf = new X509Certificate(node.issue([HOST], NOW).certificate);
      expect(leaf.verify(issuer.publicKey)).toBe(true);
      expect(leaf.checkIssued(issuer)).toBe(true);
    }
  });

  test('is stored sealed, and a row that is not is refused', async () => {
    const rows = new Map<string, string>();
    await open(settingsInMemory(rows));
    const [stored = ''] = rows.values();
    expect(stored).toMatch(/^sealed:v1:/);
    const opened = createSealer([new Secret(KEY)]).open(stored, 'gateway-ca');
    expect(opened).toContain('PRIVATE KEY');
    await expect(open(settingsInMemory(new Map([['gateway-ca', opened]])))).rejects.toMatchObject({
      code: 'SEAL_BROKEN',
      hint: expect.stringContaining('gateway-ca'),
    });
    await expect(open(settingsInMemory(rows), [newSealKey()])).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  test('moves under a new seal key, so that the old one can go', async () => {
    const rows = new Map<string, string>();
    const settings = settingsInMemory(rows);
    const { certificate } = await open(settings);
    const [before] = rows.values();
    await open(settings);
    expect([...rows.values()]).toEqual([before]);
    const newer = newSealKey();
    await open(settings, [newer, KEY]);
    expect((await open(settings, [newer])).certificate).toBe(certificate);
  });

  test.each([
    [HOST, true],
    ['api.q.qq.com', true],
    ['qq.com', true],
    ['localhost', true],
    ['127.0.0.1', true],
    ['::1', true],
    ['aqq.com', false],
    ['qq.com.example', false],
    ['10.0.0.1', false],
    ['com', false],
  ])('made for api.weixin.qq.com, may it vouch for %s: %s', async (host, may) => {
    expect((await open()).permits(host)).toBe(may);
  });

  test('is not made for a whole country', async () => {
    const authority = await open(settingsInMemory(), [KEY], ['api.bank.com.cn', 'a.b.weixin.cn']);
    const may = (host: string): boolean => authority.permits(host);
    expect(may('other.com.cn')).toBe(false);
    expect(may('x.bank.com.cn')).toBe(true);
    expect(may('x.weixin.cn')).toBe(true);
  });
});

describe('a server certificate', () => {
  test('is for the hosts and this machine, for thirty days from yesterday', async () => {
    const authority = await open();
    const leaf = authority.issue([HOST, 'api.q.qq.com'], NOW + DAY_MS);
    const x509 = new X509Certificate(leaf.certificate);
    expect(x509.subjectAltName).toBe(
      `DNS:${HOST}, DNS:api.q.qq.com, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`,
    );
    expect(x509.ca).toBe(false);
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(x509.validFromDate.getTime()).toBe(NOW);
    expect(x509.validToDate.getTime()).toBe(NOW + 31 * DAY_MS);
    expect(leaf.renewAt).toBe(NOW + 21 * DAY_MS);
    expect(x509.checkPrivateKey(createPrivateKey(leaf.privateKey))).toBe(true);
  });

  test('has a key and a number of its own each time', async () => {
    const authority = await open();
    const leaves = Array.from({ length: 50 }, () => authority.issue([HOST], NOW));
    expect(new Set(leaves.map(leaf => leaf.privateKey)).size).toBe(50);
    const serials = leaves.map(leaf => new X509Certificate(leaf.certificate).serialNumber);
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test('leaves out what the authority may not vouch for, and does not outlive it', async () => {
    const authority = await open();
    const last = authority.expiresAt - DAY_MS;
    const leaf = authority.issue(['evil.example', HOST], last);
    expect(leaf.hosts).toEqual([HOST, 'localhost', '127.0.0.1', '::1']);
    expect(leaf.expiresAt).toBe(authority.expiresAt);
  });
});
