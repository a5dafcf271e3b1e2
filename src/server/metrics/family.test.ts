import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { parseExposition } from '../../../test/support/exposition.ts';
import { type Family, histogramSamples, newDurations, observe, register } from './family.ts';

const gauge = (samples: Family['samples']): Family => ({
  name: 'test_gauge',
  help: 'A gauge.',
  type: 'gauge',
  labels: ['label'],
  samples,
});

test('label values are escaped, so that what they hold comes out as it went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async value => {
      fc.pre(!/[\r\u2028\u2029\u0085]/.test(value));
      const registry = new Registry();
      register(registry, [gauge(() => [{ labels: { label: value }, value: 1 }])]);
      const scrape = parseExposition(await registry.metrics());
      expect(scrape.value('test_gauge', { label: value })).toBe(1);
    }),
  );
});

test('a name is taken once in a registry, and registries do not know of each other', () => {
  const registry = new Registry();
  register(registry, [gauge(() => [])]);
  expect(() => register(registry, [gauge(() => [])])).toThrow('already been registered');
  expect(() => register(new Registry(), [gauge(() => [])])).not.toThrow();
});

test('a family without series still has its name and meaning in a scrape', async () => {
  const registry = new Registry();
  register(registry, [gauge(async () => [])]);
  expect(await registry.metrics()).toBe('# HELP test_gauge A gauge.\n# TYPE test_gauge gauge\n');
});

test('durations are counted up to each bound, the bound included', () => {
  const durations = newDurations();
  for (const ms of [0, 5, 5.001, 30_000, 30_001, -3]) observe(durations, ms);
  const samples = [...histogramSamples('d_seconds', { path: '/x' }, durations)];
  const upTo = (le: number | string) =>
    samples.find(({ name, labels }) => name === 'd_seconds_bucket' && labels?.['le'] === le)?.value;
  expect([upTo(0.005), upTo(0.01), upTo(10), upTo(30), upTo('+Inf')]).toEqual([3, 4, 4, 5, 6]);
  expect(samples.at(-2)).toMatchObject({ name: 'd_seconds_sum', value: expect.closeTo(60.011001, 6) });
  expect(samples.at(-1)).toMatchObject({ name: 'd_seconds_count', value: 6 });
});

test('any durations make a histogram that adds up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ min: -1e4, max: 1e6, noNaN: true })), async all => {
      const durations = newDurations();
      for (const ms of all) observe(durations, ms);
      const registry = new Registry();
      const name = 'd_seconds';
      const samples = () => histogramSamples(name, {}, durations);
      register(registry, [{ name, help: 'Durations.', type: 'histogram', labels: [], samples }]);
      expect(parseExposition(await registry.metrics()).value('d_seconds_count')).toBe(all.length);
    }),
  );
});
