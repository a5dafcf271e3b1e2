import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, OA, type Reply, START, send, startHarness } from './simulator.fixture.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.simulator.close());

const control = (path: string, body?: unknown): Promise<Reply> => h.post(`/__simulator/${path}`, body);
const remove = (path: string) => send(`${h.simulator.origin}/__simulator/${path}`, { method: 'DELETE' });

describe('looking', () => {
  test('state shows accounts, clock, faults and counters, and no secret or token', async () => {
    const token = await h.token();
    h.simulator.faults.add({ kind: 'silent', path: '/a' });
    const { status, bytes, json } = await h.get('/__simulator/state');
    expect(status).toBe(200);
    expect(bytes.toString()).not.toContain(token);
    expect(bytes.toString()).not.toContain(MP.secret);
    const fingerprint = createHash('sha256').update(token).digest('hex').slice(0, 16);
    expect(json).toMatchObject({
      now: START,
      accounts: [
        {
          appid: MP.appid,
          type: 'mp',
          tokens: { classic: [], stable: [{ serial: 1, fingerprint, retiredAt: null }] },
        },
        { appid: OA.appid },
      ],
      faults: [{ id: '1', kind: 'silent', path: '/a', struck: 0 }],
      counters: { accounts: { [MP.appid]: { stable: { calls: 1, issued: 1, forced: 0 } } } },
    });
    expect(h.simulator.state.view()).toEqual(json);
  });

  test('counters', async () => {
    await h.token();
    await h.get('/nope');
    const { json } = await h.get('/__simulator/counters');
    expect(json).toEqual(h.simulator.counters());
    expect(json).toMatchObject({
      total: { calls: { '/cgi-bin/stable_token': 1, '(unknown)': 1 } },
      anonymous: { calls: { '(unknown)': 1 }, errors: { 40066: 1 } },
    });
  });
});

describe('changing', () => {
  test('accounts: added, then changed without losing tokens', async () => {
    const account = { appid: 'wxnew', secret: 's', type: 'oa' };
    const added = await control('accounts', account);
    expect([added.status, added.json['appid'], added.json['secret']]).toEqual([201, 'wxnew', undefined]);
    const token = h.simulator.state.tokens('wxnew');
    expect(token).toEqual([]);
    const fetched = await h.token({ appid: 'wxnew', secret: 's', type: 'oa' });
    const changed = await control('accounts', {
      appid: 'wxnew',
      tokenLifeSeconds: 600,
      quotas: { classicPerDay: 1 },
    });
    expect([changed.status, changed.json['tokenLifeSeconds']]).toEqual([200, 600]);
    expect(changed.json['quotas']).toMatchObject({ classicPerDay: 1, stablePerDay: 500_000 });
    expect(await h.token({ appid: 'wxnew', secret: 's', type: 'oa' })).toBe(fetched);
  });

  test('revoke', async () => {
    const token = await h.token();
    await h.classic();
    expect((await control('revoke', { appid: MP.appid, slot: 'stable' })).json).toEqual({ revoked: 1 });
    expect(h.simulator.state.verdict(token)).toBe(40001);
    expect((await control('revoke', { appid: MP.appid })).json).toEqual({ revoked: 1 });
    expect(h.simulator.state.tokens(MP.appid)).toEqual([]);
  });

  test('faults: added one or many, cleared one or all', async () => {
    const one = await control('faults', { kind: 'silent', path: '/a' });
    expect([one.status, one.json]).toEqual([201, { ids: ['1'] }]);
    expect((await control('faults', [{ kind: 'silent' }, { kind: 'echo' }])).json).toEqual({
      ids: ['2', '3'],
    });
    expect((await remove('faults?id=2')).json).toEqual({ cleared: 1 });
    expect(h.simulator.faults.list().map(({ id }) => id)).toEqual(['1', '3']);
    expect((await remove('faults')).json).toEqual({ cleared: 2 });
  });

  test('clock', async () => {
    expect((await control('clock', { advanceMs: 1500 })).json).toEqual({ now: START + 1500 });
    expect((await control('clock', { set: 5000 })).json).toEqual({ now: 5000 });
    expect(h.simulator.clock.now()).toBe(5000);
    expect((await h.get('/nope')).headers.get('date')).toBe('Thu, 01 Jan 1970 00:00:05 GMT');
  });

  test('reset puts everything back', async () => {
    const token = await h.token();
    await control('accounts', { appid: 'wxnew', secret: 's', type: 'oa' });
    await control('accounts', { appid: MP.appid, frozenSecret: true });
    await control('faults', { kind: 'silent' });
    await control('clock', { advanceMs: 1500 });
    expect((await control('reset')).json).toEqual({ now: START });
    expect(h.simulator.state.view()).toMatchObject({
      accounts: [{ appid: MP.appid }, { appid: OA.appid }],
      faults: [],
    });
    expect(h.simulator.state.verdict(token)).toBe(40001);
    expect(h.simulator.counters().total.calls).toEqual({});
    expect(await h.token()).toBe(token);
  });
});

describe('bad input', () => {
  test.each([
    ['accounts', 'x', 'the body must be JSON'],
    ['accounts', { appid: 'wx1', type: 'mp' }, 'account.secret must be a non-empty string'],
    ['accounts', { appid: 'wx1', secret: 's', type: 'x' }, 'account.type must be one of mp, oa'],
    ['accounts', { appid: MP.appid, colour: 1 }, 'account has no option "colour"'],
    ['accounts', { appid: MP.appid, ipWhitelist: ['x'] }, 'ipWhitelist has "x"'],
    ['revoke', { appid: 'wx9' }, 'appid wx9 is no account of the simulator'],
    ['revoke', { appid: MP.appid, slot: 'x' }, 'slot must be one of classic, stable, all'],
    ['faults', { kind: 'x' }, 'fault.kind must be one of'],
    ['faults', [{ kind: 'echo' }, {}], 'faults[1].kind must be one of'],
    ['clock', {}, 'the body must have either advanceMs or set'],
    ['clock', { advanceMs: -1 }, 'advanceMs must be a number from 0'],
  ])('%s %j → 400', async (path, body, message) => {
    const { status, json } = await control(path, body);
    expect(status).toBe(400);
    expect(json['error']).toContain(message);
    expect(h.simulator.faults.list()).toEqual([]);
  });

  test('unknown paths 404, wrong verbs 405', async () => {
    for (const path of ['/__simulator', '/__simulator/', '/__simulator/x'])
      expect((await h.get(path)).status).toBe(404);
    const wrong = await h.get('/__simulator/reset');
    expect([wrong.status, wrong.json['error']]).toEqual([405, '/__simulator/reset takes POST, not GET']);
  });
});

describe('aids for gateways', () => {
  test('echo tells what arrived', async () => {
    const { json } = await send(`${h.simulator.origin}/__simulator/echo?a=1`, {
      method: 'PUT',
      headers: { 'X-One': 'two' },
      body: 'body',
    });
    expect(json).toMatchObject({ method: 'PUT', url: '/__simulator/echo?a=1', bodyLength: 4 });
    expect(json['bodySha256']).toBe(createHash('sha256').update('body').digest('hex'));
    expect(json['headers']).toContainEqual(['X-One', 'two']);
  });

  test.each(['', '&chunked'])('blob%s streams deterministic bytes', async suffix => {
    const { headers, bytes } = await h.get(`/__simulator/blob?bytes=300000${suffix}`);
    expect(headers.get('content-length')).toBe(suffix === '' ? '300000' : null);
    expect(bytes.length).toBe(300_000);
    expect(bytes.every((byte, i) => byte === i % 251)).toBe(true);
  });

  test('blob of nothing, and bad lengths', async () => {
    expect((await h.get('/__simulator/blob?bytes=0')).bytes.length).toBe(0);
    for (const query of ['', '?bytes=-1', '?bytes=x', '?bytes=9999999999999']) {
      expect((await h.get(`/__simulator/blob${query}`)).status).toBe(400);
    }
  });
});
