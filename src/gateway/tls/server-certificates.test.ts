import { expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../../test/support/canary.ts';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { Secret } from '../../base/secret.ts';
import { createSealer, newSealKey } from '../../stores/sealing.ts';
import { settingsInMemory } from '../https.fixture.ts';
import type { ServerCertificate } from './authority.ts';
import { openAuthority } from './authority.ts';
import { keepServerCertificates } from './server-certificates.ts';

const DAY_MS = 86_400_000;

async function setup() {
  const clock = manualClock();
  const log = keptLog();
  const authority = await openAuthority({
    settings: settingsInMemory(),
    sealer: createSealer([new Secret(newSealKey())]),
    hosts: ['api.weixin.qq.com'],
    now: clock.now(),
  });
  const live = { hosts: ['api.weixin.qq.com'] };
  const certificates = keepServerCertificates({ authority, hosts: () => live.hosts, clock, log });
  const seen: ServerCertificate[] = [];
  certificates.onChange(certificate => seen.push(certificate));
  onTestFinished(() => certificates.close());
  return { clock, log, live, certificates, seen };
}

test('a certificate is replaced when a third of its life is left, and not before', async () => {
  const { clock, certificates, seen } = await setup();
  const first = certificates.current();
  await clock.advance(20 * DAY_MS - 3_600_000);
  expect(certificates.current()).toBe(first);
  await clock.advance(3_600_000);
  expect(certificates.current()).not.toBe(first);
  expect(seen).toEqual([certificates.current()]);
  expect(certificates.current().expiresAt).toBe(clock.now() + 30 * DAY_MS);
  await clock.advance(20 * DAY_MS);
  expect(seen).toHaveLength(2);
});

test('a machine that slept through the time renews at its first look', async () => {
  const { clock, seen } = await setup();
  clock.jump(200 * DAY_MS);
  await clock.advance(3_600_000);
  expect(seen).toHaveLength(1);
  expect(seen[0]?.expiresAt).toBeGreaterThan(clock.now());
});

test('other hosts need another certificate, the same ones do not', async () => {
  const { live, certificates, seen, log } = await setup();
  live.hosts = ['api.weixin.qq.com'];
  certificates.refresh();
  expect(seen).toHaveLength(0);
  live.hosts = ['api.weixin.qq.com', 'api.q.qq.com', 'evil.example'];
  certificates.refresh();
  certificates.refresh();
  expect(seen).toHaveLength(1);
  expect(certificates.current().hosts).toContain('api.q.qq.com');
  expect(certificates.current().hosts).not.toContain('evil.example');
  expect(log.lines.filter(line => line.level === 'warn').map(line => line.fields)).toEqual([
    { hosts: ['evil.example'] },
  ]);
  expect(log.text()).not.toContain('PRIVATE KEY');
});

test('nothing is renewed, and nobody sleeps, after closing', async () => {
  const { clock, certificates, seen, log } = await setup();
  certificates.close();
  await clock.advance(40 * DAY_MS);
  expect(seen).toHaveLength(0);
  expect(clock.sleepers()).toBe(0);
  expect(log.messages('error')).toEqual([]);
});
