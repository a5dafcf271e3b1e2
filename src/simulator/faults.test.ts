import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFaults, type FaultRule, readFault } from './faults.ts';
import { type Harness, MP, OA, startHarness } from './simulator.fixture.ts';

let h: Harness;
let slept: number[];
beforeEach(async () => {
  slept = [];
  h = await startHarness({
    async sleep(ms) {
      slept.push(ms);
      h.simulator.clock.advance(ms);
    },
  });
});
afterEach(() => h.simulator.close());

const fault = (rule: FaultRule) => h.simulator.faults.add(rule);

describe('scope', () => {
  test('path, prefix, account and times', async () => {
    const [mp, oa] = [await h.token(MP), await h.token(OA)];
    const call = async (path: string, token: string) =>
      (await h.get(`${path}?access_token=${token}`)).json['errcode'] ?? 0;
    fault({ kind: 'errcode', errcode: -1, path: '/cgi-bin/getcallbackip', appid: MP.appid, times: 2 });
    expect(await call('/cgi-bin/getcallbackip', oa)).toBe(0);
    expect(await call('/cgi-bin/get_api_domain_ip', mp)).toBe(0);
    const answers = [1, 2, 3].map(() => call('/cgi-bin/getcallbackip', mp));
    expect((await Promise.all(answers)).sort()).toEqual([-1, -1, 0]);
    expect(h.simulator.faults.list()).toEqual([]);
    fault({ kind: 'errcode', errcode: 45011, path: '/cgi-bin/get*' });
    expect(await call('/cgi-bin/getcallbackip', oa)).toBe(45011);
    expect(await call('/cgi-bin/get_api_domain_ip', mp)).toBe(45011);
    expect(await call('/wxa/getwxadevinfo', mp)).toBe(0);
  });

  test('token endpoints are told apart by the appid in the query or the body', async () => {
    fault({ kind: 'errcode', errcode: 45009, appid: MP.appid });
    expect((await h.classic(MP)).json['errcode']).toBe(45009);
    expect((await h.stable(MP)).json['errcode']).toBe(45009);
    expect((await h.classic(OA)).json['expires_in']).toBe(7200);
    expect((await h.stable(OA)).json['expires_in']).toBe(7200);
  });

  test('the first rule wins; a rule can be ended by its id', async () => {
    const first = fault({ kind: 'errcode', errcode: 1, appid: MP.appid });
    fault({ kind: 'errcode', errcode: 2 });
    expect((await h.stable()).json['errcode']).toBe(1);
    expect(h.simulator.faults.clear(first)).toBe(1);
    expect((await h.stable()).json['errcode']).toBe(2);
    expect(h.simulator.faults.clear()).toBe(1);
    expect((await h.stable()).json['expires_in']).toBe(7200);
  });

  test('a chance is drawn from the seed', () => {
    const strikes = (seed: string) => {
      const faults = createFaults(seed);
      faults.add({ kind: 'silent', probability: 0.3 });
      return Array.from({ length: 1000 }, () => faults.plan('/a', undefined) !== undefined);
    };
    const drawn = strikes('one');
    expect(strikes('one')).toEqual(drawn);
    expect(strikes('two')).not.toEqual(drawn);
    const count = drawn.filter(Boolean).length;
    expect(count).toBeGreaterThan(250);
    expect(count).toBeLessThan(350);
  });
});

describe('kinds', () => {
  test('latency, before or after handling', async () => {
    fault({ kind: 'latency', ms: 700, times: 1 });
    fault({ kind: 'latency', ms: 50, when: 'after', times: 1 });
    const { json } = await h.stable();
    expect(slept).toEqual([700, 50]);
    expect(h.simulator.state.account(MP.appid)?.tokens.stable[0]?.issuedAt).toBe(
      h.simulator.clock.now() - 50,
    );
    expect(json['expires_in']).toBe(7200);
  });

  test('latency combines with another fault', async () => {
    fault({ kind: 'errcode', errcode: -1 });
    fault({ kind: 'latency', ms: 5 });
    expect((await h.stable()).json).toEqual({
      errcode: -1,
      errmsg: expect.stringMatching(/^system error rid: /),
    });
    expect(slept).toEqual([5]);
  });

  test.each([
    ['before', 0],
    ['headers', 1],
    ['body', 1],
  ] as const)('cut %s: the caller fails, %i tokens were minted', async (at, issued) => {
    fault({ kind: 'cut', at, times: 1 });
    await expect(h.stable()).rejects.toThrow();
    expect(h.simulator.counters(MP.appid).stable).toEqual({ calls: 1, issued, forced: 0 });
    expect((await h.stable()).json['expires_in']).toBe(7200);
  });

  test('cut: how much arrives', async () => {
    for (const at of ['headers', 'body'] as const) {
      fault({ kind: 'cut', at, times: 1 });
      const response = await fetch(`${h.simulator.origin}/cgi-bin/getcallbackip`);
      expect(response.status).toBe(200);
      let received = 0;
      const reading = (async () => {
        for await (const chunk of response.body ?? []) received += chunk.length;
      })();
      await expect(reading).rejects.toThrow('terminated');
      expect(received > 0).toBe(at === 'body');
    }
  });

  test('garbage: a page, a text, half of the answer; the call was handled', async () => {
    fault({ kind: 'garbage', times: 1 });
    fault({ kind: 'garbage', times: 1, body: '' });
    fault({ kind: 'garbage', times: 1, truncated: true });
    const page = await h.stable();
    expect(page.bytes.toString()).toMatch(/^<html>/);
    expect(page.headers.get('content-type')).toBe('text/html');
    expect((await h.stable()).bytes.length).toBe(0);
    const half = await h.stable();
    expect(half.bytes.toString()).toMatch(/^\{"access_token":"/);
    expect(half.json).toEqual({});
    expect(h.simulator.counters(MP.appid).stable).toEqual({ calls: 3, issued: 1, forced: 0 });
  });

  test.each([
    [-1, 'system error'],
    [40001, 'invalid credential, access_token is invalid or not latest'],
    [40164, 'invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist'],
    [45009, 'reach max api daily quota limit'],
    [89503, 'this call needs admin confirmation'],
    [12345, 'error'],
  ])('errcode %i', async (errcode, errmsg) => {
    fault({ kind: 'errcode', errcode });
    const { status, json } = await h.stable();
    expect(status).toBe(200);
    expect(json).toEqual({ errcode, errmsg: expect.stringMatching(/ rid: \S{26}$/) });
    expect(String(json['errmsg']).split(' rid: ')[0]).toBe(errmsg);
    expect(h.simulator.counters(MP.appid)).toMatchObject({ errors: { [errcode]: 1 }, tokenErrors: 0 });
  });

  test('errcode with its own wording', async () => {
    fault({ kind: 'errcode', errcode: 40001, errmsg: 'access_token isinvalid or not latest' });
    expect((await h.stable()).json['errmsg']).toMatch(/^access_token isinvalid or not latest rid: /);
  });

  test('status', async () => {
    fault({ kind: 'status', status: 502, body: '<h1>Bad Gateway</h1>', contentType: 'text/html', times: 1 });
    fault({ kind: 'status', status: 503 });
    const first = await h.stable();
    expect([first.status, first.bytes.toString()]).toEqual([502, '<h1>Bad Gateway</h1>']);
    const second = await h.stable();
    expect([second.status, second.bytes.length]).toEqual([503, 0]);
    expect(h.simulator.counters(MP.appid).stable.issued).toBe(0);
  });

  test('revoke: this very call is refused, the next stable call gives another token', async () => {
    const token = await h.token();
    fault({ kind: 'revoke', path: '/cgi-bin/getcallbackip', times: 1 });
    const target = `/cgi-bin/getcallbackip?access_token=${token}`;
    expect((await h.get(target)).json['errcode']).toBe(40001);
    expect((await h.get(target)).json['errcode']).toBe(40001);
    const next = await h.token();
    expect(next).not.toBe(token);
    expect((await h.get(`/cgi-bin/getcallbackip?access_token=${next}`)).json['ip_list']).toBeDefined();
  });

  test('revoke on a token endpoint', async () => {
    const token = await h.token();
    fault({ kind: 'revoke', path: '/cgi-bin/stable_token', times: 1 });
    expect(await h.token()).not.toBe(token);
  });

  test('silent: nothing comes until the caller gives up', async () => {
    fault({ kind: 'silent', times: 1 });
    const caller = new AbortController();
    const calling = fetch(`${h.simulator.origin}/cgi-bin/getcallbackip`, { signal: caller.signal });
    await expect.poll(() => h.simulator.counters().total.calls['/cgi-bin/getcallbackip']).toBe(1);
    caller.abort();
    await expect(calling).rejects.toThrow('aborted');
    expect((await h.stable()).json['expires_in']).toBe(7200);
  });

  test('close() ends calls that wait or are never answered', async () => {
    const other = await startHarness({
      sleep: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    });
    other.simulator.faults.add({ kind: 'silent', times: 1 });
    other.simulator.faults.add({ kind: 'latency', ms: 1e9 });
    const calls = [other.stable(), other.stable()].map(call =>
      call.then(() => 'answered').catch(() => 'failed'),
    );
    await expect.poll(() => other.simulator.counters(MP.appid).stable.calls).toBe(2);
    await other.simulator.close();
    expect(await Promise.all(calls)).toEqual(['failed', 'failed']);
  });

  test('echo: after the credential checks, whatever the body', async () => {
    const token = await h.token();
    fault({ kind: 'echo', path: '/wxa/*' });
    expect((await h.post('/wxa/msg_sec_check', 'x')).json['errcode']).toBe(41001);
    const { json } = await h.post(`/wxa/msg_sec_check?access_token=${token}`, 'no json');
    expect(json).toEqual({
      method: 'POST',
      url: `/wxa/msg_sec_check?access_token=${token}`,
      headers: expect.arrayContaining([['content-length', '7']]),
      bodySha256: createHash('sha256').update('no json').digest('hex'),
      bodyLength: 7,
    });
  });

  test('blob: many bytes from a business path', async () => {
    const token = await h.token();
    fault({ kind: 'blob', bytes: 1_000_003, path: '/wxa/getwxacode' });
    const { bytes } = await h.post(`/wxa/getwxacode?access_token=${token}`, {});
    expect(bytes.length).toBe(1_000_003);
    expect([0, 250, 251, 1_000_002].map(i => bytes[i])).toEqual([0, 250, 0, 1_000_002 % 251]);
  });
});

test.each([
  [{}, 'fault.kind must be one of latency, cut, garbage, errcode, status, revoke, silent, echo, blob'],
  [{ kind: 'latency' }, 'fault.ms must be a number from 0'],
  [{ kind: 'latency', ms: 1, when: 'x' }, 'fault.when must be one of before, after'],
  [{ kind: 'cut', at: 'x' }, 'fault.at must be one of before, headers, body'],
  [{ kind: 'cut', ms: 5 }, 'fault of kind cut has no option "ms"'],
  [{ kind: 'errcode' }, 'fault.errcode must be a whole number'],
  [{ kind: 'status', status: 99 }, 'fault.status must be a whole number from 200 up to 599'],
  [{ kind: 'silent', times: 0 }, 'fault.times must be a whole number from 1'],
  [{ kind: 'silent', probability: 2 }, 'fault.probability must be a number'],
  [{ kind: 'silent', path: '' }, 'fault.path must be a non-empty string'],
  ['silent', 'fault must be an object'],
])('%j is refused', (rule, message) => {
  expect(() => readFault(rule)).toThrow(message);
});
