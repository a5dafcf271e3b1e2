import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/base/secret.ts';
import { createClient } from '../../src/client/client.ts';
import { NEWS, SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

let running: TestBridge;
afterEach(() => running.close());

async function json(
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const answer = await fetch(`${running.gateway}${path}`, init);
  return {
    status: answer.status,
    body: (await answer.json()) as Record<string, unknown>,
    headers: answer.headers,
  };
}

describe('a bridge before the simulated platform', () => {
  it('answers a token-free call as the platform does', async () => {
    running = await startTestBridge();
    const { status, body, headers } = await json('/wxa/getwxadevinfo');
    expect({ status, errcode: body['errcode'] }).toEqual({ status: 200, errcode: 0 });
    expect(headers.get('x-openapi-seqid')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{16}$/);
  });

  it('streams a mini program code as the PNG it is', async () => {
    running = await startTestBridge();
    const answer = await fetch(`${running.gateway}/wxa/getwxacode`, {
      method: 'POST',
      body: '{"path":"pages/index"}',
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
  });

  it('leaves the refusal of a mini program code under an official account to the platform', async () => {
    running = await startTestBridge();
    const { status, body } = await json(`/wxa/getwxacode?from_appid=${NEWS.appid}`, {
      method: 'POST',
      body: '{"path":"p"}',
    });
    expect(status).toBe(200);
    expect(body['errcode']).toBe(48001);
    expect(running.simulator.counters(NEWS.appid).calls['/wxa/getwxacode']).toBe(1);
  });

  it('refuses a path that is not listed in both dialects, and lets it through once the list is reloaded', async () => {
    running = await startTestBridge({ config: { openapi: { allow: ['/cgi-bin/*'] } } });
    const refused = await json('/wxa/getwxadevinfo');
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ errcode: 85107, error_code: '85107', error_type: 'SafeLinkError' });
    expect(refused.body['request_id']).toBe(refused.headers.get('x-openapi-seqid'));
    expect(running.simulator.counters(SHOP.appid).calls['/wxa/getwxadevinfo']).toBeUndefined();
    running.reconfigure({ openapi: { allow: ['/wxa/getwxadevinfo'] } });
    expect((await json('/wxa/getwxadevinfo')).body['errcode']).toBe(0);
    expect((await json('/cgi-bin/getcallbackip')).status).toBe(403);
  });

  it('leaves an access_token of the caller alone, listed or not', async () => {
    running = await startTestBridge({ config: { openapi: { allow: [] } } });
    const minted = await (
      await fetch(
        `${running.simulator.origin}/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${SHOP.secret}`,
      )
    ).json();
    const own = (minted as { access_token: string }).access_token;
    expect((await json(`/wxa/getwxadevinfo?access_token=${own}`)).body['errcode']).toBe(0);
    expect((await json(`/wxa/getwxadevinfo?cloudbase_access_token=${own}`)).body['errcode']).toBe(0);
    expect((await json('/wxa/getwxadevinfo?access_token=stale')).body['errcode']).toBe(40014);
  });

  it.each([
    ['40001', 'a revoked token'],
    ['42001', 'an expired token'],
    ['40014', 'a malformed token'],
  ])('repairs %s (%s) unseen, whatever the method', async errcode => {
    running = await startTestBridge();
    await json('/wxa/getwxadevinfo');
    if (errcode === '40001') running.simulator.revoke(SHOP.appid);
    else
      running.simulator.faults.add({
        kind: 'errcode',
        errcode: Number(errcode),
        path: '/wxa/msg_sec_check',
        times: 1,
      });
    const body = JSON.stringify({ openid: 'o', version: 2, scene: 2, content: 'x'.repeat(200_000) });
    const { status, body: answer } = await json('/wxa/msg_sec_check', { method: 'POST', body });
    expect({ status, errcode: answer['errcode'] }).toEqual({ status: 200, errcode: 0 });
    expect(running.simulator.counters(SHOP.appid).calls['/wxa/msg_sec_check']).toBe(2);
  });

  it("answers 503 with the platform's errcode and the way out when no credential can be had", async () => {
    running = await startTestBridge({
      prepare: platform => platform.setAccount(SHOP.appid, { ipWhitelist: ['203.0.113.9'] }),
    });
    const { status, body } = await json('/wxa/getwxadevinfo');
    expect(status).toBe(503);
    expect(body).toMatchObject({ errcode: 40164, error_code: '40164', error_type: 'SafeLinkError' });
    expect(body['errmsg']).toContain(`add 127.0.0.1 to the IP list of ${SHOP.appid}`);
    expect(running.logs.filter(line => line.includes('alarm:'))).toHaveLength(1);
    const { credentials } = await createClient({ url: running.control }).listCredentials();
    expect(credentials.find(each => each.app === 'shop')?.failure).toMatchObject({
      errcode: 40164,
      class: 'address',
    });
    expect(running.simulator.counters(SHOP.appid).stable.calls).toBe(1);
  });
});

describe('POST /v1/credentials/report', () => {
  it('replaces a refused token with one issue, however many report it at once', async () => {
    running = await startTestBridge();
    await json('/wxa/getwxadevinfo');
    const refused = running.simulator.state.token(SHOP.appid, 'stable') ?? '';
    running.simulator.revoke(SHOP.appid);
    const client = createClient({ url: running.control });
    const issuedBefore = running.simulator.counters(SHOP.appid).stable.issued;
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        client.reportCredential({
          appid: SHOP.appid,
          errcode: 40001,
          ...(at % 2 === 0 ? { access_token: refused } : { fingerprint: fingerprintOf(refused) }),
        }),
      ),
    );
    expect(running.simulator.counters(SHOP.appid).stable.issued).toBe(issuedBefore + 1);
    const current = fingerprintOf(running.simulator.state.token(SHOP.appid, 'stable') ?? '');
    expect(new Set(outcomes.map(each => each.credential.fingerprint))).toEqual(new Set([current]));
    expect(current).not.toBe(fingerprintOf(refused));
  });

  it('tells a caller why a refused token cannot be replaced, instead of the refusal', async () => {
    running = await startTestBridge();
    await json('/wxa/getwxadevinfo');
    running.simulator.setAccount(SHOP.appid, { frozenSecret: true });
    running.simulator.revoke(SHOP.appid);
    for (let call = 0; call < 3; call += 1) {
      const answer = await fetch(`${running.gateway}/wxa/getwxadevinfo`);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await answer.json()).toMatchObject({
        errcode: 40243,
        errmsg: expect.stringContaining(`the secret of ${SHOP.appid} is frozen`),
      });
    }
    expect(running.simulator.counters(SHOP.appid).stable.calls).toBe(2);

    running.simulator.setAccount(SHOP.appid, { frozenSecret: false });
    await createClient({ url: running.control }).rotateCredential({ appid: SHOP.appid });
    expect(await json('/wxa/getwxadevinfo')).toMatchObject({ body: { errcode: 0 } });
  });

  it('tells what is wrong with a report', async () => {
    running = await startTestBridge();
    const send = (body: unknown) =>
      fetch(`${running.control}/v1/credentials/report`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await send({ appid: SHOP.appid, errcode: 40001 })).status).toBe(400);
    expect((await send({ appid: 'wxunknown', errcode: 40001, access_token: 'T' })).status).toBe(404);
    expect(
      await (await send({ appid: SHOP.appid, errcode: '40001', access_token: 'T' })).json(),
    ).toMatchObject({
      error_type: 'RequestError',
      errmsg: expect.stringContaining('errcode'),
    });
  });

  it('answers callers by their scopes and apps once callers are configured', async () => {
    running = await startTestBridge({
      config: {
        callers: [
          { name: 'orders', key: 'orders-key-0123456789', apps: ['shop'] },
          { name: 'reader', key: 'reader-key-0123456789', scopes: ['credential:read'] },
        ],
      },
    });
    const as = (callerKey?: string) => createClient({ url: running.control, callerKey });
    const report = { appid: 'shop', errcode: 40001, access_token: 'some-token' };
    await expect(as().reportCredential(report)).rejects.toMatchObject({ status: 401 });
    await expect(as('wrong-key-0123456789').reportCredential(report)).rejects.toMatchObject({ status: 401 });
    await expect(as('reader-key-0123456789').reportCredential(report)).rejects.toMatchObject({ status: 403 });
    await expect(
      as('orders-key-0123456789').reportCredential({ ...report, appid: 'news' }),
    ).rejects.toMatchObject({ status: 403 });
    await expect(as('orders-key-0123456789').reportCredential(report)).resolves.toMatchObject({
      outcome: 'superseded',
    });
    await expect(
      createClient({ url: running.control, adminKey: running.bridge.freshAdminKey }).listCredentials(),
    ).resolves.toHaveProperty('credentials');
  });
});

describe('what is kept secret', () => {
  it('shows no secret, token or key in logs, answers, or the database', async () => {
    const key = 'canary-caller-key-0123456789';
    running = await startTestBridge({
      config: {
        callers: [
          { name: 'orders', key, scopes: ['call', 'credential:report', 'credential:read', 'operate'] },
        ],
      },
    });
    const headers = { 'x-bridge-key': key };
    const said: string[] = [];
    const say = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(`${running.gateway}${path}`, {
        ...init,
        headers: { ...headers, ...init.headers },
      });
      said.push(await answer.text(), JSON.stringify([...answer.headers]));
    };
    await say('/wxa/getwxadevinfo');
    const first = running.simulator.state.token(SHOP.appid, 'stable') ?? '';
    running.simulator.revoke(SHOP.appid);
    await say('/wxa/getwxadevinfo');
    for (const kind of ['cut', 'garbage', 'status'] as const) {
      running.simulator.faults.add(
        kind === 'status'
          ? { kind, status: 502, path: '/wxa/*', times: 1 }
          : { kind, path: '/wxa/*', times: 1 },
      );
      await say('/wxa/getwxadevinfo').catch(() => {});
    }
    running.simulator.faults.add({ kind: 'cut', path: '/cgi-bin/*' });
    await say('/wxa/nowhere');
    await say('/wxa/getwxadevinfo?access_token=canary-own-token');
    await say('/wxa/getwxadevinfo', { headers: { 'x-bridge-key': `${key}x` } });
    const client = createClient({ url: running.control, callerKey: key });
    said.push(JSON.stringify(await client.listCredentials()));
    await client.rotateCredential({ appid: 'shop' }).catch(error => said.push(String(error)));

    const canaries = [SHOP.secret, NEWS.secret, key, 'canary-own-token', first];
    for (const slot of ['stable', 'classic'] as const)
      canaries.push(
        ...running.simulator.state.tokens(SHOP.appid, slot),
        ...running.simulator.state.tokens(NEWS.appid, slot),
      );
    const stored = readdirSync(running.folder)
      .filter(name => name.startsWith('open-bridge.db'))
      .map(name => readFileSync(join(running.folder, name), 'latin1'));
    const everything = [...running.logs, ...said, ...stored].join('\n');
    expect(running.logs.length).toBeGreaterThan(5);
    for (const canary of canaries)
      expect(everything.includes(canary), `canary ${fingerprintOf(canary)}`).toBe(false);
  });
});

describe('time', () => {
  it('renews in the background before expiry and serves the old token meanwhile', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    await expect.poll(() => running.simulator.counters(SHOP.appid).stable.issued).toBe(1);
    await clock.advance(6_800_000);
    expect(running.simulator.counters(SHOP.appid).stable.issued).toBe(1);
    for (let second = 0; second < 200; second += 1) await clock.advance(1000);
    await expect.poll(() => running.simulator.counters(SHOP.appid).stable.issued).toBe(2);
    expect(running.simulator.counters(SHOP.appid).stable.calls).toBe(2);
    expect((await json('/wxa/getwxadevinfo')).body['errcode']).toBe(0);
    expect(running.simulator.counters(SHOP.appid).tokenErrors).toBe(0);
  });
});

describe('a web page in a browser on the same machine', () => {
  it('is refused by gateway and control API while everyone local is trusted', async () => {
    running = await startTestBridge();
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }] as Record<
      string,
      string
    >[]) {
      expect((await request(`${running.gateway}/wxa/getwxadevinfo`, { headers })).statusCode).toBe(401);
      expect((await request(`${running.control}/v1/credentials`, { headers })).statusCode).toBe(401);
    }
    expect(
      (await request(`${running.gateway}/wxa/getwxadevinfo`, { headers: { 'sec-fetch-site': 'none' } }))
        .statusCode,
    ).toBe(200);
  });
});
