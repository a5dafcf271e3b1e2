import { describe, expect, it, onTestFinished } from 'vitest';
import { NEWS, SHOP, startTestBridge, type TestBridge } from '../../../test/support/bridge.ts';
import type { DoctorOptions, Finding } from './check.ts';
import { appEntry, OTHER_APPS, QQ_MINI, startRunning, worldOf } from './doctor.fixture.ts';
import { examine } from './examine.ts';
import { findingLines } from './render.ts';

/** A bridge that has fetched its tokens, with the doctor beside it. */
async function startWithTokens(
  config: Record<string, unknown> = {},
): Promise<TestBridge & { look(options?: Partial<DoctorOptions>): Promise<readonly Finding[]> }> {
  const test = await startTestBridge({ config });
  onTestFinished(() => test.close());
  await expect
    .poll(async () => (await fetch(`${test.gateway}/cgi-bin/getcallbackip`)).status, { timeout: 10_000 })
    .toBe(200);
  return {
    ...test,
    async look(options = {}) {
      const path = `${test.folder}/open-bridge.json`;
      const findings = await examine(
        { config: path, offline: false, mint: false, command: [], ...options },
        worldOf(),
      );
      const text = findings.flatMap(findingLines).join('\n');
      for (const secret of [SHOP.secret, NEWS.secret, ...test.simulator.state.tokens(SHOP.appid)])
        expect(text).not.toContain(secret);
      return findings;
    },
  };
}

const CLASSIC = { apps: [appEntry(SHOP, { tokenEndpoint: 'classic' })] };

const named = (findings: readonly Finding[], name: string): Finding | undefined =>
  findings.find(finding => finding.name === name);

describe('a classic token', () => {
  it('is looked at in the store, and never asked for', async () => {
    const test = await startWithTokens(CLASSIC);
    const findings = await test.look();
    expect(named(findings, 'shop: secret')).toMatchObject({
      status: 'skipped',
      advice: expect.stringContaining('--mint'),
    });
    expect(named(findings, 'shop: token')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('stored token'),
    });
    expect(named(findings, 'shop: quota')?.found).toContain('/cgi-bin/token');
    expect(test.simulator.counters(SHOP.appid).classic.calls).toBe(1);
  });

  it('is replaced through the database with --mint, so that the bridge has the new one too', async () => {
    const test = await startWithTokens(CLASSIC);
    const findings = await test.look({ mint: true });
    expect(named(findings, 'shop: secret')).toMatchObject({ status: 'ok' });
    expect(test.simulator.counters(SHOP.appid).classic.issued).toBe(2);
    test.simulator.revoke(SHOP.appid, 'stable');
    const { errors } = test.simulator.counters(SHOP.appid);
    expect((await fetch(`${test.gateway}/cgi-bin/getcallbackip`)).status).toBe(200);
    expect(test.simulator.counters(SHOP.appid)).toMatchObject({ classic: { issued: 2 }, errors });
  });

  it('that is dead is told of, and mended by the gateway', async () => {
    const test = await startWithTokens(CLASSIC);
    test.simulator.revoke(SHOP.appid);
    expect(named(await test.look(), 'shop: token')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('40001'),
      advice: expect.stringContaining('another program'),
    });
    expect((await fetch(`${test.gateway}/cgi-bin/getcallbackip`)).status).toBe(200);
    expect(named(await test.look(), 'shop: token')).toMatchObject({ status: 'ok' });
  });

  it('with a wrong secret is found out with --mint', async () => {
    const test = await startWithTokens(CLASSIC);
    test.simulator.setAccount(SHOP.appid, { secret: 'changed-at-the-platform' });
    const findings = await test.look({ mint: true });
    expect(named(findings, 'shop: secret')).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('secret configured'),
    });
    expect(named(findings, 'shop: token')).toMatchObject({ status: 'ok' });
  });
});

describe('a token of QQ, which has only classic ones', () => {
  const QQ = { apps: OTHER_APPS.filter(({ name }) => name === 'qq-mini') };

  it('is looked at in the store, and asked for with --mint alone', async () => {
    const test = await startRunning(QQ);
    await expect.poll(() => test.simulator.counters(QQ_MINI.appid).classic.issued).toBe(1);
    const found = await test.look();
    expect(found.of('qq-mini: secret')).toMatchObject({ status: 'ok' });
    expect(found.of('qq-mini: token')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('takes the stored token'),
    });
    expect(found.of('bridge: qq-mini')?.found).toMatch(/holds access_token [0-9a-f]{16}, 7\d\d\d s left/);
    expect(test.simulator.counters(QQ_MINI.appid).classic.issued).toBe(1);

    const minted = await test.look({ mint: true });
    expect(minted.of('qq-mini: secret')?.found).toContain('a new token was issued');
    expect(minted.of('qq-mini: token')).toMatchObject({ status: 'ok' });
    expect(test.simulator.counters(QQ_MINI.appid).classic.issued).toBe(2);
  });

  it('is told of when it is dead, and when its secret is wrong', async () => {
    const test = await startRunning(QQ);
    await expect.poll(async () => (await test.look()).of('qq-mini: token')?.status).toBe('ok');
    test.simulator.revoke(QQ_MINI.appid);
    expect((await test.look()).of('qq-mini: token')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('40001'),
    });
    test.simulator.setAccount(QQ_MINI.appid, { secret: 'changed-at-the-platform' });
    expect((await test.look({ mint: true })).of('qq-mini: secret')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('40001 invalid appsecret'),
      advice: expect.stringMatching(/secret configured for 1110000005 is wrong.*https:\/\/q\.qq\.com/),
    });
  });
});

describe('a stable token', () => {
  it('that somebody else forced is told of', async () => {
    const test = await startWithTokens();
    const grant = { grant_type: 'client_credential', appid: SHOP.appid, secret: SHOP.secret };
    await fetch(`${test.simulator.origin}/cgi-bin/stable_token`, {
      method: 'POST',
      body: JSON.stringify({ ...grant, force_refresh: true }),
    });
    expect(named(await test.look(), 'shop: secret')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('another token'),
    });
  });

  it('is not asked for while an administrator is asked, unless with --mint', async () => {
    const test = await startTestBridge({
      prepare: simulator => simulator.setAccount(NEWS.appid, { ipWhitelist: [], unlistedIp: 89503 }),
    });
    onTestFinished(() => test.close());
    await expect.poll(() => test.simulator.counters(NEWS.appid).stable.calls).toBe(1);
    const look = async (mint: boolean): Promise<readonly Finding[]> =>
      examine({ config: `${test.folder}/open-bridge.json`, offline: false, mint, command: [] }, worldOf());
    await expect
      .poll(async () => named(await look(false), 'news: secret')?.found)
      .toMatch(/89503.*not asked again before/);
    const { calls } = test.simulator.counters(NEWS.appid).stable;
    await look(false);
    expect(test.simulator.counters(NEWS.appid).stable.calls).toBe(calls);
    await look(true);
    expect(test.simulator.counters(NEWS.appid).stable.calls).toBe(calls + 1);
  });
});
