import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Harness, MP, OA, START, startHarness } from './simulator.fixture.ts';

const RID = / rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}$/;

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.simulator.close());

const tokenTarget = (fields: Record<string, string>) => `/cgi-bin/token?${new URLSearchParams(fields)}`;
const GOOD = { grant_type: 'client_credential', appid: MP.appid, secret: MP.secret };
const without = (key: keyof typeof GOOD) =>
  Object.fromEntries(Object.entries(GOOD).filter(([k]) => k !== key));

describe('success', () => {
  test('both endpoints: shape, content type, no errcode', async () => {
    for (const reply of [await h.classic(), await h.stable()]) {
      expect(reply.status).toBe(200);
      expect(reply.headers.get('content-type')).toBe('application/json; encoding=utf-8');
      expect(reply.json).toEqual({
        access_token: expect.stringMatching(/^\d\d_[\w-]{133}$/),
        expires_in: 7200,
      });
    }
  });

  test('the slots are isolated and a token belongs to one account', async () => {
    const stable = await h.token();
    const classic = String((await h.classic()).json['access_token']);
    await h.classic(OA);
    for (let i = 0; i < 3; i += 1) await h.classic();
    expect(await h.token()).toBe(stable);
    expect(h.simulator.state.verdict(stable)).toBe(0);
    expect(h.simulator.state.verdict(classic)).toBe(40001);
    h.simulator.clock.advance(31_000);
    const current = h.simulator.state.token(MP.appid, 'classic');
    await h.stable(MP, true);
    expect(h.simulator.state.verdict(stable)).toBe(40001);
    expect(h.simulator.state.token(MP.appid, 'classic')).toBe(current);
  });

  test('two simulators with one seed give the same tokens, another seed gives others', async () => {
    const run = async (seed: string) => {
      const other = await startHarness({ seed });
      const tokens = [
        await other.classic(),
        await other.stable(),
        await other.classic(OA),
        await other.classic(),
      ];
      await other.simulator.close();
      return tokens.map(reply => reply.json['access_token']);
    };
    const tokens = await run('one');
    expect(new Set(tokens).size).toBe(4);
    expect(await run('one')).toEqual(tokens);
    expect(await run('two')).not.toEqual(tokens);
  });

  test('a short life is honoured and reported', async () => {
    h.simulator.setAccount(MP.appid, { tokenLifeSeconds: 60 });
    const first = await h.stable();
    expect(first.json['expires_in']).toBe(60);
    h.simulator.clock.advance(29_000);
    expect((await h.stable()).json).toEqual({ ...first.json, expires_in: 31 });
    h.simulator.clock.advance(1000);
    expect((await h.stable()).json['expires_in']).toBe(60);
    expect(h.simulator.counters(MP.appid).stable).toEqual({ calls: 3, issued: 2, forced: 0 });
  });
});

describe('errors of GET /cgi-bin/token', () => {
  test.each([
    ['no appid', without('appid'), 41002, 'appid missing'],
    ['no secret', without('secret'), 41004, 'appsecret missing'],
    ['no grant_type', without('grant_type'), 40002, 'invalid grant_type'],
    ['a wrong grant_type', { ...GOOD, grant_type: 'password' }, 40002, 'invalid grant_type'],
    ['an unknown appid', { ...GOOD, appid: 'wx9' }, 40013, 'invalid appid'],
    ['an ill-formed appid', { ...GOOD, appid: '<>' }, 40013, 'invalid appid'],
    ['a wrong secret', { ...GOOD, secret: 'x' }, 40125, 'invalid appsecret'],
  ])('%s', async (_, fields, errcode, errmsg) => {
    const { status, json } = await h.get(tokenTarget(fields));
    expect(status).toBe(200);
    expect(json['errcode']).toBe(errcode);
    expect(String(json['errmsg']).replace(RID, '')).toBe(errmsg);
    expect(RID.exec(String(json['errmsg']))?.[1]).toBe((START / 1000).toString(16));
  });

  test('POST → 43001', async () => {
    expect((await h.post(tokenTarget(GOOD), {})).json['errcode']).toBe(43001);
  });
});

describe('errors of POST /cgi-bin/stable_token', () => {
  test.each([
    ['no body', undefined, 44002, 'empty post data'],
    ['no JSON', 'grant_type=client_credential', 47001, 'data format error'],
    ['a list', '[]', 47001, 'data format error'],
    ['force_refresh that is no boolean', { ...GOOD, force_refresh: 'yes' }, 47001, 'data format error'],
    ['no appid', without('appid'), 41002, 'appid missing'],
    ['an appid that is no text', { ...GOOD, appid: 5 }, 41002, 'appid missing'],
    ['no secret', without('secret'), 41004, 'appsecret missing'],
    ['a wrong grant_type', { ...GOOD, grant_type: 'x' }, 40002, 'invalid grant_type'],
    ['an unknown appid', { ...GOOD, appid: 'wx9' }, 40013, 'invalid appid'],
    ['a wrong secret', { ...GOOD, secret: 'x' }, 40125, 'invalid appsecret'],
  ])('%s', async (_, body, errcode, errmsg) => {
    const { json } = await h.post('/cgi-bin/stable_token', body);
    expect(json['errcode']).toBe(errcode);
    expect(String(json['errmsg']).replace(RID, '')).toBe(errmsg);
  });

  test('GET → 43002 require POST method', async () => {
    const { json } = await h.get('/cgi-bin/stable_token');
    expect(json).toEqual({ errcode: 43002, errmsg: expect.stringMatching(/^require POST method rid: /) });
  });
});

describe('accounts that may not have a token', () => {
  test.each([
    [{ frozenSecret: true }, 40243, 'AppSecret frozen'],
    [{ banned: true }, 50007, 'account frozen'],
    [{ banned: 50004 as const }, 50004, 'forbidden to use the token API'],
  ])('%j', async (change, errcode, errmsg) => {
    h.simulator.setAccount(MP.appid, change);
    for (const { json } of [await h.classic(), await h.stable()]) {
      expect(json).toEqual({ errcode, errmsg: expect.stringMatching(`^${errmsg} rid: `) });
    }
    expect((await h.classic(OA)).json['errcode']).toBeUndefined();
  });
});

describe('the address list', () => {
  test('40164 echoes the address, in both forms', async () => {
    h.simulator.setAccount(MP.appid, { ipWhitelist: ['10.0.0.1'] });
    const { json } = await h.classic();
    expect(json['errcode']).toBe(40164);
    expect(String(json['errmsg']).replace(RID, '')).toBe(
      'invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist',
    );
    h.simulator.setAccount(MP.appid, { ipWhitelist: ['10.0.0.1', '127.0.0.0/8'] });
    expect((await h.classic()).json['expires_in']).toBe(7200);
    h.simulator.setAccount(MP.appid, { ipWhitelist: [] });
    expect((await h.classic()).json['errcode']).toBe(40164);
    h.simulator.setAccount(MP.appid, { ipWhitelist: null });
    expect((await h.classic()).json['expires_in']).toBe(7200);
  });

  test('only token endpoints look at it', async () => {
    const token = await h.token();
    h.simulator.setAccount(MP.appid, { ipWhitelist: [] });
    expect((await h.get(`/cgi-bin/getcallbackip?access_token=${token}`)).json['ip_list']).toBeDefined();
    expect((await h.stable()).json['errcode']).toBe(40164);
  });

  test.each([61004, 89501, 89503, 89506, 89507] as const)(
    'an unlisted address may be told %i',
    async code => {
      h.simulator.setAccount(MP.appid, { ipWhitelist: ['10.0.0.1'], unlistedIp: code });
      expect((await h.stable()).json['errcode']).toBe(code);
    },
  );

  test('x-forwarded-for counts only when trusted', async () => {
    const headers = { 'x-forwarded-for': '10.0.0.1, 10.9.9.9' };
    h.simulator.setAccount(MP.appid, { ipWhitelist: ['10.0.0.1'] });
    expect((await h.get(tokenTarget(GOOD), headers)).json['errcode']).toBe(40164);
    const trusting = await startHarness({
      trustForwardedFor: true,
      accounts: [{ ...MP, ipWhitelist: ['10.0.0.1'] }],
    });
    expect((await trusting.get(tokenTarget(GOOD), headers)).json['expires_in']).toBe(7200);
    const other = await trusting.get(tokenTarget(GOOD), { 'x-forwarded-for': '2001:db8::1' });
    expect(other.json['errmsg']).toMatch('invalid ip 2001:db8::1 ipv6 2001:db8::1, not in whitelist');
    await trusting.simulator.close();
  });
});

describe('limits', () => {
  test('classic: 2000 a day, counted again from midnight in China', async () => {
    for (let i = 0; i < 2000; i += 1) await h.classic();
    expect((await h.classic()).json['errcode']).toBe(45009);
    expect((await h.stable()).json['expires_in']).toBe(7200);
    h.simulator.clock.set(Date.parse('2024-01-15T23:59:59.999+08:00'));
    expect((await h.classic()).json['errcode']).toBe(45009);
    h.simulator.clock.advance(1);
    expect((await h.classic()).json['expires_in']).toBe(7200);
    expect(h.simulator.counters(MP.appid).classic).toEqual({ calls: 2003, issued: 2001 });
  });

  test('stable: a limit a minute (45011) and a day (45009)', async () => {
    h.simulator.setAccount(MP.appid, { quotas: { stablePerMinute: 2, stablePerDay: 3 } });
    await h.stable();
    await h.stable();
    const { json } = await h.stable();
    expect(json['errcode']).toBe(45011);
    expect(json['errmsg']).toMatch(/^api minute-quota reach limit mustslower retry next minute rid/);
    h.simulator.clock.advance(60_000);
    expect((await h.stable()).json['expires_in']).toBe(7140);
    expect((await h.stable()).json['errcode']).toBe(45009);
    expect(h.simulator.counters(MP.appid).stable).toEqual({ calls: 5, issued: 1, forced: 0 });
  });

  test('force: closer than 30 s refreshes nothing, the 21st of a day is refused', async () => {
    const tokens = new Set<unknown>();
    for (let i = 0; i < 20; i += 1) {
      const forced = await h.stable(MP, true);
      tokens.add(forced.json['access_token']);
      h.simulator.clock.advance(29_999);
      const again = await h.stable(MP, true);
      expect(again.json['access_token']).toBe(forced.json['access_token']);
      h.simulator.clock.advance(1);
    }
    expect(tokens.size).toBe(20);
    expect((await h.stable(MP, true)).json['errcode']).toBe(45009);
    expect((await h.stable()).json['access_token']).toBe([...tokens].at(-1));
    expect(h.simulator.counters(MP.appid).stable).toEqual({ calls: 42, issued: 20, forced: 20 });
  });
});

describe('tokens at a business API', () => {
  const call = async (token: string | undefined, name = 'access_token') => {
    const query = token === undefined ? '' : `?${name}=${token}`;
    return (await h.get(`/cgi-bin/getcallbackip${query}`)).json['errcode'] ?? 0;
  };

  test('missing 41001, malformed 40014, unknown 40001', async () => {
    expect(await call(undefined)).toBe(41001);
    expect(await call('')).toBe(41001);
    expect(await call('rubbish')).toBe(40014);
    expect(await call(`57_${'a'.repeat(133)}`)).toBe(40001);
    expect(h.simulator.counters().anonymous.tokenErrors).toBe(4);
  });

  test('good, by either name of the parameter', async () => {
    const token = await h.token();
    expect(await call(token)).toBe(0);
    expect(await call(token, 'cloudbase_access_token')).toBe(0);
  });

  test('revoked 40001, expired 42001, and the account is told apart in the counters', async () => {
    const classic = String((await h.classic()).json['access_token']);
    const stable = await h.token();
    expect(h.simulator.revoke(MP.appid, 'stable')).toBe(1);
    expect(await call(stable)).toBe(40001);
    expect(await call(classic)).toBe(0);
    h.simulator.clock.advance(7_200_000);
    expect(await call(classic)).toBe(42001);
    const counters = h.simulator.counters(MP.appid);
    expect(counters.tokenErrors).toBe(2);
    expect(counters.errors).toEqual({ 40001: 1, 42001: 1 });
    expect(counters.calls).toEqual({
      '/cgi-bin/token': 1,
      '/cgi-bin/stable_token': 1,
      '/cgi-bin/getcallbackip': 3,
    });
  });
});

describe('tickets', () => {
  const fetchTicket = async (type: string, account = OA) =>
    (await h.get(`/cgi-bin/ticket/getticket?access_token=${await h.token(account)}&type=${type}`)).json;

  test.each(['jsapi', 'wx_card'] as const)(
    '%s: new with a full life each time, the earlier one lives on',
    async type => {
      const first = await fetchTicket(type);
      expect(first).toEqual({ errcode: 0, errmsg: 'ok', ticket: expect.any(String), expires_in: 7200 });
      h.simulator.clock.advance(1000);
      const second = await fetchTicket(type);
      expect(second['expires_in']).toBe(7200);
      expect(second['ticket']).not.toBe(first['ticket']);
      const isValid = (ticket: unknown) => h.simulator.state.isTicketValid(OA.appid, type, String(ticket));
      h.simulator.clock.advance(7_198_999);
      expect([first, second].map(({ ticket }) => isValid(ticket))).toEqual([true, true]);
      h.simulator.clock.advance(1);
      expect([first, second].map(({ ticket }) => isValid(ticket))).toEqual([false, true]);
      expect(h.simulator.counters(OA.appid).ticket).toEqual({ calls: 2, issued: 2 });
    },
  );

  test('refusals', async () => {
    expect((await fetchTicket('other'))['errcode']).toBe(40097);
    expect((await fetchTicket('jsapi', MP))['errcode']).toBe(48001);
    h.simulator.setAccount(OA.appid, { quotas: { ticketPerDay: 2 } });
    await fetchTicket('jsapi');
    expect((await fetchTicket('jsapi'))['errcode']).toBe(45009);
  });
});
