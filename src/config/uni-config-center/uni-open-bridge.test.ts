import { describe, expect, test } from 'vitest';
import { appsOf, type Content, check, entryOf, summary, texts } from './folder.fixture.ts';

describe('the schedule', () => {
  const scheduled = (schedule: unknown, uniId: Content = entryOf('A', 'wx1')) =>
    check({ 'uni-id/config.json': uniId, 'uni-open-bridge/config.json': { schedule } as object });
  const on = (tasks: readonly unknown[]) => ({ enable: true, tasks });
  const h5 = { dcloudAppid: 'A', web: { oauth: { 'weixin-h5': { appid: 'wx1', appsecret: 's' } } } };
  const qq = { dcloudAppid: 'A', 'mp-qq': { oauth: { qq: { appid: 'wx1', appsecret: 's' } } } };

  test.each<[string, Content, object, readonly string[]]>([
    ['a token', entryOf('A', 'wx1'), { 'weixin-mp': on(['accessToken']) }, ['access-token']],
    ['a ticket, which needs a token', h5, { 'weixin-h5': on(['ticket']) }, ['access-token', 'ticket']],
    ['a token of QQ', qq, { 'qq-mp': on(['accessToken']) }, ['access-token']],
    ['an older name', entryOf('A', 'wx1'), { 'mp-weixin': on(['accessToken']) }, ['access-token']],
    ['an older name of an official account', h5, { 'h5-weixin': on(['ticket']) }, ['access-token', 'ticket']],
    ['enabled by any truth', h5, { 'weixin-h5': { enable: 1, tasks: ['accessToken'] } }, ['access-token']],
    ['not enabled', h5, { 'weixin-h5': { tasks: ['accessToken'] } }, []],
    ['another platform', h5, { 'weixin-mp': on(['accessToken']) }, []],
    ['no tasks', h5, { 'weixin-h5': { enable: true } }, []],
  ])('%s', (_, uniId, platforms, renews) => {
    const found = scheduled({ A: { enable: true, ...platforms } }, uniId);
    expect(appsOf(found)[0]?.renews).toEqual(renews);
  });

  test('leaves an app it does not name alone, and everything when it is off', () => {
    expect(appsOf(scheduled({}))[0]?.renews).toEqual([]);
    const found = scheduled({ A: { enable: 'true', 'weixin-mp': on(['accessToken']) } });
    expect(appsOf(found)[0]?.renews).toEqual([]);
    expect(texts(found.warnings)).toEqual([
      'schedule.A.enable: is off, as in uniCloud: only true itself switches it on',
    ]);
  });

  test('speaks of a single configuration that names no dcloudAppid', () => {
    const found = scheduled(
      { A: { enable: true, 'weixin-mp': on(['accessToken']) } },
      entryOf(undefined, 'wx1'),
    );
    expect(appsOf(found).map(summary)).toMatchObject([
      { dcloudAppids: ['A', '*'], renews: ['access-token'] },
    ]);
  });

  test('has what uniCloud ignores left out with a warning', () => {
    const found = scheduled({
      A: {
        enable: true,
        'weixin-mp': on(['accessToken', 'ticket', 5, 'acessToken']),
        'mp-weixin': on([]),
        'weixin-app': on(['accessToken']),
        'mp-alipay': on(['accessToken']),
        'weixin-h5': true,
        'qq-mp': { enable: true, tasks: 'accessToken' },
      },
      B: { enable: true },
      C: [],
    });
    expect(appsOf(found)[0]?.renews).toEqual(['access-token']);
    expect(texts(found.warnings)).toEqual([
      'schedule.A["weixin-mp"].tasks[1]: left out: no task of weixin-mp, which has accessToken',
      'schedule.A["weixin-mp"].tasks[2]: left out: no task of weixin-mp, which has accessToken',
      'schedule.A["weixin-mp"].tasks[3]: left out: no task of weixin-mp, which has accessToken',
      'schedule.A["mp-weixin"]: left out: the older name of weixin-mp, which is given too, and counts',
      'schedule.A["weixin-app"]: left out: nothing of weixin-app can be renewed by a schedule',
      'schedule.A["mp-alipay"]: left out: no such platform; known: weixin-mp, weixin-h5, qq-mp',
      'schedule.A["weixin-h5"]: left out: must be an object',
      'schedule.A["qq-mp"].tasks: left out: must be an array',
      'schedule.B: no app has this dcloudAppid, so nothing is renewed for it',
      'schedule.C: left out: must be an object',
    ]);
  });

  test.each([
    [{ schedule: [] }, 'schedule: must be an object with an entry for each dcloudAppid'],
    [{ ipWhiteList: '10.0.0.1' }, 'ipWhiteList: must be an array of addresses'],
    [[], ': must be an object'],
  ])('cannot be read from %j', (content, fault) => {
    const found = check({
      'uni-id/config.json': entryOf('A', 'wx1'),
      'uni-open-bridge/config.json': content,
    });
    expect(texts(found.faults)).toEqual([fault]);
  });
});

describe('ipWhiteList', () => {
  const listed = (content: object, own: object = {}) =>
    check({ 'uni-id/config.json': entryOf('A', 'wx1'), 'uni-open-bridge/config.json': content }, own);

  test('is taken under its older name too, and what is no address left out', () => {
    const found = listed({ ipWhitelist: ['10.0.0.1', 'shop.internal', '', '10.1.0.0/16', 7] });
    expect(found.settings?.ipWhiteList).toEqual(['10.0.0.1', '10.1.0.0/16']);
    expect(texts(found.warnings)).toEqual(
      [1, 2, 4].map(
        at => `ipWhitelist[${at}]: left out: no IP address, and no CIDR range such as 10.0.0.0/8`,
      ),
    );
  });

  test('of two names today’s counts', () => {
    const found = listed({ ipWhitelist: ['10.0.0.1'], ipWhiteList: ['10.0.0.2'] });
    expect(found.settings?.ipWhiteList).toEqual(['10.0.0.2']);
    expect(texts(found.warnings)).toEqual(['ipWhitelist: left out: ipWhiteList is given too, and counts']);
  });

  test('our own list stands in the place of the folder’s', () => {
    const found = listed({ ipWhiteList: ['0.0.0.0'] }, { ipWhiteList: ['10.0.0.3'] });
    expect(found.settings?.ipWhiteList).toEqual(['10.0.0.3']);
    expect(found.warnings).toEqual([]);
  });
});
