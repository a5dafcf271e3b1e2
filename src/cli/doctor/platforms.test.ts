import { describe, expect, it } from 'vitest';
import { SHOP } from '../../../test/support/bridge.ts';
import type { AccountChange, FaultRule } from '../../simulator/index.ts';
import type { Finding } from './check.ts';
import {
  appEntry,
  type Findings,
  MOBILE,
  OTHER_APPS,
  QQ_LOGIN,
  QQ_MINI,
  SITE,
  startPatient,
} from './doctor.fixture.ts';

const ofApp = (found: Findings, app: string): readonly Finding[] =>
  found.all.filter(({ name }) => name.startsWith(`${app}: `));

const other = (name: string): object => OTHER_APPS.find(app => app.name === name) ?? {};

describe('apps of six platforms', () => {
  it('are each looked at as far as their platform goes, and nothing is burnt', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP, { default: true }), ...OTHER_APPS] });
    const found = await patient.examine();
    expect(found.all.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(found.text).not.toContain('the check itself failed');
    const names = (app: string): readonly string[] => ofApp(found, app).map(({ name }) => name);
    expect(names('shop')).toEqual(['shop: secret', 'shop: token', 'shop: platform', 'shop: quota']);
    for (const app of ['site', 'mobile', 'qq-login']) {
      expect(names(app)).toEqual([`${app}: values`, `${app}: secret`]);
      expect(found.of(`${app}: secret`)).toMatchObject({
        status: 'ok',
        found: expect.stringContaining('refused for the code alone'),
      });
      expect(found.of(`${app}: values`)).toMatchObject({
        status: 'ok',
        found: expect.stringContaining('issues none to us'),
      });
    }
    expect(names('qq-mini')).toEqual(['qq-mini: secret', 'qq-mini: token']);
    expect(found.of('qq-mini: secret')).toMatchObject({ status: 'ok' });
    expect(found.of('qq-mini: token')).toMatchObject({ status: 'skipped' });

    for (const { appid } of [SITE, MOBILE, QQ_MINI, QQ_LOGIN]) {
      expect(patient.simulator.state.tokens(appid)).toEqual([]);
      expect(patient.simulator.counters(appid).classic.calls).toBe(0);
    }
  });

  it('bring their own upstreams, and no others are asked', async () => {
    const patient = await startPatient({ apps: OTHER_APPS });
    const found = await patient.examine();
    for (const upstream of ['weixin', 'qq', 'qqConnect'])
      expect(found.of(`upstream.${upstream}`)).toMatchObject({ status: 'ok' });
    expect(found.all.filter(({ name }) => name === 'clock')).toHaveLength(3);
    const one = await patient.examine({ app: 'qq-login' });
    expect(one.all.map(({ name }) => name).filter(name => name.startsWith('upstream.'))).toEqual([
      'upstream.qqConnect',
    ]);
    patient.configure({});
    const weixin = await patient.examine();
    expect(weixin.text).not.toMatch(/upstream\.qq|q\.qq\.com|graph\.qq\.com/);
  });

  it('of an upstream that cannot be reached are left alone, and the others are not', async () => {
    const patient = await startPatient({ apps: [appEntry(SHOP), ...OTHER_APPS] });
    patient.configure({
      apps: [appEntry(SHOP), ...OTHER_APPS],
      upstream: {
        weixin: patient.simulator.origin,
        qq: 'http://127.0.0.1:9',
        qqConnect: patient.simulator.origin,
      },
    });
    const found = await patient.examine();
    expect(found.of('upstream.qq')).toMatchObject({ status: 'fail' });
    expect(found.of('qq-mini')).toMatchObject({ status: 'skipped' });
    for (const app of ['shop', 'site', 'qq-login'])
      expect(found.of(`${app}: secret`)).toMatchObject({ status: 'ok' });
  });
});

describe('a secret that only logins show', () => {
  const wrong: AccountChange = { secret: 'changed-at-the-platform' };
  const frozen: AccountChange = { frozenSecret: true };
  const cases: readonly [string, string, AccountChange, RegExp, RegExp][] = [
    ['site', SITE.appid, wrong, /40125/, /secret configured for wx00000000000000c3.*open\.weixin\.qq\.com/],
    ['mobile', MOBILE.appid, frozen, /40243/, /unfreeze it at open\.weixin\.qq\.com/],
    ['qq-mini', QQ_MINI.appid, wrong, /-101222100/, /q\.qq\.com/],
    ['qq-login', QQ_LOGIN.appid, wrong, /100009/, /APP Key.*connect\.qq\.com/],
  ];
  it.each(cases)('is wrong or frozen for %s', async (app, appid, change, found, advice) => {
    const patient = await startPatient({ apps: OTHER_APPS });
    patient.simulator.setAccount(appid, change);
    const findings = await patient.examine();
    expect(findings.of(`${app}: secret`)).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(found),
      advice: expect.stringMatching(advice),
    });
    const others = OTHER_APPS.filter(({ name }) => name !== app);
    for (const { name } of others) expect(findings.of(`${name}: secret`)).toMatchObject({ status: 'ok' });
  });

  it.each([
    ['site', { appid: 'wx00000000000000ff' }, /check the appid wx00000000000000ff/],
    ['qq-login', { appid: '101999999' }, /there is no app 101999999/],
  ])('belongs to no account: %s', async (app, change, advice) => {
    const patient = await startPatient({ apps: [{ ...other(app), ...change }] });
    expect((await patient.examine()).of(`${app}: secret`)).toMatchObject({
      status: 'fail',
      advice: expect.stringMatching(advice),
    });
  });

  const answers: readonly [string, FaultRule, Finding['status'], RegExp][] = [
    ['is told of as wrong', { kind: 'errcode', errcode: 40001 }, 'fail', /secret configured for .* is wrong/],
    ['is not judged by a code that tells nothing', { kind: 'errcode', errcode: 47777 }, 'skipped', /47777/],
    ['is not judged while the platform is busy', { kind: 'errcode', errcode: -1 }, 'warn', /-1 system error/],
    ['is not judged without a verdict', { kind: 'garbage' }, 'fail', /not JSON/],
  ];
  it.each(answers)('%s', async (_name, rule, status, text) => {
    const patient = await startPatient({ apps: [other('site'), other('qq-mini')] });
    for (const path of ['/sns/oauth2/access_token', '/sns/jscode2session'])
      patient.simulator.faults.add({ ...rule, path });
    const found = await patient.examine();
    for (const app of ['site', 'qq-mini']) {
      const finding = found.of(`${app}: secret`);
      expect(finding?.status).toBe(status);
      expect(`${finding?.found} ${finding?.advice}`).toMatch(text);
    }
  });

  it('logs nobody in, even where any text is a code', async () => {
    const patient = await startPatient({ apps: OTHER_APPS });
    for (const { appid } of [SITE, QQ_MINI, QQ_LOGIN])
      patient.simulator.setAccount(appid, { users: { codes: 'any' } });
    await patient.examine();
    for (const { appid } of [SITE, QQ_MINI, QQ_LOGIN])
      expect(patient.simulator.state.account(appid)).toMatchObject({ knownUsers: 0 });
  });
});
