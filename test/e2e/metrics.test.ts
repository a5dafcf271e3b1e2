import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/base/secret.ts';
import { createClient } from '../../src/client/client.ts';
import { NEWS, SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { parseExposition, type Scrape } from '../support/exposition.ts';
import { manualClock } from '../support/manual-clock.ts';

const LOCAL = { caller: 'local' };
const TOKEN_OF_SHOP = { app: 'shop', kind: 'access_token', renewal: 'background' };
const LISTED = '/wxa/getwxadevinfo';

let running: TestBridge;
afterEach(() => running.close());

async function call(path: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(`${running.gateway}${path}`, init);
  await answer.arrayBuffer();
  return answer;
}

async function scrapeText(init?: RequestInit): Promise<string> {
  const answer = await fetch(`${running.control}/metrics`, init);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return answer.text();
}

const scrape = async (init?: RequestInit): Promise<Scrape> => parseExposition(await scrapeText(init));

/** Breaks the database under the bridge, and mends it again. */
function breakStore(): { mend(): void } {
  const path = join(running.folder, readdirSync(running.folder).find(name => name.endsWith('.db')) ?? '');
  const rename = (from: string, to: string): void => {
    const database = new DatabaseSync(path, { timeout: 2000 });
    database.exec(`alter table ${from} rename to ${to}`);
    database.close();
  };
  rename('open_bridge_settings', 'open_bridge_settings_away');
  return { mend: () => rename('open_bridge_settings_away', 'open_bridge_settings') };
}

describe('GET /metrics of a bridge before the simulated platform', () => {
  it('counts calls by how they end, with their bytes, errcodes and refusals', async () => {
    running = await startTestBridge({ config: { openapi: { allow: ['/wxa/*', '/wxa/msg_sec_check'] } } });
    for (let at = 0; at < 3; at += 1) await call(LISTED);
    const body = JSON.stringify({ openid: 'o', version: 2, scene: 2, content: 'hello' });
    await call('/wxa/msg_sec_check', { method: 'POST', body });
    await call(`/wxa/getwxacode?from_appid=${NEWS.appid}`, { method: 'POST', body: '{"path":"p"}' });
    running.simulator.faults.add({ kind: 'errcode', errcode: 123456, path: LISTED, times: 1 });
    await call(LISTED);
    await call('/cgi-bin/not-listed');
    await call('/cgi-bin/not-listed');
    running.simulator.faults.add({ kind: 'cut', path: LISTED, times: 2 });
    await call(LISTED);

    const metrics = await scrape();
    const calls = (app: string, outcome: string) =>
      metrics.value('open_bridge_calls_total', { app, ...LOCAL, outcome });
    expect(calls('shop', 'ok')).toBe(4);
    expect(calls('shop', 'platform_error')).toBe(1);
    expect(calls('shop', 'refused')).toBe(2);
    expect(calls('shop', 'failed')).toBe(1);
    expect(calls('news', 'platform_error')).toBe(1);
    expect(metrics.value('open_bridge_refusals_total', { code: 'PATH_NOT_LISTED' })).toBe(2);
    expect(metrics.value('open_bridge_refusals_total', { code: 'UPSTREAM_UNREACHABLE' })).toBe(1);
    const errcodes = (app: string, errcode: string, errorClass: string) =>
      metrics.value('open_bridge_errcodes_total', { app, errcode, class: errorClass });
    expect(errcodes('news', '48001', 'permission')).toBe(1);
    expect(errcodes('shop', 'other', 'other')).toBe(1);
    expect(metrics.value('open_bridge_request_bytes_total', { app: 'shop' })).toBe(Buffer.byteLength(body));
    expect(metrics.value('open_bridge_response_bytes_total', { app: 'shop' })).toBeGreaterThan(100);
    expect(metrics.value('open_bridge_calls_in_flight')).toBe(0);

    const counted = (family: string, path: string) =>
      metrics.value(`open_bridge_${family}_duration_seconds_count`, { path });
    expect(counted('call', '/wxa/*')).toBe(6);
    expect(counted('call', '/wxa/msg_sec_check')).toBe(1);
    expect(counted('call', 'other')).toBe(2);
    expect(counted('upstream', '/wxa/*')).toBe(5);
    expect(counted('upstream', 'other')).toBe(0);
  });

  it('counts issues, replays and reports', async () => {
    running = await startTestBridge();
    await call(LISTED);
    const first = running.simulator.state.token(SHOP.appid, 'stable') ?? '';
    running.simulator.revoke(SHOP.appid);
    await call(LISTED);
    const report = { appid: SHOP.appid, errcode: 40001, fingerprint: fingerprintOf(first) };
    await createClient({ url: running.control }).reportCredential(report);

    const metrics = await scrape();
    expect(metrics.value('open_bridge_replays_total', { app: 'shop' })).toBe(1);
    expect(
      metrics.value('open_bridge_credential_issues_total', {
        app: 'shop',
        kind: 'access_token',
        result: 'issued',
      }),
    ).toBe(running.simulator.counters(SHOP.appid).stable.issued);
    const reports = (by: string, outcome: string) =>
      metrics.value('open_bridge_reports_total', { by, outcome });
    expect(reports('gateway', 'renewed')).toBe(1);
    expect(reports('caller', 'superseded')).toBe(1);
    expect(
      metrics.value('open_bridge_errcodes_total', { app: 'shop', errcode: '40001', class: 'token' }),
    ).toBe(undefined);
  });

  it('tells what an issue fails of, and forgets it once it works again', async () => {
    const clock = manualClock();
    running = await startTestBridge({
      clock,
      prepare: platform => platform.setAccount(SHOP.appid, { ipWhitelist: ['203.0.113.9'] }),
    });
    expect((await call(LISTED)).status).toBe(503);
    const failing = { app: 'shop', kind: 'access_token', class: 'address', errcode: '40164' };
    const before = await scrape();
    expect(before.value('open_bridge_issue_failures', failing)).toBe(1);
    expect(before.value('open_bridge_credential_expires_in_seconds', TOKEN_OF_SHOP)).toBe(undefined);
    const failed = { app: 'shop', kind: 'access_token', result: 'failed' };
    expect(before.value('open_bridge_credential_issues_total', failed)).toBe(1);

    running.simulator.setAccount(SHOP.appid, { ipWhitelist: null });
    await clock.advance(61_000);
    expect((await call(LISTED)).status).toBe(200);
    await clock.advance(5000);
    const after = await scrape();
    expect(after.series('open_bridge_issue_failures')).toEqual([]);
    expect(after.value('open_bridge_credential_expires_in_seconds', TOKEN_OF_SHOP)).toBeGreaterThan(7100);
  });

  it('shows age and time to expiry as they are at the scrape, and the renewal that resets them', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    await expect.poll(() => running.simulator.counters(SHOP.appid).stable.issued).toBe(1);
    await call(LISTED);
    const at = async (name: string) =>
      (await scrape()).value(`open_bridge_credential_${name}`, TOKEN_OF_SHOP);
    const issuedAgo = (await at('age_seconds')) ?? Number.NaN;
    expect(await at('expires_in_seconds')).toBeCloseTo(7200 - issuedAgo);
    // Within the rest of a reading too: the store is not asked, yet time passes.
    await clock.advance(1000);
    expect(await at('age_seconds')).toBeCloseTo(issuedAgo + 1);
    expect(await at('expires_in_seconds')).toBeCloseTo(7199 - issuedAgo);
    await clock.advance(6_800_000);
    expect(await at('expires_in_seconds')).toBeCloseTo(399 - issuedAgo);
    for (let second = 0; second < 200; second += 1) await clock.advance(1000);
    await expect.poll(() => running.simulator.counters(SHOP.appid).stable.issued).toBe(2);
    await clock.advance(6000);
    expect(await at('expires_in_seconds')).toBeGreaterThan(6900);
    expect(await at('age_seconds')).toBeLessThan(200);
    expect((await scrape()).value('open_bridge_renewal_lag_seconds')).toBe(0);
  });

  it('shows what is left of the budgets', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    await call(LISTED);
    const left = async (budget: string) =>
      (await scrape()).value('open_bridge_budget_remaining', { app: 'shop', budget });
    expect(await left('token-force')).toBe(20);
    await clock.advance(31_000);
    await createClient({ url: running.control }).rotateCredential({ appid: 'shop' });
    await clock.advance(5000);
    expect(await left('token-force')).toBe(19);
    const metrics = await scrape();
    expect(metrics.value('open_bridge_budget_limit', { budget: 'token-force', window: 'day' })).toBe(20);
    expect(metrics.value('open_bridge_budget_reserve', { budget: 'token-force' })).toBe(10);
  });

  it('answers while the store is away, with what it knew before', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    await call(LISTED);
    expect((await scrape()).value('open_bridge_store_up')).toBe(1);
    const store = breakStore();
    clock.jump(60_000);
    const away = await scrape();
    expect(away.value('open_bridge_store_up')).toBe(0);
    expect(away.value('open_bridge_store_reading_age_seconds')).toBe(60);
    const left = away.value('open_bridge_credential_expires_in_seconds', TOKEN_OF_SHOP) ?? Number.NaN;
    expect(left).toBeLessThanOrEqual(7140);
    expect(left).toBeGreaterThan(7000);
    store.mend();
    expect((await scrape()).value('open_bridge_store_up')).toBe(1);
  });

  it('answers several scrapes at once, each whole', async () => {
    running = await startTestBridge();
    await call(LISTED);
    const all = await Promise.all(Array.from({ length: 8 }, () => scrape()));
    for (const one of all) {
      expect([...one.families.keys()]).toEqual([...(all[0]?.families.keys() ?? [])]);
      expect(one.value('open_bridge_calls_total', { app: 'shop', ...LOCAL, outcome: 'ok' })).toBe(1);
      expect(one.value('open_bridge_store_up')).toBe(1);
    }
  });

  it('starts anew for each bridge', async () => {
    running = await startTestBridge();
    await call(LISTED);
    await running.restart();
    expect((await scrape()).series('open_bridge_calls_total')).toEqual([]);
  });

  it('follows a reload: allow-list, callers and apps', async () => {
    running = await startTestBridge();
    await call(LISTED);
    running.reconfigure({
      openapi: { allow: [LISTED] },
      metrics: { maxApps: 1, public: true },
      callers: [{ name: 'orders', key: 'orders-key-0123456789' }],
    });
    const headers = { 'x-bridge-key': 'orders-key-0123456789' };
    await call(LISTED, { headers });
    await call('/wxa/elsewhere', { headers });
    await call(`${LISTED}?from_appid=${NEWS.appid}`, { headers });
    const metrics = await scrape();
    expect(metrics.value('open_bridge_metrics_apps_omitted')).toBe(1);
    expect(metrics.series('open_bridge_app_info').map(each => each.labels['app'])).toEqual(['shop']);
    const ok = { caller: 'orders', outcome: 'ok' };
    expect(metrics.value('open_bridge_calls_total', { app: 'shop', ...ok })).toBe(1);
    expect(metrics.series('open_bridge_calls_total').map(each => each.labels['app'])).toContain('_other');
    expect(metrics.value('open_bridge_call_duration_seconds_count', { path: LISTED })).toBe(2);
    expect(metrics.value('open_bridge_call_duration_seconds_count', { path: 'other' })).toBe(1);
  });
});

describe('who may read metrics', () => {
  const KEYS = { watcher: 'watcher-key-0123456789', orders: 'orders-key-0123456789' };
  const callers = [
    { name: 'watcher', key: KEYS.watcher, scopes: ['metrics:read'] },
    { name: 'orders', key: KEYS.orders },
  ];
  const statusWith = async (headers: Record<string, string> = {}) =>
    (await fetch(`${running.control}/metrics`, { headers })).status;

  it('everybody on this machine while no callers are configured, but no web page', async () => {
    running = await startTestBridge();
    expect(await statusWith()).toBe(200);
    expect(await statusWith({ origin: 'https://evil.example' })).toBe(401);
  });

  it('an administrator, and callers with the scope, by either header', async () => {
    running = await startTestBridge({ config: { callers } });
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
    expect(await statusWith()).toBe(401);
    expect(await statusWith(bearer(running.bridge.freshAdminKey ?? ''))).toBe(200);
    expect(await statusWith(bearer(KEYS.watcher))).toBe(200);
    expect(await statusWith({ 'x-bridge-key': KEYS.watcher })).toBe(200);
    expect(await statusWith(bearer(KEYS.orders))).toBe(403);
    expect(await statusWith({ 'x-bridge-key': KEYS.orders })).toBe(403);
    expect(await statusWith(bearer('nobodys-key-0123456789'))).toBe(401);
  });

  it('a caller key as bearer key opens what its scopes open, and nothing of an administrator', async () => {
    running = await startTestBridge({ config: { callers } });
    const headers = { authorization: `Bearer ${KEYS.watcher}` };
    expect((await fetch(`${running.control}/v1/callers`, { headers })).status).toBe(401);
    expect((await fetch(`${running.control}/v1/credentials`, { headers })).status).toBe(403);
  });

  it('everybody once they are public, from the reload on', async () => {
    running = await startTestBridge({ config: { callers } });
    expect(await statusWith()).toBe(401);
    running.reconfigure({ metrics: { public: true } });
    expect(await statusWith()).toBe(200);
    running.reconfigure({ metrics: { public: false } });
    expect(await statusWith()).toBe(401);
  });

  it('is described in the OpenAPI document and offered by the client', async () => {
    running = await startTestBridge();
    const document = (await (await fetch(`${running.control}/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { content: object }> }>>;
    };
    const ok = document.paths['/metrics']?.['get']?.responses['200'];
    expect(Object.keys(ok?.content ?? {})).toEqual(['text/plain; version=0.0.4; charset=utf-8']);
    expect(await createClient({ url: running.control }).metrics()).toContain(
      '# TYPE open_bridge_calls_total',
    );
    const refused = createClient({ url: running.control, adminKey: 'nobodys-key-0123456789' }).metrics();
    await expect(refused).rejects.toMatchObject({ status: 401 });
  });
});

describe('what metrics never show', () => {
  it('no secret, token, key, openid or query', async () => {
    const key = 'canary-caller-key-0123456789';
    running = await startTestBridge({
      config: { callers: [{ name: 'orders', key, scopes: ['call', 'credential:read', 'metrics:read'] }] },
    });
    const headers = { 'x-bridge-key': key };
    await call(`${LISTED}?openid=canary-openid`, { headers });
    await call('/wxa/canary-openid/x?js_code=canary-code', { headers });
    await call(`${LISTED}?access_token=canary-own-token`, { headers });
    await call(LISTED, { headers: { 'x-bridge-key': 'canary-wrong-key-0123' } });
    await call(`${LISTED}?from_appid=canary-appid`, { headers });
    const sdk = new URLSearchParams({ grant_type: 'client_credential', appid: SHOP.appid, secret: key });
    await call(`/cgi-bin/token?${sdk}`, { headers });
    const tokens = [...running.simulator.state.tokens(SHOP.appid, 'stable')];
    running.simulator.revoke(SHOP.appid);
    await call(LISTED, { headers });
    tokens.push(...running.simulator.state.tokens(SHOP.appid, 'stable'));
    const text = await scrapeText({ headers });
    const canaries = [SHOP.secret, NEWS.secret, ...tokens];
    expect(new Set(tokens).size).toBeGreaterThan(1);
    for (const canary of [...canaries, ...canaries.map(fingerprintOf)]) expect(text).not.toContain(canary);
    expect(text).not.toContain('canary');
  });

  it('no more series for a thousand random paths, apps, callers and errcodes', async () => {
    running = await startTestBridge();
    const round = async (from: number): Promise<void> => {
      for (let at = from; at < from + 250; at += 1) {
        running.simulator.faults.add({
          kind: 'errcode',
          errcode: 300_000 + at,
          path: `/wxa/p${at}`,
          times: 1,
        });
        await Promise.all([
          call(`/wxa/p${at}`),
          call(`/elsewhere/p${at}`),
          call(`${LISTED}?from_appid=wx${at}`),
          call(LISTED, { headers: { 'x-bridge-key': `random-key-0123456789-${at}` } }),
        ]);
      }
    };
    const seriesOf = async (): Promise<string[]> =>
      [...(await scrape()).families.values()]
        .flatMap(({ samples }) => samples.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`))
        .filter(series => series.startsWith('open_bridge_'))
        .sort();
    await round(0);
    const first = await seriesOf();
    await round(250);
    expect(await seriesOf()).toEqual(first);
    expect(first.join('\n')).not.toMatch(/\/p\d|elsewhere|random|"3000/);
  });
});

const repository = fileURLToPath(new URL('../../', import.meta.url));
const fileOf = (path: string): string => readFileSync(join(repository, path), 'utf8');

/** A bridge with everything that has metrics of its own; where there is no Redis, its metrics say so. */
const withEverything = (): Promise<TestBridge> =>
  startTestBridge({
    config: {
      storage: {
        database: 'sqlite:./open-bridge.db',
        sealKey: `\${file:./seal.key}`,
        redis: 'redis://127.0.0.1:1',
      },
    },
  });

describe('what is shipped beside the metrics', () => {
  it.each(['deploy/grafana/open-bridge.json', 'deploy/prometheus/alerts.yml'])(
    '%s names only metrics that a scrape has',
    async path => {
      running = await withEverything();
      await call(LISTED);
      const { families } = await scrape();
      const named = new Set(fileOf(path).match(/\b(?:open_bridge|process|nodejs)_[a-z0-9_]+\b/g));
      expect(named.size).toBeGreaterThan(15);
      const missing = [...named].filter(
        name => !families.has(name) && !families.has(name.replace(/_(?:bucket|sum|count)$/, '')),
      );
      expect(missing).toEqual([]);
    },
  );

  it('docs/metrics.md lists every family as it is, and no other', async () => {
    running = await withEverything();
    const { families } = await scrape();
    const rows = [
      ...fileOf('docs/metrics.md').matchAll(/^\| `([a-z0-9_]+)` \| (\w+) \| (.*?) \| (.+?) \|$/gm),
    ].map(([, name = '', type, labels = '', help]) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
      help,
    }));
    expect(rows.map(({ name, type, help }) => ({ name, type, help }))).toEqual(
      [...families].map(([name, { type, help }]) => ({ name, type, help })),
    );
    for (const { name, labels } of rows) {
      for (const sample of families.get(name)?.samples ?? []) {
        expect(
          Object.keys(sample.labels).filter(label => label !== 'le'),
          name,
        ).toEqual(labels);
      }
    }
  });

  it('the dashboard is one that Grafana can read: panels with ids and places of their own', async () => {
    running = await withEverything();
    const dashboard = JSON.parse(fileOf('deploy/grafana/open-bridge.json')) as {
      panels: {
        id: number;
        type: string;
        title: string;
        gridPos: Record<string, number>;
        targets?: unknown[];
      }[];
    };
    const { panels } = dashboard;
    expect(new Set(panels.map(panel => panel.id)).size).toBe(panels.length);
    for (const panel of panels) {
      expect(panel.gridPos['x'] ?? 99, panel.title).toBeLessThan(24);
      if (panel.type !== 'row') expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
    }
  });

  const promtool = hasPromtool();
  // Prometheus' own checker is not part of the toolchain: where it is missing, the reader above stands alone.
  it.skipIf(!promtool)('promtool finds nothing wrong', async () => {
    running = await withEverything();
    await call(LISTED);
    const check = (args: string[], input = ''): string =>
      execFileSync('promtool', args, { input, encoding: 'utf8', cwd: join(repository, 'deploy/prometheus') });
    expect(check(['check', 'metrics'], await scrapeText())).toBe('');
    expect(check(['check', 'rules', 'alerts.yml'])).toContain('SUCCESS');
    expect(check(['test', 'rules', 'alerts.test.yml'])).toContain('SUCCESS');
    expect(check(['check', 'config', '--syntax-only', 'prometheus.yml'])).toContain('SUCCESS');
  });
});

function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
