import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { World } from './check.ts';
import { lookupAt, OTHER_APPS, startPatient, startRunning } from './doctor.fixture.ts';
import { systemProcesses } from './processes.ts';
import { systemWire } from './wire.ts';

const HOST = 'api.weixin.qq.com';
const KEY = 'canary-k4Jx9QmZ2vLw7RtY';

describe('programs', () => {
  const at = (...addresses: string[]): Partial<World> => ({
    wire: { ...systemWire, lookup: lookupAt({ [HOST]: addresses }) },
  });
  const PROXIED = 'http://127.0.0.1:7280';
  const LISTEN = { listen: { gateway: '127.0.0.1:7280' } };

  it('go to the platform unless told otherwise', async () => {
    const patient = await startPatient(LISTEN);
    const found = await patient.examine({}, at('203.0.113.10'));
    expect(found.of('programs')).toMatchObject({
      found: expect.stringContaining('do not go through the gateway'),
      advice: expect.stringMatching(/hosts file[\s\S]*http_proxy=http:\/\/127\.0\.0\.1:7280[\s\S]*base URL/),
    });
  });

  it('go where the hosts file leads', async () => {
    const found = await (await startPatient()).examine({}, at('10.0.0.2'));
    expect(found.of('programs')).toMatchObject({ status: 'ok', found: expect.stringContaining('go there') });
  });

  it.each([
    [{ http_proxy: PROXIED }, 'ok', /leads to the gateway/],
    [{ http_proxy: 'localhost:7280' }, 'ok', /leads to the gateway/],
    [{ http_proxy: PROXIED, no_proxy: 'localhost, .qq.com' }, 'warn', /no_proxy makes an exception/],
    [{ http_proxy: PROXIED, NO_PROXY: '*' }, 'warn', /NO_PROXY makes an exception/],
    [{ http_proxy: PROXIED, no_proxy: 'q.com,other' }, 'ok', /leads to the gateway/],
    [{ http_proxy: 'http://canary:canary@proxy.corp:3128' }, 'warn', /proxy\.corp:3128, which is not/],
  ])('with %j', async (env, status, text) => {
    const found = await (await startPatient(LISTEN)).examine({}, { ...at('203.0.113.10'), env });
    expect(found.of('programs')).toMatchObject({ status, found: expect.stringMatching(text) });
    expect(found.text).not.toContain('canary:');
  });

  it('one that goes through the gateway', async () => {
    const test = await startRunning();
    const call = `http.get('${test.gateway}/cgi-bin/getcallbackip', r => { r.resume(); setTimeout(process.exit, 200) })`;
    const found = await test.look(
      { command: [process.execPath, '-e', call] },
      { processes: systemProcesses },
    );
    expect(found.of('program')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(
        /went through the gateway \(127\.0\.0\.1:\d+\); calls that arrived meanwhile: GET \/cgi-bin\/getcallbackip 200; ended with status 0/,
      ),
    });
  });

  it('one whose child is quick, as a list and as a trace', async () => {
    const test = await startRunning({ callers: [{ name: 'orders', key: KEY }] });
    const url = `${test.gateway}/cgi-bin/getcallbackip`;
    const command = ['sh', '-c', `curl -s -o /dev/null -H 'x-bridge-key: ${KEY}' ${url}`];
    const blind = await test.look({ command }, { processes: systemProcesses });
    expect(blind.of('program')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^(sh went through|something connected to) the gateway/),
    });
    const admin = test.bridge.freshAdminKey ?? '';
    const env = { OPEN_BRIDGE_ADMIN_KEY: admin };
    const seeing = await test.look({ command }, { processes: systemProcesses, env });
    expect(seeing.of('program')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('GET /cgi-bin/getcallbackip 200'),
    });
    expect(JSON.stringify(seeing.all)).not.toContain(admin);
  });

  it('one that does not trust the gateway', async () => {
    const test = await startRunning();
    const end = { address: '127.0.0.1', port: test.bridge.gatewayTls?.port ?? 0 };
    const seen = { connections: [end], traces: [] };
    const traced = { connections: undefined, traces: [end] };
    for (const what of [seen, traced]) {
      const processes = { watch: async () => ({ code: 60, failure: undefined, ...what }) };
      const found = await test.look({ command: ['app'] }, { processes });
      expect(found.of('program')).toMatchObject({
        status: 'warn',
        found: expect.stringContaining('but no call arrived'),
        advice: expect.stringContaining(`${test.bridge.certificateFile} (NODE_EXTRA_CA_CERTS`),
      });
    }
    // A handshake that breaks off may leave nothing to see, so the advice is given in any case.
    const to = `api.weixin.qq.com:443:127.0.0.1:${end.port}`;
    const command = ['curl', '-s', '--connect-to', to, 'https://api.weixin.qq.com/cgi-bin/getcallbackip'];
    const real = await test.look({ command }, { processes: systemProcesses });
    expect(real.of('program')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('ended with status 60'),
      advice: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
  });

  it('one that goes past it', async () => {
    const test = await startRunning();
    const connections = [
      { address: '203.0.113.10', port: 443 },
      { address: '127.0.0.1', port: 6379 },
    ];
    const processes = { watch: async () => ({ code: 3, failure: undefined, connections, traces: [] }) };
    const found = await test.look({ command: ['app'] }, { ...at('203.0.113.10'), processes });
    expect(found.of('program')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/went past the gateway.*203\.0\.113\.10:443.*status 3/),
      advice: expect.stringContaining('base URL'),
    });
  });

  it('that mean several platforms are told of host by host', async () => {
    const patient = await startPatient({ ...LISTEN, apps: OTHER_APPS });
    const lookup = lookupAt({
      [HOST]: ['203.0.113.10'],
      'api.q.qq.com': ['10.0.0.2'],
      'graph.qq.com': ['203.0.113.12'],
    });
    const found = await patient.examine({}, { wire: { ...systemWire, lookup } });
    const told = found.all.filter(({ name }) => name === 'programs').map(({ found: text }) => text);
    expect(told).toEqual([
      expect.stringMatching(/^api\.weixin\.qq\.com is 203.* do not go through/),
      expect.stringMatching(/^api\.q\.qq\.com is 10\.0\.0\.2 here.* go there/),
    ]);
    // For QQ Connect the gateway has nothing to add, so nobody need go through it.
    const connections = [
      { address: '203.0.113.12', port: 443 },
      { address: '203.0.113.11', port: 443 },
      { address: '203.0.113.10', port: 80 },
    ];
    const outside = lookupAt({ [HOST]: ['203.0.113.10'], 'api.q.qq.com': ['203.0.113.11'] });
    const processes = { watch: async () => ({ code: 0, failure: undefined, connections, traces: [] }) };
    const wire = { ...systemWire, lookup: outside };
    const past = await patient.examine({ command: ['app'] }, { wire, processes });
    expect(past.all.filter(({ name }) => name === 'program')).toEqual([
      expect.objectContaining({
        status: 'fail',
        found: expect.stringContaining('203.0.113.11:443, which is api.q.qq.com'),
        advice: expect.stringContaining('api.q.qq.com'),
      }),
      expect.objectContaining({
        found: expect.stringContaining('203.0.113.10:80, which is api.weixin.qq.com'),
      }),
    ]);
  });

  it('one that calls nobody, one that cannot be watched, one that is none', async () => {
    const test = await startRunning();
    const quiet = await test.look({ command: ['true', 'canary'] }, { processes: systemProcesses });
    expect(quiet.of('program')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('true made no call that reached the gateway'),
    });
    const processes = {
      watch: async () => ({ code: 0, failure: undefined, connections: undefined, traces: [] }),
    };
    const hidden = await test.look({ command: ['app'] }, { processes });
    expect(hidden.of('program')?.found).toContain('cannot be seen on this system');
    const none = await test.look({ command: ['no-such-program'] }, { processes: systemProcesses });
    expect(none.of('program')).toMatchObject({ status: 'fail', found: expect.stringContaining('ENOENT') });
  });

  it('are told of call by call when the bridge keeps a list', async () => {
    const calls = [{ seqid: 'old', method: 'GET', path: '/wxa/a', status: 200 }];
    const server = createServer((req, res) => {
      expect(req.url === '/v1/calls?limit=100' ? req.headers.authorization : 'Bearer admin').toBe(
        'Bearer admin',
      );
      res.end(JSON.stringify(req.url?.startsWith('/v1/calls') ? { calls } : { status: 'ok' }));
    });
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const processes = {
      async watch() {
        calls.unshift({ seqid: 'new', method: 'POST', path: '/wxa/b', status: 403 });
        return { code: 0, failure: undefined, connections: [], traces: [] };
      },
    };
    const patient = await startPatient();
    const env = { OPEN_BRIDGE_ADMIN_KEY: 'admin' };
    const found = await patient.examine({ url, command: ['app'] }, { processes, env });
    expect(found.of('program')).toMatchObject({
      status: 'ok',
      found: 'calls arrived at the gateway while app ran: POST /wxa/b 403; ended with status 0',
    });
  });
});
