import { expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { manualClock } from '../../test/support/manual-clock.ts';
import { BridgeError } from '../base/errors.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import type { LeaseTable } from '../stores/store.ts';
import { LEASE_TTL_MS, type Lease, takeLease } from './lease.ts';

async function bench() {
  const clock = manualClock();
  const store = await openSqliteStore({ path: ':memory:', clock, random: () => 0.5 });
  onTestFinished(() => store.close());
  const log = keptLog();
  const take = (holder: string, leases: LeaseTable = store.leases): Promise<Lease | undefined> =>
    takeLease({ leases, name: 'issue:a', holder, clock, log });
  return { clock, store, log, take };
}

test('a lease is prolonged for as long as the work goes on, and no longer', async () => {
  const { clock, take, log } = await bench();
  const lease = await take('a');
  expect(lease).toBeDefined();
  await clock.advance(20 * LEASE_TTL_MS);
  expect(await take('b')).toBeUndefined();
  expect(await lease?.confirm()).toBe(true);
  await lease?.release();
  expect(clock.sleepers()).toBe(0);
  expect(await take('b')).toBeDefined();
  expect(log.lines).toEqual([]);
});

test('a holder that stood still loses its lease, is told so, and harms nobody by letting go', async () => {
  const { clock, take, log, store } = await bench();
  const slow = await take('a');
  clock.jump(LEASE_TTL_MS);
  const quick = await take('b');
  expect(quick).toBeDefined();
  expect(await slow?.confirm()).toBe(false);
  await clock.advance(LEASE_TTL_MS);
  expect(log.messages('warn')).toEqual(['lease lost while working: this process was stopped for too long']);
  await slow?.release();
  expect(await store.leases.extend('issue:a', 'b', LEASE_TTL_MS)).toBe(true);
  await quick?.release();
});

test('a store that fails is reported, and the lease ends by itself', async () => {
  const { clock, take, log, store } = await bench();
  const away = new BridgeError('STORE_UNAVAILABLE', 'away');
  const leases: LeaseTable = {
    ...store.leases,
    extend: () => Promise.reject(away),
    release: () => Promise.reject(away),
  };
  const lease = await take('a', leases);
  await clock.advance(LEASE_TTL_MS / 2);
  expect(log.messages('warn')).toEqual(['lease could not be prolonged']);
  await expect(lease?.release()).resolves.toBeUndefined();
  expect(log.messages('warn')).toHaveLength(2);
  expect(await take('b')).toBeUndefined();
  await clock.advance(LEASE_TTL_MS / 2);
  expect(await take('b')).toBeDefined();
});
