import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../test/support/free-port.ts';
import { createCertificate } from '../../gateway/tls/certificate.ts';
import { lookupAt, OTHER_APPS, startPatient } from './doctor.fixture.ts';
import { isInternal } from './reach.ts';
import { systemWire } from './wire.ts';

const DAY_MS = 24 * 60 * 60_000;
const HOST = 'api.weixin.qq.com';

/** Listens on a free port until the test ends. */
async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** An HTTPS server whose certificate nobody vouches for. */
async function selfSigned(lifeMs: number): Promise<number> {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const certificate = createCertificate({
    subject: 'localhost',
    issuer: 'localhost',
    key,
    issuerKey: key,
    serial: Buffer.from([0x40, 1]),
    notBefore: Date.now() - 2 * DAY_MS,
    notAfter: Date.now() + lifeMs,
    extensions: [],
  });
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  return listen(createHttpsServer({ cert: certificate, key: pem }, (_, res) => res.end('{"errcode":41001}')));
}

describe('the way to the platform', () => {
  it('tells how long each step took', async () => {
    const patient = await startPatient();
    expect((await patient.examine()).of('upstream.weixin')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/answers \(dns \d+ ms, tcp \d+ ms, http \d+ ms\)/),
    });
  });

  it('a port that nobody holds', async () => {
    const port = await freePort();
    const patient = await startPatient({ upstream: { weixin: `http://127.0.0.1:${port}` } });
    const found = await patient.examine();
    expect(found.of('upstream.weixin')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('no connection to 127.0.0.1 (ECONNREFUSED)'),
      advice: expect.stringContaining('firewall'),
    });
    expect(found.of('shop')).toMatchObject({ status: 'skipped' });
  });

  it('a name that cannot be resolved, and a proxy that would not be used', async () => {
    const patient = await startPatient({ upstream: { weixin: 'https://no.such.host' } });
    const found = await patient.examine({}, { env: { HTTPS_PROXY: 'http://user:canary@10.0.0.1:3128' } });
    expect(found.of('upstream.weixin')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('cannot be resolved (ENOTFOUND)'),
      advice: expect.stringMatching(/getent hosts no\.such\.host[\s\S]*HTTPS_PROXY is set here/),
    });
    expect(found.text).not.toContain('canary@');
  });

  it.each([
    ['self-signed', DAY_MS, /DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY/],
    ['ended', -DAY_MS, /CERT_HAS_EXPIRED|SELF_SIGNED|UNABLE_TO_VERIFY/],
  ])('a certificate that is %s', async (_name, lifeMs, code) => {
    const port = await selfSigned(lifeMs);
    const patient = await startPatient({ upstream: { weixin: `https://127.0.0.1:${port}` } });
    const found = await patient.examine();
    expect(found.of('upstream.weixin')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(code),
      advice: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(found.of('shop')).toMatchObject({ status: 'skipped' });
  });

  it('a certificate that ends soon', async () => {
    const port = await selfSigned(3 * DAY_MS);
    const patient = await startPatient({ upstream: { weixin: `https://127.0.0.1:${port}` } });
    const trusting = {
      ...systemWire,
      lookup: lookupAt({}),
      handshake: async (...call: Parameters<typeof systemWire.handshake>) => ({
        ...(await systemWire.handshake(...call)),
        refusal: undefined,
      }),
      ask: async () => ({ status: 200, headers: {}, text: '', json: { errcode: 41001 } }),
    };
    expect((await patient.examine({}, { wire: trusting })).of('upstream.weixin')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/certificate ends in [23] days/),
    });
  });

  it('a hosts entry that makes the bridge call itself', async () => {
    const patient = await startPatient({ upstream: { weixin: `http://${HOST}:9` } });
    const found = await patient.examine(
      {},
      {
        wire: { ...systemWire, lookup: lookupAt({ [HOST]: ['127.0.0.1'] }) },
      },
    );
    expect(found.of('upstream.weixin')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('call itself'),
      advice: expect.stringContaining('hosts file'),
    });
  });

  it('somebody who answers in the place of the platform', async () => {
    const port = await listen(createHttpServer((_, res) => res.end('<html>log in first</html>')));
    const patient = await startPatient({ upstream: { weixin: `http://${HOST}:${port}` } });
    const wire = {
      ...systemWire,
      lookup: lookupAt({ [HOST]: ['203.0.113.10'] }),
      connect: async () => {},
      ask: (question: Parameters<typeof systemWire.ask>[0]) =>
        systemWire.ask({ ...question, url: question.url.replace(HOST, '127.0.0.1') }),
    };
    expect((await patient.examine({}, { wire })).of('upstream.weixin')).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining('a login page'),
    });
  });

  it.each([
    ['qq', 'qq-mini', 'api.q.qq.com', '{"errcode":40013,"errmsg":"invalid appid"}', 'ok'],
    ['qq', 'qq-mini', 'api.q.qq.com', '<html>log in first</html>', 'warn'],
    ['qqConnect', 'qq-login', 'graph.qq.com', 'callback( {"error":100007,"error_description":""} );', 'ok'],
    ['qqConnect', 'qq-login', 'graph.qq.com', '<html>log in first</html>', 'warn'],
  ])('%s, and who answers in its place', async (upstream, app, host, body, status) => {
    const asked: string[] = [];
    const port = await listen(
      createHttpServer((req, res) => {
        asked.push(req.url ?? '');
        res.end(body);
      }),
    );
    const patient = await startPatient({ apps: OTHER_APPS });
    const { origin } = patient.simulator;
    patient.configure({
      apps: OTHER_APPS,
      upstream: { weixin: origin, qq: origin, qqConnect: origin, [upstream]: `http://${host}:${port}` },
    });
    const wire = {
      ...systemWire,
      lookup: lookupAt({ [host]: ['203.0.113.10'] }),
      connect: async () => {},
      ask: (question: Parameters<typeof systemWire.ask>[0]) =>
        systemWire.ask({ ...question, url: question.url.replace(host, '127.0.0.1') }),
    };
    const found = await patient.examine({ app }, { wire, timeoutMs: 200 });
    expect(found.of(`upstream.${upstream}`)).toMatchObject({ status });
    expect(asked[0]).toMatch(upstream === 'qq' ? /^\/api\/getToken$/ : /^\/oauth2\.0\/me\?fmt=json$/);
    const inside = { ...wire, lookup: lookupAt({ [host]: ['10.0.0.2'] }) };
    expect((await patient.examine({ app }, { wire: inside })).of(`upstream.${upstream}`)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('call itself'),
    });
  });

  it.each([
    ['127.0.0.1', true],
    ['10.0.0.2', true],
    ['169.254.1.1', true],
    ['::1', true],
    ['fd00::1', true],
    ['::ffff:10.0.0.1', true],
    ['203.0.113.10', false],
    ['2402:4e00::1', false],
  ])('%s is internal: %s', (address, internal) => {
    expect(isInternal(address)).toBe(internal);
  });
});

describe('the clock', () => {
  it.each([
    ['agrees', 0, 'ok', /agrees/],
    ['is a minute behind', 60_000, 'warn', /(59|60) s behind/],
    ['is an hour ahead', -3_600_000, 'fail', /360[01] s ahead/],
  ])('%s', async (_name, offMs, status, found) => {
    const patient = await startPatient();
    patient.simulator.clock.set(Date.now() + offMs);
    expect((await patient.examine()).of('clock')).toMatchObject({
      status,
      found: expect.stringMatching(found),
      ...(status !== 'ok' && { advice: expect.stringContaining('timedatectl') }),
    });
  });
});
