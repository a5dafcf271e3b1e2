import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import { ACCOUNTS, NEWS, SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const ORDERS_KEY = 'canary-key-of-orders-0123';
const READER_KEY = 'canary-key-of-reader-0123';

let running: TestBridge;
afterEach(() => running.close());

const CALLERS = {
  admin: { keys: [ADMIN_KEY] },
  callers: [
    { name: 'orders', key: ORDERS_KEY, apps: ['shop'], scopes: ['call', 'calls:read'] },
    { name: 'reader', key: READER_KEY, scopes: ['call', 'calls:read', 'operate'] },
    { name: 'plain', key: 'canary-key-of-plain-01234' },
  ],
};

function client(keys: { adminKey?: string; callerKey?: string } = {}): Client {
  return createClient({ url: running.control, ...keys });
}

/** Calls through the gateway; resolves to the id of the call and the answer. */
async function call(path: string, init: RequestInit = {}, key?: string) {
  const headers = { ...(key !== undefined && { 'x-bridge-key': key }) };
  const answer = await fetch(`${running.gateway}${path}`, { ...init, headers });
  const text = await answer.text();
  return { seqid: answer.headers.get('x-openapi-seqid') ?? '', status: answer.status, text };
}

const check = (content: string): RequestInit => ({
  method: 'POST',
  body: JSON.stringify({ openid: 'canary-openid', version: 2, scene: 2, content }),
});

describe('the call log', () => {
  it('finds a call by its id at once, with all that happened', async () => {
    running = await startTestBridge();
    const { seqid, text } = await call('/wxa/msg_sec_check?lang=zh', check('canary-content'));
    const found = await client().getCall({ seqid });
    expect(found).toMatchObject({
      seqid,
      method: 'POST',
      path: '/wxa/msg_sec_check',
      caller: 'local',
      app: 'shop',
      appid: SHOP.appid,
      platform: 'weixin-mp',
      status: 200,
      errcode: 0,
      failure: null,
      injected: true,
      replayed: false,
      sends: 1,
      answerBytes: Buffer.byteLength(text),
      end: 'whole',
      platformRecord: null,
    });
    expect(found.requestBytes).toBe(String(check('canary-content').body).length);
    expect(found.credential).toBe(
      (await client().listCredentials()).credentials.find(each => each.app === 'shop')?.fingerprint,
    );
    expect(Math.abs(Date.parse(found.startedAt) - Date.now())).toBeLessThan(60_000);
    await expect(client().getCall({ seqid: 'nobody' })).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining('callLog.maxAgeDays'),
    });
  });

  it('tells refusals, replays and other callers apart, and lists them in pages', async () => {
    running = await startTestBridge({ config: { ...CALLERS, openapi: { allow: ['/wxa/*'] } } });
    const good = await call('/wxa/getwxadevinfo', {}, ORDERS_KEY);
    running.simulator.revoke(SHOP.appid);
    const repaired = await call('/wxa/getwxadevinfo', {}, ORDERS_KEY);
    const refused = await call('/cgi-bin/getcallbackip', {}, ORDERS_KEY);
    const stranger = await call('/wxa/getwxadevinfo');
    const failed = await call(
      `/wxa/getwxacode?from_appid=${NEWS.appid}`,
      { method: 'POST', body: '{"path":"p"}' },
      READER_KEY,
    );
    const admin = client({ adminKey: ADMIN_KEY });

    expect(await admin.getCall({ seqid: repaired.seqid })).toMatchObject({
      replayed: true,
      sends: 2,
      errcode: 0,
    });
    expect(await admin.getCall({ seqid: refused.seqid })).toMatchObject({
      failure: 'PATH_NOT_LISTED',
      errcode: 85107,
      status: 403,
      injected: false,
      sends: 0,
    });
    expect(await admin.getCall({ seqid: stranger.seqid })).toMatchObject({
      caller: null,
      failure: 'CALLER_UNKNOWN',
    });
    const rid = (await admin.getCall({ seqid: failed.seqid })).rid ?? '';
    expect(failed.text).toContain(rid);
    expect((await admin.getCall({ seqid: rid })).seqid).toBe(failed.seqid);

    const ids = async (query: Parameters<Client['listCalls']>[0], from = admin) =>
      new Set((await from.listCalls(query)).calls.map(each => each.seqid));
    expect(await ids({})).toEqual(
      new Set([good, repaired, refused, stranger, failed].map(each => each.seqid)),
    );
    expect(await ids({ failed: true })).toEqual(new Set([refused.seqid, stranger.seqid, failed.seqid]));
    expect(await ids({ app: 'news' })).toEqual(new Set([failed.seqid]));
    expect(await ids({ app: NEWS.appid, errcode: 48001 })).toEqual(new Set([failed.seqid]));
    expect(await ids({ caller: 'orders', failed: true })).toEqual(new Set([refused.seqid]));
    expect(await ids({ before: new Date(0).toISOString() })).toEqual(new Set());
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await admin.listCalls({ limit: 2, cursor });
      paged.push(...page.calls.map(each => each.seqid));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(paged).toHaveLength(5);
    expect(new Set(paged).size).toBe(5);
  });

  it('shows a caller its own calls only, and whose they are to nobody else', async () => {
    running = await startTestBridge({ config: CALLERS });
    const own = await call('/wxa/getwxadevinfo', {}, ORDERS_KEY);
    const other = await call('/wxa/getwxadevinfo', {}, READER_KEY);
    const stranger = await call('/wxa/getwxadevinfo');
    const orders = client({ callerKey: ORDERS_KEY });
    expect((await orders.getCall({ seqid: own.seqid })).caller).toBe('orders');
    for (const { seqid } of [other, stranger])
      await expect(orders.getCall({ seqid })).rejects.toMatchObject({ status: 404 });
    expect((await orders.listCalls()).calls.map(each => each.seqid)).toEqual([own.seqid]);
    expect((await orders.listCalls({ failed: true })).calls).toEqual([]);
    await expect(orders.listCalls({ caller: 'reader' })).rejects.toMatchObject({ status: 403 });
    await expect(orders.listUsage({ caller: 'reader' })).rejects.toMatchObject({ status: 403 });
    expect((await orders.listUsage()).usage.map(each => each.caller)).toEqual(['orders']);
    await expect(orders.getCall({ seqid: own.seqid, rid: true })).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('operate'),
    });
    const plain = client({ callerKey: 'canary-key-of-plain-01234' });
    await expect(plain.listCalls()).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('calls:read'),
    });
    await expect(client().listCalls()).rejects.toMatchObject({ status: 401 });
  });

  it('asks the platform what it keeps of a call, with the token masked and its refusals word for word', async () => {
    running = await startTestBridge({ config: CALLERS });
    const failed = await call(
      `/wxa/getwxacode?from_appid=${NEWS.appid}&lang=zh`,
      { method: 'POST', body: '{"path":"p"}' },
      READER_KEY,
    );
    const reader = client({ callerKey: READER_KEY });
    const { platformRecord, rid } = await reader.getCall({ seqid: failed.seqid, rid: true });
    expect(platformRecord).toMatchObject({
      errcode: 0,
      request: {
        request_url: '/wxa/getwxacode?access_token=***&lang=zh',
        request_body: '{"path":"p"}',
        response_body: expect.stringContaining('48001'),
        client_ip: '127.0.0.1',
        cost_in_ms: expect.any(Number),
        invoke_time: expect.any(Number),
      },
    });
    // A token that was revoked meanwhile is repaired.
    running.simulator.revoke(NEWS.appid);
    expect((await reader.getCall({ seqid: rid ?? '', rid: true })).platformRecord?.errcode).toBe(0);

    const [token = ''] = tokensOf(NEWS.appid);
    const path = '/cgi-bin/openapi/rid/get';
    const body = JSON.stringify({
      errcode: 0,
      errmsg: `ok ${token}`,
      request: { request_url: `/x?${token}` },
    });
    running.simulator.faults.add({ kind: 'garbage', path, times: 1, body });
    expect((await reader.getCall({ seqid: failed.seqid, rid: true })).platformRecord).toEqual({
      errcode: 0,
      errmsg: 'ok ***',
      request: { request_url: '/x?***' },
    });

    running.simulator.faults.add({
      kind: 'errcode',
      errcode: 45009,
      path,
      times: 1,
    });
    expect((await reader.getCall({ seqid: failed.seqid, rid: true })).platformRecord).toEqual({
      errcode: 45009,
      errmsg: expect.stringMatching(/^reach max api daily quota limit/),
      request: null,
    });
    // What was refused here, and what went well, the platform gave no rid.
    const good = await call('/wxa/getwxadevinfo', {}, READER_KEY);
    expect(await reader.getCall({ seqid: good.seqid, rid: true })).toMatchObject({
      rid: null,
      platformRecord: null,
    });
    const asked = running.simulator.counters(SHOP.appid).calls['/cgi-bin/openapi/rid/get'];
    const here = await call(`/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=wrong`);
    const told = /rid: (\S+)"/.exec(here.text)?.[1] ?? '';
    const admin = client({ adminKey: ADMIN_KEY });
    expect(await admin.getCall({ seqid: told, rid: true })).toMatchObject({
      seqid: here.seqid,
      rid: told,
      errcode: 40125,
      sends: 0,
      platformRecord: null,
    });
    expect(running.simulator.counters(SHOP.appid).calls['/cgi-bin/openapi/rid/get']).toBe(asked);
  });

  it('refuses what it does not understand', async () => {
    running = await startTestBridge();
    for (const query of [
      'limit=0',
      'limit=201',
      'limit=x',
      'caler=x',
      'failed=yes',
      'caller=a&caller=b',
      'before=yesterday',
      'cursor=1',
      'errcode=1.5',
    ]) {
      const answer = await fetch(`${running.control}/v1/calls?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(await answer.json()).toMatchObject({
        errcode: 990400,
        errmsg: expect.stringMatching(/query does not fit|cursor/),
      });
    }
    const answer = await fetch(`${running.control}/v1/calls?limit=5&failed=true&errcode=-1`);
    expect(await answer.json()).toEqual({ calls: [], next: null });
    const odd = await fetch(
      `${running.control}/v1/calls/${encodeURIComponent("'; drop table open_bridge_call_batches; --")}`,
    );
    expect(odd.status).toBe(404);
  });

  it('is described in the OpenAPI document, parameters included', async () => {
    running = await startTestBridge();
    const document = (await (await fetch(`${running.control}/v1/openapi.json`)).json()) as {
      paths: Record<
        string,
        Record<string, { parameters: { name: string; in: string; required: boolean; schema: object }[] }>
      >;
    };
    const parameters = document.paths['/v1/calls/{seqid}']?.['get']?.parameters ?? [];
    expect(parameters).toEqual([
      expect.objectContaining({
        name: 'seqid',
        in: 'path',
        required: true,
        schema: expect.objectContaining({ type: 'string' }),
      }),
      expect.objectContaining({
        name: 'rid',
        in: 'query',
        required: false,
        schema: { type: 'boolean', default: false },
      }),
    ]);
    const names = document.paths['/v1/calls']?.['get']?.parameters.map(each => each.name);
    expect(names).toEqual(['caller', 'app', 'errcode', 'failed', 'before', 'limit', 'cursor']);
    expect(JSON.stringify(document)).not.toContain(':seqid');
  });

  it('outlives a restart, and what was under way when it began', async () => {
    running = await startTestBridge();
    const before = await call('/wxa/getwxadevinfo');
    await running.restart();
    const after = await call('/wxa/getwxadevinfo');
    for (const { seqid } of [before, after]) expect((await client().getCall({ seqid })).status).toBe(200);
    expect((await client().listUsage()).usage).toMatchObject([{ caller: 'local', app: 'shop', calls: 2 }]);
  });

  it('keeps nothing secret or personal', async () => {
    running = await startTestBridge({ config: CALLERS });
    const { access_token: own } = (await (
      await fetch(
        `${running.simulator.origin}/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${SHOP.secret}`,
      )
    ).json()) as { access_token: string };
    const query = 'openid=canary-openid&session=canary-session';
    await call(`/wxa/msg_sec_check?${query}`, check('canary-content'), ORDERS_KEY);
    await call(`/wxa/getwxadevinfo?access_token=${own}&${query}`, {}, ORDERS_KEY);
    await call(`/wxa/nothing?${query}`, check('canary-content'), ORDERS_KEY);
    await call(`/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${SHOP.secret}`);
    await call(`/wxa/x%00?${query}`, {}, 'canary-key-of-nobody-0123');
    await call(`/wxa/getwxadevinfo?from_appid=canary-openid&${query}`, {}, ORDERS_KEY);
    const listed = JSON.stringify(await client({ adminKey: ADMIN_KEY }).listCalls());
    const tokens = ACCOUNTS.flatMap(({ appid }) => tokensOf(appid));
    expect(tokens.length).toBeGreaterThan(0);
    await running.bridge.close();

    const files = readdirSync(running.folder).filter(name => name.startsWith('open-bridge.db'));
    const stored = Buffer.concat(files.map(name => readFileSync(join(running.folder, name))));
    expect(stored.includes('/wxa/msg_sec_check')).toBe(true);
    for (const text of ['canary', own, ...tokens]) {
      expect(stored.includes(text)).toBe(false);
      expect(listed).not.toContain(text);
    }
  });

  it('is kept within its bounds, which a reload changes', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    for (let turn = 0; turn < 12; turn += 1) {
      await call('/wxa/nothing');
      // Has it written, in a batch of its own: batches go whole.
      await client().listCalls();
    }
    expect((await client().listCalls()).calls).toHaveLength(12);
    const count = async () => (await client().listCalls()).calls.length;
    running.reconfigure({ callLog: { maxCalls: 5 } });
    await clock.advance(31_000);
    await expect.poll(count).toBe(5);
    running.reconfigure({ callLog: { enabled: false } });
    const unseen = await call('/wxa/nothing');
    await expect(client().getCall({ seqid: unseen.seqid })).rejects.toMatchObject({ status: 404 });
    expect((await client().listUsage()).usage[0]?.calls).toBe(13);
    running.reconfigure({ callLog: { maxAgeDays: 1 } });
    clock.jump(25 * 3_600_000);
    await clock.advance(31_000);
    await expect.poll(count).toBe(0);
  }, 60_000);

  it('goes on answering while the table cannot be written, and tells so', async () => {
    running = await startTestBridge();
    await call('/wxa/getwxadevinfo');
    await client().listCalls();
    const raw = new DatabaseSync(join(running.folder, 'open-bridge.db'));
    raw.exec('alter table open_bridge_call_batches rename to open_bridge_call_batches_away');
    const { status, seqid } = await call('/wxa/getwxadevinfo');
    expect(status).toBe(200);
    await expect
      .poll(() => running.logs.join(''), { timeout: 10_000 })
      .toContain('the call log cannot be written');
    await expect(client().listCalls()).rejects.toMatchObject({ status: 503 });
    expect((await call('/wxa/getwxadevinfo')).status).toBe(200);
    raw.exec('alter table open_bridge_call_batches_away rename to open_bridge_call_batches');
    raw.close();
    expect((await client().getCall({ seqid })).status).toBe(200);
  });
});

/** The tokens that the simulated platform gave out for an account and that work now. */
function tokensOf(appid: string): string[] {
  return running.simulator.state.tokens(appid);
}
