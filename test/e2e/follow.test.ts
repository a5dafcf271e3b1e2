import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { NEWS, SHOP, type TestBridge } from '../support/bridge.ts';
import { freePort } from '../support/free-port.ts';
import { manualClock } from '../support/manual-clock.ts';
import {
  ADMIN_KEY,
  ask,
  call,
  FOLLOW_KEY,
  FOLLOWER,
  startFollowed,
  startFollower,
} from './follow.fixture.ts';

const PATH = '/wxa/getwxadevinfo';
const LOCAL_KEY = 'canary-local-caller-key-0123456789';

/** Everything of the followed bridge that must never be seen at a follower. */
const secretsOf = (followed: TestBridge): string[] => [
  FOLLOW_KEY,
  SHOP.secret,
  NEWS.secret,
  ...followed.simulator.state.tokens(SHOP.appid),
  ...followed.simulator.state.tokens(NEWS.appid),
];

function expectNoneOf(secrets: readonly string[], text: string): void {
  expect(secrets.length).toBeGreaterThan(3);
  for (const secret of secrets) expect(text).not.toContain(secret);
}

describe('a call through a follower', () => {
  it('gets the credential at the bridge that is followed, and is found in both call logs', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const answer = await call(follower.gateway, PATH);
    expect(answer).toMatchObject({ status: 200, body: { errcode: 0 } });
    expect(answer.seqid).toMatch(/^[0-9a-f]{8}-/);
    expect(answer.followed).not.toBe(answer.seqid);

    const here = createClient({ url: follower.control, adminKey: ADMIN_KEY });
    const there = createClient({ url: followed.control, adminKey: ADMIN_KEY });
    expect(await here.getCall({ seqid: answer.seqid })).toMatchObject({
      ...{ caller: 'local', appid: SHOP.appid, injected: false, credential: null, errcode: 0, sends: 1 },
    });
    expect(await there.getCall({ seqid: String(answer.followed) })).toMatchObject({
      ...{ caller: FOLLOWER.name, appid: SHOP.appid, injected: true, path: PATH, errcode: 0 },
    });
    expect(followed.simulator.counters(SHOP.appid).calls[PATH]).toBe(1);
    expectNoneOf(secretsOf(followed), answer.text + follower.logs.join(''));
    expect(follower.logs.join('')).toContain(answer.seqid);
  });

  it('acts as the app it names, whatever the default of the bridge that is followed is', async () => {
    const followed = await startFollowed();
    const apps = [{ name: 'papers', platform: 'weixin-h5', appid: NEWS.appid }];
    const follower = await startFollower({ follow: { gateway: followed.gateway }, config: { apps } });
    expect((await call(follower.gateway, '/cgi-bin/get_api_domain_ip')).body['errcode'] ?? 0).toBe(0);
    expect(followed.simulator.counters(NEWS.appid).calls['/cgi-bin/get_api_domain_ip']).toBe(1);
    const both = await startFollower({ follow: { gateway: followed.gateway } });
    await call(both.gateway, `/cgi-bin/get_api_domain_ip?from_appid=${NEWS.appid}`);
    await call(both.gateway, '/cgi-bin/get_api_domain_ip?from_appid=shop');
    expect(followed.simulator.counters(NEWS.appid).calls['/cgi-bin/get_api_domain_ip']).toBe(2);
    expect(followed.simulator.counters(SHOP.appid).calls['/cgi-bin/get_api_domain_ip']).toBe(1);
  });

  it('carries bodies and pictures byte for byte', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const body = JSON.stringify({ path: 'pages/index/index', padding: 'x'.repeat(3_000_000) });
    const picture = async (gateway: string) => {
      const answer = await fetch(`${gateway}/wxa/getwxacode`, {
        ...{ method: 'POST', body, headers: { 'x-bridge-key': FOLLOW_KEY } },
      });
      return Buffer.from(await answer.arrayBuffer());
    };
    const direct = await picture(followed.gateway);
    expect(direct.subarray(1, 4).toString()).toBe('PNG');
    expect((await picture(follower.gateway)).equals(direct)).toBe(true);
  });

  it('is repaired where the credential is', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    await call(follower.gateway, PATH);
    followed.simulator.revoke(SHOP.appid);
    expect((await call(follower.gateway, PATH)).body['errcode']).toBe(0);
    expect(followed.simulator.counters(SHOP.appid).stable.issued).toBe(2);
  });

  it('keeps to the lists of both, and is told in whose words', async () => {
    const followed = await startFollowed({
      config: { callers: [{ ...FOLLOWER, allow: [PATH], apps: ['shop'] }] },
    });
    const follower = await startFollower({
      follow: { gateway: followed.gateway },
      config: { openapi: { allow: ['/wxa/*', '/cgi-bin/menu/*'] } },
    });
    const own = await call(follower.gateway, '/cgi-bin/user/get');
    expect(own).toMatchObject({ status: 403, followed: null, body: { errcode: 85107 } });
    const theirs = await call(follower.gateway, '/wxa/msg_sec_check', { method: 'POST', body: '{}' });
    expect(theirs).toMatchObject({ status: 403, body: { errcode: 85107 } });
    expect(theirs.body['errmsg']).toContain(`callers[${FOLLOWER.name}].allow`);
    expect(theirs.body['request_id']).toBe(theirs.followed);
    const foreign = await call(follower.gateway, `/cgi-bin/menu/get?from_appid=${NEWS.appid}`);
    expect(foreign).toMatchObject({ status: 403, body: { errcode: 85105 } });
    const { '/cgi-bin/stable_token': _renewal, ...other } = followed.simulator.counters().total.calls;
    expect(other).toEqual({});
  });

  it('passes a real token of the caller as it is, without one in its place', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    await call(follower.gateway, PATH);
    const token = followed.simulator.state.token(SHOP.appid, 'stable');
    expect((await call(follower.gateway, `${PATH}?access_token=${token}`)).body['errcode']).toBe(0);
    const stranger = await call(follower.gateway, `${PATH}?access_token=somebodys-own-token`);
    expect(stranger).toMatchObject({ status: 200, body: { errcode: 40014 } });
    expect(followed.simulator.counters(SHOP.appid).calls[PATH]).toBe(2);
    expect(followed.simulator.counters(SHOP.appid).stable.issued).toBe(1);
  });
});

describe('an unchanged SDK at a follower', () => {
  const token = async (gateway: string, secret: string, appid: string = SHOP.appid) =>
    call(gateway, `/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`);

  it('gets a virtual token whatever it sends as secret, and calls with it', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const given = await token(follower.gateway, 'none-of-this-machine');
    expect(given.body).toEqual({ access_token: expect.stringMatching(/^OBV1/), expires_in: 7200 });
    const called = await call(
      follower.gateway,
      `/wxa/msg_sec_check?access_token=${given.body['access_token']}`,
      {
        method: 'POST',
        body: JSON.stringify({ openid: 'o', version: 2, scene: 2, content: 'hello' }),
      },
    );
    expect(called).toMatchObject({ status: 200, body: { errcode: 0 } });
    const stable = await call(follower.gateway, '/cgi-bin/stable_token', {
      method: 'POST',
      body: JSON.stringify({
        ...{ grant_type: 'client_credential', appid: NEWS.appid, secret: 'x', force_refresh: true },
      }),
    });
    const path = `/cgi-bin/get_api_domain_ip?access_token=${stable.body['access_token']}`;
    expect((await call(follower.gateway, path)).status).toBe(200);
    expect(followed.simulator.counters(NEWS.appid).calls['/cgi-bin/get_api_domain_ip']).toBe(1);
    const { classic, stable: stableCalls } = followed.simulator.counters(NEWS.appid);
    expect({ classic: classic.calls, stable: stableCalls.calls }).toEqual({ classic: 0, stable: 1 });
    expectNoneOf(secretsOf(followed), given.text + called.text + stable.text + follower.logs.join(''));
    expect(follower.logs.join('')).not.toContain(String(given.body['access_token']));
  });

  it('is known by its caller key, and real is no choice', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({
      follow: { gateway: followed.gateway },
      config: {
        callers: [{ name: 'app', key: LOCAL_KEY, tokens: 'real', scopes: ['call', 'credential:read'] }],
      },
    });
    expect((await token(follower.gateway, SHOP.secret)).body['errcode']).toBe(40125);
    const given = (await token(follower.gateway, LOCAL_KEY)).body['access_token'];
    expect(given).toMatch(/^OBV1/);
    expect((await call(follower.gateway, `${PATH}?access_token=${given}`)).body['errcode']).toBe(0);
    expect((await call(follower.gateway, PATH)).status).toBe(401);
    follower.reconfigure({ callers: [{ name: 'app', key: `${LOCAL_KEY}-new` }] });
    expect((await call(follower.gateway, `${PATH}?access_token=${given}`)).body['errcode']).toBe(40001);
  });

  it('is refused an app that is not configured here, even one that the followed bridge has', async () => {
    const followed = await startFollowed({
      config: { callers: [{ ...FOLLOWER, scopes: ['call', 'credential:read'] }] },
    });
    const apps = [{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid }];
    const follower = await startFollower({ follow: { gateway: followed.gateway }, config: { apps } });
    const refused = await token(follower.gateway, FOLLOW_KEY, NEWS.appid);
    expect(refused).toMatchObject({ status: 404, followed: null, body: { errcode: 40013 } });
    expect(refused.body['errmsg']).toContain('without a secret');
  });

  it.each(['GET', 'POST'])('is refused tickets, asked for by %s', async method => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    for (const type of ['jsapi', 'wx_card', 'sdk']) {
      const path = `/cgi-bin/ticket/getticket?type=${type}&from_appid=${NEWS.appid}`;
      const refused = await call(follower.gateway, path, { method });
      expect(refused).toMatchObject({ status: 403, followed: null, body: { errcode: 990423 } });
      expect(refused.body['errmsg']).toContain('never leave the bridge that is followed');
    }
    expect(followed.simulator.counters().total.ticket.calls).toBe(0);
  });
});

describe('the bridge that is followed', () => {
  it('refuses a wrong key, which is told as such', async () => {
    const followed = await startFollowed();
    const wrong = 'canary-wrong-follow-key-0123456789';
    const follower = await startFollower({ follow: { gateway: followed.gateway, key: wrong } });
    const readiness = async () => (await call(follower.control, '/readyz')).body['checks'];
    expect(await readiness()).toMatchObject({ followed: 'not asked yet' });
    const refused = await call(follower.gateway, PATH);
    expect(refused).toMatchObject({ status: 502, body: { errcode: 990522, error_type: 'FollowError' } });
    expect(refused.body['errmsg']).toMatch(/follow\.key.*belongs to no caller.*"callers"/);
    expect(await call(follower.control, '/readyz')).toMatchObject({ status: 200 });
    expect(await readiness()).toMatchObject({ followed: 'refuses follow.key' });
    expect(refused.text + follower.logs.join('')).not.toContain(wrong);
    expect(follower.logs.filter(line => line.includes('refuses follow.key'))).toHaveLength(1);

    follower.reconfigure({ follow: { gateway: followed.gateway, key: FOLLOW_KEY } });
    expect((await call(follower.gateway, PATH)).status).toBe(200);
    expect(await readiness()).toMatchObject({ followed: 'ok' });
  });

  it('refuses a key whose time is over, naming caller and date', async () => {
    const clock = manualClock(Date.parse('2026-12-30T23:00:00Z'));
    const expires = '2026-12-31T08:00:00+08:00';
    const followed = await startFollowed({ clock, config: { callers: [{ ...FOLLOWER, expires }] } });
    const follower = await startFollower({ clock, follow: { gateway: followed.gateway } });
    expect((await call(follower.gateway, PATH)).status).toBe(200);
    clock.jump(3_600_000 - 1);
    expect((await call(follower.gateway, PATH)).status).toBe(200);
    clock.jump(1);
    const refused = await call(follower.gateway, PATH);
    expect(refused).toMatchObject({ status: 502, body: { errcode: 990522 } });
    expect(refused.body['errmsg']).toContain('caller staging expired at 2026-12-31T00:00:00.000Z');
  });

  it('may be restarted: the next call works', async () => {
    const port = await freePort();
    const listen = { gateway: `127.0.0.1:${port}` };
    const followed = await startFollowed({ config: { listen } });
    const follower = await startFollower({ follow: { gateway: `http://127.0.0.1:${port}` } });
    expect((await call(follower.gateway, PATH)).status).toBe(200);
    await followed.bridge.close();
    const gone = await call(follower.gateway, PATH);
    expect(gone).toMatchObject({ status: 502, body: { errcode: 990502 } });
    expect(gone.body['errmsg']).toMatch(/the bridge that is followed: .*ECONNREFUSED.*follow\.gateway/);
    expect((await call(follower.control, '/readyz')).body).toMatchObject({
      checks: { followed: 'unreachable' },
    });
    await followed.restart();
    const check = JSON.stringify({ openid: 'o', version: 2, scene: 2, content: 'hello' });
    expect(await call(follower.gateway, '/wxa/msg_sec_check', { method: 'POST', body: check })).toMatchObject(
      {
        ...{ status: 200, body: { errcode: 0 } },
      },
    );
  });

  it("has its own 503 passed on, with the platform's errcode", async () => {
    const followed = await startFollowed({
      prepare: platform => platform.setAccount(SHOP.appid, { frozenSecret: true }),
    });
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const refused = await call(follower.gateway, PATH);
    expect(refused).toMatchObject({ status: 503, body: { errcode: 40243, request_id: refused.followed } });
  });

  it('is reached over HTTPS by its own authority, and by nothing else', async () => {
    const followed = await startFollowed();
    const gateway = `https://127.0.0.1:${followed.bridge.gatewayTls?.port}`;
    const ca = readFileSync(followed.bridge.certificateFile ?? '', 'utf8');
    const trusting = await startFollower({ follow: { gateway, ca } });
    for (let at = 0; at < 3; at += 1) expect((await call(trusting.gateway, PATH)).body['errcode']).toBe(0);
    const plain = await startFollower({ follow: { gateway } });
    const refused = await call(plain.gateway, PATH);
    expect(refused).toMatchObject({ status: 502 });
    expect(refused.body['errmsg']).toMatch(/follow\.ca is the gateway-ca\.crt/);
    const other = await startFollowed();
    const strange = readFileSync(other.bridge.certificateFile ?? '', 'utf8');
    const wrong = await startFollower({ follow: { gateway, ca: strange } });
    expect((await call(wrong.gateway, PATH)).status).toBe(502);
    expect(followed.simulator.counters(SHOP.appid).calls[PATH]).toBe(3);
  });

  it('is reached from the HTTP/2 listener of a follower too', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const ca = readFileSync(follower.bridge.certificateFile ?? '', 'utf8');
    const session = connectHttp2(`https://127.0.0.1:${follower.bridge.gatewayTls?.port}`, { ca });
    onTestFinished(() => session.destroy());
    const body = await new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':path': PATH, ':method': 'GET' });
      let text = '';
      stream.on('data', chunk => {
        text += chunk;
      });
      stream.on('end', () => resolve(text));
      stream.on('error', reject);
      stream.end();
    });
    expect(JSON.parse(body)).toMatchObject({ errcode: 0 });
  });
});

describe('followers of followers', () => {
  it('pass calls on, one after the other, each with its own id', async () => {
    const followed = await startFollowed();
    const near = await startFollower({
      follow: { gateway: followed.gateway },
      config: { callers: [{ name: 'far', key: LOCAL_KEY }] },
    });
    const far = await startFollower({ follow: { gateway: near.gateway, key: LOCAL_KEY } });
    const answer = await call(far.gateway, PATH);
    expect(answer).toMatchObject({ status: 200, body: { errcode: 0 } });
    const [first = '', second = ''] = String(answer.followed).split(', ');
    const at = (url: string) => createClient({ url, adminKey: ADMIN_KEY });
    expect(await at(near.control).getCall({ seqid: first })).toMatchObject({ caller: 'far' });
    expect(await at(followed.control).getCall({ seqid: second })).toMatchObject({ caller: FOLLOWER.name });
  });

  it('in a ring are refused, whoever is asked', async () => {
    const [here, there] = [await freePort(), await freePort()];
    const member = (own: number, next: number, accepted: string, key: string) =>
      startFollower({
        follow: { gateway: `http://127.0.0.1:${next}`, key },
        config: {
          callers: [
            { name: 'ring', key: accepted },
            { name: 'test', addresses: ['127.0.0.1'] },
          ],
          listen: { control: '127.0.0.1:0', gateway: `127.0.0.1:${own}`, gatewayTls: null },
        },
      });
    const one = await member(here, there, LOCAL_KEY, FOLLOW_KEY);
    await member(there, here, FOLLOW_KEY, LOCAL_KEY);
    const refused = await call(one.gateway, PATH);
    expect(refused).toMatchObject({ status: 508, body: { errcode: 990508 } });
    expect(refused.body['errmsg']).toContain('follow.gateway');
    expect(String(refused.followed).split(', ')).toHaveLength(4);
  });
});

describe('what takes effect while a follower runs', () => {
  it('is never its role', async () => {
    const followed = await startFollowed();
    const follower = await startFollower({ follow: { gateway: followed.gateway } });
    const apps = [{ name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret }];
    const asOwner = { follow: undefined, apps, upstream: { weixin: followed.simulator.origin } };
    expect(() => follower.reconfigure(asOwner)).toThrow(/cannot begin to hold credentials/);
    expect((await call(follower.gateway, PATH)).status).toBe(200);
    expect((await ask(follower.control, '/v1/credentials')).status).toBe(403);
  });

  it('nor does a bridge with credentials begin to follow', async () => {
    const followed = await startFollowed();
    expect(() =>
      followed.reconfigure({
        ...{ apps: [], upstream: undefined, follow: { gateway: 'http://127.0.0.1:1', key: LOCAL_KEY } },
      }),
    ).toThrow(/cannot begin to follow/);
  });
});
