import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { request } from 'undici';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { startGateway } from '../gateway.fixture.ts';
import { alternativeNames, createCertificate } from '../tls/certificate.ts';
import { inPieces, sha256 } from '../wire.fixture.ts';
import { createOriginPool } from './origin-pool.ts';
import { createSweep } from './sweep.ts';
import { TestExchange } from './test-exchange.fixture.ts';

const DAY_MS = 86_400_000;

interface TlsUpstream {
  readonly port: number;
  readonly certificate: string;
  /** Names that were asked for, and whether an earlier session was resumed, a connection each. */
  readonly connections: { readonly servername: string | false | null; readonly resumed: boolean }[];
}

/** An HTTPS server that answers with what it was sent; its certificate is for the given hosts. */
async function startTlsUpstream(hosts: readonly string[]): Promise<TlsUpstream> {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const certificate = createCertificate({
    subject: 'upstream',
    issuer: 'upstream',
    key,
    issuerKey: key,
    serial: Buffer.from([0x40, 1]),
    notBefore: Date.now() - DAY_MS,
    notAfter: Date.now() + DAY_MS,
    extensions: [alternativeNames(hosts)],
  });
  const connections: TlsUpstream['connections'] = [];
  const server = createServer(
    { key: key.export({ type: 'pkcs8', format: 'pem' }), cert: certificate, keepAliveTimeout: 60_000 },
    (req, res) => {
      res.setHeader('content-type', 'application/octet-stream');
      if (req.url?.includes('/close')) res.setHeader('connection', 'close');
      if (req.url?.includes('/whole')) void buffer(req).then(body => res.end(body));
      else req.pipe(res);
    },
  );
  server.on('secureConnection', (socket: TLSSocket) => {
    connections.push({ servername: socket.servername, resumed: socket.isSessionReused() });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, certificate, connections };
}

async function gatewayTo(origin: string) {
  const gw = await startGateway({ origin });
  onTestFinished(() => gw.close());
  return gw;
}

const trusted = getCACertificates('default');
afterEach(() => setDefaultCACertificates(trusted));

test('bodies of any size pass over TLS byte for byte, on connections that are kept', async () => {
  const up = await startTlsUpstream(['localhost']);
  setDefaultCACertificates([up.certificate]);
  const gw = await gatewayTo(`https://localhost:${up.port}`);
  for (const size of [1, 20_000, 70_000, 4_000_000]) {
    const body = randomBytes(size);
    for (const sent of [body, inPieces(body)]) {
      const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: sent });
      expect(answer.statusCode).toBe(200);
      expect(sha256(Buffer.from(await answer.body.arrayBuffer()))).toBe(sha256(body));
    }
  }
  expect(up.connections).toEqual([{ servername: 'localhost', resumed: false }]);
});

test('a later connection resumes the session of an earlier one', async () => {
  const up = await startTlsUpstream(['localhost']);
  setDefaultCACertificates([up.certificate]);
  const gw = await gatewayTo(`https://localhost:${up.port}`);
  for (let i = 0; i < 3; i += 1) {
    const answer = await request(`${gw.url}/wxa/close`, { method: 'POST', body: 'x' });
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, 'x']);
  }
  expect(up.connections.map(each => each.resumed)).toEqual([false, true, true]);
});

test('an address is asked for without a name, and checked as an address', async () => {
  const up = await startTlsUpstream(['127.0.0.1']);
  setDefaultCACertificates([up.certificate]);
  const gw = await gatewayTo(`https://127.0.0.1:${up.port}`);
  const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: 'x' });
  expect(answer.statusCode).toBe(200);
  await answer.body.dump();
  expect(up.connections[0]?.servername).toBe(false);
});

test.each([
  ['of somebody nobody vouches for', false, ['localhost'], 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['for another host', true, ['api.weixin.qq.com'], 'ERR_TLS_CERT_ALTNAME_INVALID'],
])('a certificate %s is refused, and the request never sent', async (_what, vouched, hosts, code) => {
  const up = await startTlsUpstream(hosts);
  if (vouched) setDefaultCACertificates([up.certificate]);
  const gw = await gatewayTo(`https://localhost:${up.port}`);
  const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: 'x' });
  expect(answer.statusCode).toBe(502);
  expect(await answer.body.json()).toMatchObject({ errmsg: expect.stringContaining(code) });
});

test('a connection that was held back at the end of an answer carries the next one', async () => {
  const up = await startTlsUpstream(['localhost']);
  const pool = createOriginPool(
    `https://localhost:${up.port}`,
    {
      clock: systemClock,
      sweep: createSweep(systemClock),
      readBuffer: Buffer.alloc(65_536),
      maxConnections: () => 1,
    },
    { ca: up.certificate, servername: 'localhost' },
  );
  onTestFinished(() => pool.close());
  // What has been decrypted comes on although the first pieces held it back: several records in one read.
  const body = randomBytes(60_000);
  for (let turn = 0; turn < 20; turn += 1) {
    const exchange = new TestExchange({ method: 'POST', target: '/whole', body });
    exchange.flows = turn % 2 === 1;
    pool.dispatch(exchange);
    // Only who held it back lets it go on.
    const goesOn = setInterval(() => !exchange.flows && !exchange.over && exchange.carrier?.resume(), 5);
    await exchange.settled;
    clearInterval(goesOn);
    expect(exchange.error).toBeUndefined();
    expect(sha256(exchange.body)).toBe(sha256(body));
  }
  expect(up.connections).toHaveLength(1);
}, 10_000);
