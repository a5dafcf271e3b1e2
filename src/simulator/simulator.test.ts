import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type SimulatorOptions, startSimulator } from './index.ts';
import { type Harness, MP, OA, START, startHarness } from './simulator.fixture.ts';

let h: Harness;
beforeEach(async () => {
  h = await startHarness();
});
afterEach(() => h.simulator.close());

describe('options', () => {
  const account = { appid: 'wx1', secret: 's', type: 'mp' };
  test.each([
    [{ port: 70_000 }, 'port must be a whole number from 0 up to 65535'],
    [{ host: '' }, 'host must be a non-empty string'],
    [{ now: 5 }, 'now must be a function'],
    [{ onMint: 'x' }, 'onMint must be a function'],
    [{ colour: 1 }, 'options has no option "colour"'],
    [{ ridLogSize: 0 }, 'ridLogSize must be a whole number from 1'],
    [{ accounts: {} }, 'accounts must be a list'],
    [{ accounts: [account, { ...account, secret: '' }] }, 'accounts[1].secret must be a non-empty string'],
    [{ accounts: [account, account] }, 'accounts has the appid wx1 twice'],
    [{ accounts: [{ ...account, appid: 'a b' }] }, 'accounts[0].appid must be 1 to 64 letters'],
    [
      { accounts: [{ ...account, tokenLifeSeconds: 0 }] },
      'accounts[0].tokenLifeSeconds must be a number from 1',
    ],
    [
      { accounts: [{ ...account, banned: 5 }] },
      'accounts[0].banned must be one of true, false, 50004, 50007',
    ],
    [{ accounts: [{ ...account, frozenSecret: 'no' }] }, 'accounts[0].frozenSecret must be true or false'],
    [{ accounts: [{ ...account, ipWhitelist: ['1.2.3.4/'] }] }, 'neither an address nor a CIDR range'],
    [{ accounts: [{ ...account, quotas: { perDay: 1 } }] }, 'accounts[0].quotas has no option "perDay"'],
    [
      { accounts: [{ ...account, quotas: { paths: { '/a': -1 } } }] },
      'accounts[0].quotas.paths["/a"] must be',
    ],
  ])('%j', async (options, message) => {
    const starting = startSimulator(options as unknown as SimulatorOptions);
    await expect(starting).rejects.toThrow(TypeError);
    await expect(starting).rejects.toThrow(message);
  });

  test('accounts are added and changed by name', () => {
    expect(() => h.simulator.addAccount(MP)).toThrow('exists already');
    expect(() => h.simulator.setAccount('wx9', {})).toThrow('no account');
    expect(() => h.simulator.counters('wx9')).toThrow('no account');
    expect(() => h.simulator.revoke('wx9')).toThrow('no account');
    h.simulator.addAccount({ ...MP, appid: 'wx9' });
    expect(h.simulator.counters('wx9').stable.calls).toBe(0);
  });

  test('a port that is taken is an error', async () => {
    await expect(startSimulator({ port: h.simulator.port })).rejects.toThrow('EADDRINUSE');
  });

  test('the system clock is the default', async () => {
    const simulator = await startSimulator();
    const before = Date.now();
    expect(simulator.clock.now()).toBeGreaterThanOrEqual(before);
    expect(simulator.clock.now()).toBeLessThan(before + 60_000);
    await simulator.close();
    await simulator.close();
  });
});

describe('the server', () => {
  /** Writes raw bytes and reads until the server closes or `until` has come. */
  async function raw(bytes: string, until?: string): Promise<string> {
    const socket = connect(h.simulator.port, '127.0.0.1');
    let received = '';
    socket.on('data', chunk => {
      received += chunk;
      if (until !== undefined && received.includes(until)) socket.end();
    });
    socket.write(bytes);
    await once(socket, 'close');
    return received;
  }

  test.each(['rubbish\r\n\r\n', 'GET /a b HTTP/9\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00'])(
    'garbage %j: 400',
    async bytes => {
      expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 400 /);
      expect((await h.stable()).json['expires_in']).toBe(7200);
    },
  );

  test('a target in absolute form, and any Host', async () => {
    const target = 'GET http://api.weixin.qq.com/cgi-bin/getcallbackip HTTP/1.1\r\nHost: example.com\r\n\r\n';
    expect(await raw(target, '41001')).toContain('"errcode":41001');
  });

  test('a request that comes in small pieces', async () => {
    const socket = connect(h.simulator.port, '127.0.0.1');
    await once(socket, 'connect');
    const body = JSON.stringify({ grant_type: 'client_credential', appid: MP.appid, secret: MP.secret });
    const whole = `POST /cgi-bin/stable_token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    for (const character of whole) socket.write(character);
    expect(await text(socket)).toContain('"expires_in":7200');
  });

  test('a caller who leaves in mid-request is forgotten', async () => {
    const socket = connect(h.simulator.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST /cgi-bin/stable_token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"a');
    socket.destroy();
    await once(socket, 'close');
    expect((await h.stable()).json['expires_in']).toBe(7200);
    expect(h.simulator.counters(MP.appid).stable.calls).toBe(1);
  });

  test('more than 40 MiB: 413, declared or not, and the connection goes on', async () => {
    const body = Buffer.alloc(41 * 1024 * 1024);
    const target = `${h.simulator.origin}/cgi-bin/media/upload`;
    expect((await fetch(target, { method: 'POST', body })).status).toBe(413);
    const stream = new Blob([body]).stream();
    expect((await fetch(target, { method: 'POST', body: stream, duplex: 'half' })).status).toBe(413);
    expect((await h.stable()).json['expires_in']).toBe(7200);
  });

  test('keep-alive: many calls over one connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 5; i += 1) {
      const outgoing = request(`${h.simulator.origin}/cgi-bin/getcallbackip`, { agent }).end();
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      ports.add(response.socket.localPort);
      await text(response);
    }
    expect(ports.size).toBe(1);
    agent.destroy();
  });

  test('HEAD answers like GET without a body; other verbs are wrong', async () => {
    const target = `${h.simulator.origin}/cgi-bin/getcallbackip?access_token=${await h.token()}`;
    const head = await fetch(target, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(10);
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect(await (await fetch(target, { method })).json()).toMatchObject({ errcode: 43001 });
    }
  });

  test('the Date header follows the clock', async () => {
    expect((await h.stable()).headers.get('date')).toBe(new Date(START).toUTCString());
    h.simulator.clock.advance(5000);
    expect((await h.stable()).headers.get('date')).toBe(new Date(START + 5000).toUTCString());
  });

  test('512 callers at once: one stable token, and the counts are exact', async () => {
    const tokens = await Promise.all(Array.from({ length: 512 }, () => h.token(OA)));
    expect(new Set(tokens).size).toBe(1);
    expect(h.simulator.counters(OA.appid).stable).toEqual({ calls: 512, issued: 1, forced: 0 });
  });

  test('old tokens are forgotten in the end, and still refused', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 70; i += 1) tokens.push(String((await h.classic()).json['access_token']));
    for (const token of tokens.slice(0, -2)) expect(h.simulator.state.verdict(token)).toBe(40001);
    for (const token of tokens.slice(-2)) expect(h.simulator.state.verdict(token)).toBe(0);
  });
});
