import { describe, expect, it } from 'vitest';
import { NEWS, SHOP } from '../../../test/support/bridge.ts';
import type { AccountChange, FaultRule } from '../../simulator/index.ts';
import { appEntry, startPatient } from './doctor.fixture.ts';

describe('apps in order', () => {
  it('finds secret, token, platform and quota in order, and burns nothing', async () => {
    const patient = await startPatient();
    const found = await patient.examine();
    for (const app of ['shop', 'news'])
      for (const part of ['secret', 'token', 'platform', 'quota'])
        expect(found.of(`${app}: ${part}`)).toMatchObject({ status: 'ok' });
    expect(found.of('shop: quota')?.found).toContain('/cgi-bin/stable_token');
    const { stable, classic } = patient.simulator.counters(SHOP.appid);
    expect({ stable, classic }).toMatchObject({ stable: { issued: 1, forced: 0 }, classic: { calls: 0 } });
    await patient.examine();
    expect(patient.simulator.counters(SHOP.appid).stable.issued).toBe(1);
  });

  it('looks at one app when told to, and asks nothing when offline', async () => {
    const patient = await startPatient();
    const one = await patient.examine({ app: 'news' });
    expect(one.of('news: secret')).toMatchObject({ status: 'ok' });
    expect(one.text).not.toContain('shop: ');
    const none = await patient.examine({ app: 'nobody' });
    expect(none.text).toContain('--app names no app');

    const before = patient.simulator.counters().total.calls;
    const offline = await patient.examine({ offline: true });
    expect(offline.of('apps')).toMatchObject({ status: 'skipped' });
    expect(patient.simulator.counters().total.calls).toEqual(before);
  });
});

describe('what the platform refuses', () => {
  const cases: readonly [string, AccountChange, 'fail' | 'warn', RegExp, RegExp][] = [
    [
      '40164',
      { ipWhitelist: [] },
      'fail',
      /40164 invalid ip 127\.0\.0\.1/,
      /add 127\.0\.0\.1 to the IP list of wx00000000000000a1.*IP白名单/,
    ],
    ['61004', { ipWhitelist: [], unlistedIp: 61004 }, 'fail', /61004/, /add 127\.0\.0\.1 to the IP list/],
    ['89503', { ipWhitelist: [], unlistedIp: 89503 }, 'fail', /89503/, /confirm the call/],
    ['89506', { ipWhitelist: [], unlistedIp: 89506 }, 'fail', /89506/, /24 hours/],
    ['89507', { ipWhitelist: [], unlistedIp: 89507 }, 'fail', /89507/, /1 hour/],
    [
      '40125',
      { secret: 'another-canary-secret' },
      'fail',
      /40125/,
      /secret configured for wx00000000000000a1 is wrong/,
    ],
    ['40243', { frozenSecret: true }, 'fail', /40243/, /unfreeze it.*10 minutes/],
    ['50004', { banned: 50004 }, 'fail', /50004/, /penalty/],
    ['50007', { banned: true }, 'fail', /50007/, /frozen by the platform/],
    ['45009', { quotas: { stablePerDay: 0 } }, 'fail', /45009/, /midnight China time/],
    ['45011', { quotas: { stablePerMinute: 0 } }, 'warn', /45011/, /too many calls this minute/],
  ];
  it.each(cases)('%s', async (_code, change, status, found, advice) => {
    const patient = await startPatient();
    patient.simulator.setAccount(SHOP.appid, change);
    const findings = await patient.examine();
    expect(findings.of('shop: secret')).toMatchObject({
      status,
      found: expect.stringMatching(found),
      advice: expect.stringMatching(advice),
    });
    expect(findings.of('news: secret')).toMatchObject({ status: 'ok' });
  });

  it('40013', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP, { appid: 'wx00000000000000ff' })] });
    const findings = await patient.examine();
    expect(findings.of('shop: secret')).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('check the appid wx00000000000000ff'),
    });
  });

  it('tells the address this machine goes out with, once it is known', async () => {
    const patient = await startPatient();
    expect((await patient.examine()).of('own address')).toMatchObject({ status: 'skipped' });
    patient.simulator.setAccount(NEWS.appid, { ipWhitelist: [] });
    expect((await patient.examine()).of('own address')?.found).toContain('127.0.0.1');
  });

  const faults: readonly [string, FaultRule, 'fail' | 'warn', RegExp][] = [
    ['busy', { kind: 'errcode', errcode: -1 }, 'warn', /-1 system error/],
    ['40001 for a secret', { kind: 'errcode', errcode: 40001 }, 'fail', /secret configured for .* is wrong/],
    ['silence', { kind: 'silent' }, 'fail', /did not answer within 0\.3 s/],
    ['garbage', { kind: 'garbage' }, 'fail', /not JSON/],
    ['HTTP 500', { kind: 'status', status: 500 }, 'fail', /HTTP 500/],
    ['a cut', { kind: 'cut' }, 'fail', /could not be reached/],
  ];
  it.each(faults)('%s at the token endpoint', async (_name, rule, status, text) => {
    const patient = await startPatient({ apps: [appEntry(SHOP)] });
    patient.simulator.faults.add({ ...rule, path: '/cgi-bin/stable_token' });
    const findings = await patient.examine({}, { timeoutMs: 300 });
    const finding = findings.of('shop: secret');
    expect(finding?.status).toBe(status);
    expect(`${finding?.found} ${finding?.advice}`).toMatch(text);
  });

  it('a platform that is silent altogether is told of once, not for every app', async () => {
    const patient = await startPatient();
    patient.simulator.faults.add({ kind: 'silent' });
    const findings = await patient.examine({}, { timeoutMs: 200 });
    expect(findings.of('upstream.weixin')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('took the connection but gave no answer'),
    });
    expect(findings.of('shop')).toMatchObject({ status: 'skipped' });
  });
});

describe('tokens', () => {
  it('finds out that the platform is a different one than configured', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP, { platform: 'weixin-h5' })] });
    expect((await patient.examine()).of('shop: platform')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('mini program'),
      advice: 'set "platform": "weixin-mp" for shop',
    });
  });

  it('only warns when a permission is missing on both sides', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP)] });
    for (const path of ['/wxaapi/log/get_scene', '/cgi-bin/get_current_selfmenu_info'])
      patient.simulator.faults.add({ kind: 'errcode', errcode: 48001, path });
    expect((await patient.examine()).of('shop: platform')).toMatchObject({ status: 'warn' });
  });

  it('warns of a quota that is nearly used up, and fails at its end', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP)] });
    patient.simulator.setAccount(SHOP.appid, { quotas: { stablePerDay: 2 } });
    expect((await patient.examine()).of('shop: quota')).toMatchObject({ status: 'ok' });
    expect((await patient.examine()).of('shop: quota')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('0 of 2'),
    });
    patient.simulator.faults.add({ kind: 'errcode', errcode: 76022, path: '/cgi-bin/openapi/quota/get' });
    patient.simulator.setAccount(SHOP.appid, { quotas: { stablePerDay: 100 } });
    expect((await patient.examine()).of('shop: quota')).toMatchObject({ status: 'skipped' });
  });
});
