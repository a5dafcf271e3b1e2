import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { NEWS, SHOP } from '../../../test/support/bridge.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { appEntry, OTHER_APPS, type Running, startPatient, startRunning } from './doctor.fixture.ts';

const OFFLINE = { offline: true };
const DCLOUD_APPID = '__UNI__ABC1234';
const UNMANAGED = { managed: false, secret: undefined };

const shop = appEntry(SHOP, UNMANAGED);
const news = appEntry(NEWS, UNMANAGED);
const [site = {}, mobile = {}] = OTHER_APPS.map(app => ({ ...app, ...UNMANAGED }));

/** Calls a uni-open-bridge function as a token server does. */
async function push(test: Running, method: string, body: object): Promise<void> {
  const answer = await fetch(`${test.control}/uni-open-bridge/${method}`, {
    method: 'POST',
    body: JSON.stringify({ dcloudAppid: DCLOUD_APPID, ...body }),
  });
  expect(await answer.json()).toEqual({ errCode: 0, errMsg: '' });
}

/** The system's clock, put forward at will. */
function adjustableClock(): Clock & { advance(ms: number): void } {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    advance(ms) {
      ahead += ms;
    },
  };
}

const TOKEN = { access_token: 'canary-token-that-was-pushed-in' };

describe('an app that is not managed', () => {
  it('without any value is told of, before the first start too', async () => {
    const patient = await startPatient({ apps: [shop, news, site] });
    const found = await patient.examine();
    for (const app of ['shop', 'news'])
      expect(found.of(`${app}: values`)).toMatchObject({
        status: 'warn',
        found: 'no access_token was pushed in, and none is fetched here ("managed": false)',
        advice: expect.stringMatching(
          /setAccessToken of uni-open-bridge; or set "managed": true and a secret/,
        ),
      });
    expect(found.of('site: values')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('nothing was pushed in'),
    });
    expect(found.text).not.toMatch(/: (secret|token|platform|quota) |the check itself failed/);
    expect(patient.simulator.counters(SHOP.appid).stable.calls).toBe(0);
  });

  it('with values says until when they are good, whatever the form of their keys', async () => {
    for (const keyFormat of ['dcloudAppid', 'appid']) {
      const test = await startRunning({
        apps: [shop, news].map(app => ({ ...app, dcloudAppid: DCLOUD_APPID })),
      });
      await push(test, 'setAccessToken', { platform: 'weixin-mp', value: TOKEN, expiresIn: 7200 });
      await push(test, 'setAccessToken', { platform: 'weixin-h5', value: TOKEN });
      await push(test, 'setTicket', {
        platform: 'weixin-h5',
        value: { ticket: 'canary-ticket' },
        expiresIn: 60,
      });
      test.reconfigure({
        storage: { database: 'sqlite:./open-bridge.db', sealKey: '${file:./seal.key}', keyFormat },
      });
      const found = await test.look();
      expect(found.of('shop: values')).toMatchObject({
        status: 'ok',
        found: expect.stringMatching(
          /^access_token [0-9a-f]{16} was pushed in and ends at \d{4}-\S+Z \(7(200|1\d\d) s left\)$/,
        ),
      });
      const ofNews = found.all.filter(({ name }) => name === 'news: values');
      expect(ofNews.map(finding => [finding.status, finding.found])).toEqual([
        ['ok', expect.stringMatching(/^access_token \S+ was pushed in and never ends$/)],
        ['ok', expect.stringMatching(/^ticket \S+ was pushed in and ends at \S+ \((60|5\d) s left\)$/)],
      ]);
      expect(found.of('bridge: shop')).toMatchObject({
        status: 'ok',
        found: expect.stringMatching(/holds access_token [0-9a-f]{16}, which was pushed in, 7\d{3} s left/),
      });
      await test.close();
    }
  });

  it('whose value has ended is told of, by the database and by the bridge', async () => {
    const clock = adjustableClock();
    const test = await startRunning({ apps: [{ ...shop, dcloudAppid: DCLOUD_APPID }] }, clock);
    await push(test, 'setAccessToken', { platform: 'weixin-mp', value: TOKEN, expiresIn: 7200 });
    clock.advance(7_200_000);
    const found = await test.look(OFFLINE);
    expect(found.of('shop: values')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/^the access_token that was pushed in ended at \S+Z$/),
      advice: expect.stringContaining('setAccessToken'),
    });
    expect(found.of('bridge: shop')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('has ended'),
      advice: expect.stringContaining('"shop: values" above'),
    });
  });

  it('is not pressed for a token while only values of its users are pushed in', async () => {
    const test = await startRunning({ apps: [{ ...site, dcloudAppid: DCLOUD_APPID }] });
    expect((await test.look()).of('site: values')).toMatchObject({ status: 'warn' });
    await push(test, 'setUserAccessToken', { platform: 'weixin-web', openid: 'oABC', value: TOKEN });
    expect((await test.look()).of('site: values')).toMatchObject({
      status: 'ok',
      found: 'no access_token was pushed in, but values of users were',
    });
  });

  it('is missed by the bridge that runs', async () => {
    const test = await startRunning({ apps: [shop] });
    const found = await test.look();
    expect(found.of('bridge: shop')).toMatchObject({
      status: 'warn',
      found: 'has no access_token: none was pushed in',
    });
    // That no token is there is told once; the gateway itself is in order.
    expect(found.of('gateway')).toMatchObject({ status: 'ok' });
  });
});

describe('an app whose platform issues no token to us', () => {
  it('is in order without one, and told of when one that was pushed in has ended', async () => {
    const apps = OTHER_APPS.map(app => ({ ...app, dcloudAppid: DCLOUD_APPID }));
    const clock = adjustableClock();
    const test = await startRunning({ apps }, clock);
    expect((await test.look(OFFLINE)).of('site: values')).toMatchObject({ status: 'ok' });
    await push(test, 'setAccessToken', { platform: 'weixin-web', value: TOKEN, expiresIn: 7200 });
    expect((await test.look(OFFLINE)).of('site: values')?.found).toMatch(/\(7(200|1\d\d) s left\)$/);
    clock.advance(7_200_000);
    expect((await test.look(OFFLINE)).of('site: values')).toMatchObject({
      status: 'warn',
      advice: 'see why your token server does not push it with setAccessToken of uni-open-bridge',
    });
  });
});

describe('a database', () => {
  it('that cannot be read says nothing of values', async () => {
    const test = await startRunning({ apps: [{ ...shop, dcloudAppid: DCLOUD_APPID }] });
    await push(test, 'setAccessToken', { platform: 'weixin-mp', value: TOKEN });
    const database = new DatabaseSync(join(test.folder, 'open-bridge.db'));
    database.exec(`update "opendb-open-data" set value = 'x' || value where _id like '%access-token'`);
    database.exec("insert into open_bridge_migrations (name) values ('9999-from-the-future')");
    expect((await test.look(OFFLINE)).of('shop: values')).toMatchObject({
      status: 'skipped',
      found: expect.stringContaining('the database cannot be read'),
    });
    database.exec("delete from open_bridge_migrations where name = '9999-from-the-future'");
    database.exec(
      `update "opendb-open-data" set value = substr(value, 2), _id = 'uni-id:weixin-mp:${SHOP.appid}:access-token'`,
    );
    database.close();
    expect((await test.look(OFFLINE)).of('shop: values')).toMatchObject({
      status: 'skipped',
      found: expect.stringContaining('does not open'),
    });
  });

  it('with values of another app alone holds nothing of this one', async () => {
    const test = await startRunning({
      apps: [site, mobile].map(app => ({ ...app, dcloudAppid: DCLOUD_APPID })),
    });
    await push(test, 'setUserAccessToken', { platform: 'weixin-web', openid: 'oABC', value: TOKEN });
    const found = await test.look(OFFLINE);
    expect(found.of('site: values')?.found).toContain('values of users were');
    expect(found.of('mobile: values')?.found).toContain('nothing was pushed in');
  });
});
