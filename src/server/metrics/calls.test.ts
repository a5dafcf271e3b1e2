import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { parseExposition, type Scrape } from '../../../test/support/exposition.ts';
import type { CallRecord } from '../../gateway/record.ts';
import { createCallCounts } from './calls.ts';
import { register } from './family.ts';
import type { Names } from './names.ts';

const NAMES: Names = {
  apps: new Set(['shop', 'news']),
  appsOmitted: 0,
  callers: new Set(['local', 'orders']),
  paths: ['/wxa/*'],
};

function recordOf(change: Partial<CallRecord> = {}): CallRecord {
  return {
    seqid: '0-0',
    startedAt: 0,
    durationMs: 20,
    upstreamMs: 10,
    sends: 1,
    method: 'GET',
    path: '/wxa/x',
    remoteAddress: '127.0.0.1',
    caller: 'orders',
    platform: 'weixin-mp',
    app: 'shop',
    appid: 'wx0',
    injected: true,
    credential: undefined,
    status: 200,
    errcode: 0,
    rid: undefined,
    failure: undefined,
    replayed: false,
    requestBytes: 1,
    answerBytes: 2,
    end: 'whole',
    ...change,
  };
}

function setup(names = NAMES) {
  const counts = createCallCounts(names);
  const registry = new Registry();
  register(registry, counts.families);
  return {
    counts,
    count(change: Partial<CallRecord> = {}) {
      counts.onBegin();
      counts.onCall(recordOf(change));
    },
    scrape: async (): Promise<Scrape> => parseExposition(await registry.metrics()),
  };
}

test.each([
  ['ok', {}],
  ['ok', { status: 302, errcode: undefined }],
  ['platform_error', { errcode: 48001 }],
  ['platform_error', { status: 502, errcode: undefined }],
  ['refused', { status: 403, errcode: 85107, failure: 'PATH_NOT_LISTED' }],
  ['failed', { status: 503, errcode: 40164, failure: 'CREDENTIAL_UNAVAILABLE' }],
  ['cut', { end: 'cut' }],
  ['caller_gone', { end: 'caller-gone', status: 499, failure: 'CALLER_GONE' }],
] as const)('a call ends %s: %j', async (outcome, change) => {
  const { count, scrape } = setup();
  count(change);
  expect((await scrape()).series('open_bridge_calls_total')).toEqual([
    { name: 'open_bridge_calls_total', labels: { app: 'shop', caller: 'orders', outcome }, value: 1 },
  ]);
});

test('a failure of ours is a refusal with its code, and no errcode or time of the platform', async () => {
  const { count, scrape } = setup();
  count({ status: 504, errcode: 990504, failure: 'UPSTREAM_TIMEOUT', upstreamMs: 0 });
  const metrics = await scrape();
  expect(metrics.value('open_bridge_refusals_total', { code: 'UPSTREAM_TIMEOUT' })).toBe(1);
  expect(metrics.series('open_bridge_errcodes_total')).toEqual([]);
  expect(metrics.value('open_bridge_upstream_duration_seconds_count', { path: '/wxa/*' })).toBe(0);
  expect(metrics.value('open_bridge_call_duration_seconds_count', { path: '/wxa/*' })).toBe(1);
});

test("an answer made in the platform's stead is none of the platform's errcodes", async () => {
  const { count, scrape } = setup();
  count({ sends: 0, errcode: 40001, upstreamMs: 0 });
  const metrics = await scrape();
  expect(metrics.series('open_bridge_errcodes_total')).toEqual([]);
  expect(metrics.value('open_bridge_upstream_duration_seconds_count', { path: '/wxa/*' })).toBe(0);
});

test('calls are under way from their beginning to their end', async () => {
  const { counts, scrape } = setup();
  counts.onBegin();
  counts.onBegin();
  expect((await scrape()).value('open_bridge_calls_in_flight')).toBe(2);
  counts.onCall(recordOf());
  expect((await scrape()).value('open_bridge_calls_in_flight')).toBe(1);
});

describe('series', () => {
  const total = (metrics: Scrape): number =>
    [...metrics.families.values()].reduce((sum, { samples }) => sum + samples.length, 0);

  test('stay as they are for whatever callers send', async () => {
    const { count, scrape } = setup();
    const round = (from: number): void => {
      for (let at = from; at < from + 1000; at += 1)
        count({
          app: `wx${at}`,
          caller: `c${at}`,
          path: `/p/${at}`,
          errcode: 1_000_000 + at,
          platform: undefined,
        });
      count({ app: undefined, caller: undefined });
    };
    round(0);
    const before = total(await scrape());
    round(1000);
    const metrics = await scrape();
    expect(total(metrics)).toBe(before);
    const labels = { caller: '_other', outcome: 'platform_error' };
    expect(metrics.value('open_bridge_calls_total', { app: '_other', ...labels })).toBe(2000);
    expect(
      metrics.value('open_bridge_errcodes_total', { app: '_other', errcode: 'other', class: 'other' }),
    ).toBe(2000);
    expect(metrics.value('open_bridge_calls_total', { app: '_none', caller: '_none', outcome: 'ok' })).toBe(
      2,
    );
  });

  test('of apps and callers together are bounded too', async () => {
    const apps = Array.from({ length: 100 }, (_, at) => `app${at}`);
    const callers = Array.from({ length: 100 }, (_, at) => `caller${at}`);
    const { count, scrape } = setup({ ...NAMES, apps: new Set(apps), callers: new Set(callers) });
    for (const app of apps) for (const caller of callers) count({ app, caller });
    const series = (await scrape()).series('open_bridge_calls_total');
    expect(series.length).toBeLessThanOrEqual(5000 + apps.length);
    expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(10_000);
  });

  test('of names that are gone go with a reload, the others count on', async () => {
    const { counts, count, scrape } = setup();
    count();
    count({ app: 'news' });
    count({ caller: 'local' });
    count({ app: undefined, path: '/elsewhere' });
    counts.rename({ ...NAMES, apps: new Set(['shop']), callers: new Set(['orders']), paths: ['/cgi-bin/*'] });
    count();
    const metrics = await scrape();
    const series = metrics
      .series('open_bridge_calls_total')
      .map(({ labels, value }) => ({ ...labels, value }));
    expect(series).toEqual([
      { app: 'shop', caller: 'orders', outcome: 'ok', value: 2 },
      { app: '_none', caller: 'orders', outcome: 'ok', value: 1 },
    ]);
    const paths = metrics.series('open_bridge_call_duration_seconds_count');
    expect(paths.map(({ labels, value }) => [labels['path'], value])).toEqual([
      ['/cgi-bin/*', 0],
      ['other', 2],
    ]);
  });
});
