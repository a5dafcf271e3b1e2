import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { parseExposition } from '../../../test/support/exposition.ts';
import { register } from './family.ts';
import { createProcessProbe } from './process.ts';

test('tells of this process, the same to all who ask at once', async () => {
  const probe = createProcessProbe();
  onTestFinished(() => probe.close());
  const registry = new Registry();
  register(registry, probe.families);
  const [one, two] = (await Promise.all([registry.metrics(), registry.metrics()])).map(parseExposition);
  const of = (name: string): number => one?.value(name) ?? Number.NaN;
  expect(of('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(of('process_start_time_seconds')).toBeCloseTo(performance.timeOrigin / 1000, 1);
  expect(of('process_resident_memory_bytes')).toBeGreaterThan(10 * 1024 * 1024);
  expect(of('process_peak_resident_memory_bytes')).toBeGreaterThanOrEqual(of('nodejs_heap_size_used_bytes'));
  expect(of('nodejs_eventloop_lag_max_seconds')).toBeLessThan(30);
  expect(two?.value('nodejs_eventloop_lag_max_seconds')).toBe(of('nodejs_eventloop_lag_max_seconds'));
  if (process.platform === 'linux') {
    expect(of('process_open_fds')).toBeGreaterThan(2);
    expect(of('process_max_fds')).toBeGreaterThan(of('process_open_fds'));
  }
});

test('leaves nothing running behind', () => {
  const before = process.getActiveResourcesInfo().length;
  for (let at = 0; at < 20; at += 1) createProcessProbe().close();
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 1);
});
