import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { HOST, openTls, startHttps, type TestHttps } from './https.fixture.ts';
import { listenHttps } from './https-listener.ts';
import { exchangeBytes, startUpstream, startUpstreamWith, valuesOf } from './wire.fixture.ts';

const DAY_MS = 86_400_000;

const GET = `GET /wxa/x HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

/** Sends bytes and gives back all that comes until the peer closes, or `untilMs` of silence. */
function exchange(socket: TLSSocket, bytes: string, untilMs = 150): Promise<string> {
  return new Promise(resolve => {
    let received = '';
    let timer = setTimeout(() => resolve(received), 5000);
    const done = (): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      resolve(received);
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(done, untilMs);
    };
    socket.on('data', onData);
    socket.on('error', done);
    socket.on('close', done);
    socket.write(bytes, 'latin1');
  });
}

/** Whether the listener still does its work. */
async function serves(tls: TestHttps): Promise<boolean> {
  return (await exchange(await openTls(tls), GET)).startsWith('HTTP/1.1 200 ');
}

describe('protocols', () => {
  test.each<[string, string[] | undefined, string | false]>([
    ['both offered', ['http/1.1', 'h2'], 'h2'],
    ['HTTP/1.1 alone', ['http/1.1'], 'http/1.1'],
    ['nothing offered', undefined, false],
  ])('%s', async (_what, offered, chosen) => {
    const tls = await startHttps();
    const socket = await openTls(tls, offered === undefined ? {} : { ALPNProtocols: offered });
    expect(socket.alpnProtocol).toBe(chosen);
    if (chosen !== 'h2') expect(await exchange(socket, GET)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('nothing in common ends the handshake', async () => {
    const tls = await startHttps();
    await expect(openTls(tls, { ALPNProtocols: ['spdy/3'] })).rejects.toThrow(/alert|no application/i);
    expect(await serves(tls)).toBe(true);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async version => {
    const tls = await startHttps();
    const socket = await openTls(tls, { minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
  });

  test.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async version => {
    const tls = await startHttps();
    const old = { minVersion: version, maxVersion: version, ciphers: 'ALL@SECLEVEL=0' } as const;
    await expect(openTls(tls, old)).rejects.toThrow(/version/i);
    expect(await serves(tls)).toBe(true);
  });

  test('a host the certificate is not for is refused by the caller', async () => {
    const tls = await startHttps();
    await expect(openTls(tls, { servername: 'mp.weixin.qq.com' })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await expect(openTls(tls, { ca: undefined })).rejects.toThrow();
    for (const servername of ['localhost', HOST])
      expect((await openTls(tls, { servername })).authorized).toBe(true);
    expect((await openTls(tls, { servername: '' })).authorized).toBe(true);
  });
});

describe('HTTP/1.1 over TLS', () => {
  test('is served as without it', async () => {
    const tls = await startHttps({ allow: ['/wxa/x'] });
    const socket = await openTls(tls);
    const one = (path: string): string => `POST ${path} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc`;
    const raw = await exchange(socket, one('/wxa/x') + one('/wxa/y') + one('/wxa/x'));
    expect(raw.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200']);
    expect(valuesOf(tls.up.seen[0]?.headers ?? [], 'x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  test.each([
    ['absolute-form', `GET https://${HOST}/wxa/x HTTP/1.1\r\nHost: other\r\n\r\n`, 200],
    ['somebody else’s host', 'GET https://evil.example/wxa/x HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['no Host', 'GET /wxa/x HTTP/1.1\r\n\r\n', 200],
    ['huge headers', `GET /wxa/x HTTP/1.1\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a tunnel', `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`, 405],
    ['no HTTP', '\x01\x02\x03\r\n\r\n', 400],
  ])('%s', async (_what, bytes, status) => {
    const tls = await startHttps();
    const raw = await exchange(await openTls(tls), bytes, 80);
    expect(raw).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(raw).toMatch(/x-openapi-seqid: /i);
    expect(await serves(tls)).toBe(true);
  });

  test('100-continue is said when the body is wanted', async () => {
    const tls = await startHttps();
    const socket = await openTls(tls);
    const ask = 'POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n';
    expect(await exchange(socket, ask)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(await exchange(socket, 'abc')).toMatch(/^HTTP\/1\.1 200 /);
    expect(tls.up.seen[0]?.body.toString()).toBe('abc');
  });

  test('an answer that breaks off upstream cannot be taken for a whole one', async () => {
    const up = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'image/png' });
      res.write(Buffer.alloc(200_000), () => setTimeout(() => res.destroy(), 20));
    });
    const tls = await startHttps({ upstream: up });
    const raw = await exchange(await openTls(tls), GET, 1000);
    expect(raw.length).toBeGreaterThan(200_000);
    expect(raw.endsWith('0\r\n\r\n')).toBe(false);
    expect(await serves(tls)).toBe(true);
  });

  test('a caller that goes away ends the call upstream', async () => {
    let gone = 0;
    const up = await startUpstreamWith(req => {
      req.socket.on('close', () => {
        gone += 1;
      });
    });
    const tls = await startHttps({ upstream: up });
    const socket = await openTls(tls);
    socket.write(GET);
    await expect.poll(() => up.connections()).toBe(1);
    socket.destroy();
    await expect.poll(() => gone).toBe(1);
    expect((await tls.gw.record(1)).end).toBe('caller-gone');
  });

  test('a head that does not come is given up', async () => {
    const tls = await startHttps({ https: { headersTimeoutMs: 50 } });
    const raw = await exchange(await openTls(tls), 'GET /wxa/x HTTP/1.1\r\nX-A:', 1000);
    expect(raw).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('what is not TLS', () => {
  test.each([
    ['plain HTTP', GET],
    ['plain HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['other bytes', '\x00\x01\x02\x03'.repeat(5000)],
    ['a broken handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(600, '\xff')],
  ])('%s: closed at once, and the listener serves on', async (_what, bytes) => {
    const tls = await startHttps();
    const before = performance.now();
    const raw = await exchangeBytes(tls.port, bytes, 3000);
    expect(performance.now() - before).toBeLessThan(2500);
    expect(raw).not.toContain('HTTP/1.1');
    expect(await serves(tls)).toBe(true);
    expect(tls.gw.records).toHaveLength(1);
    expect(tls.gw.log.lines.filter(line => line.message === 'a TLS handshake failed')).toHaveLength(1);
  });

  test('a handshake that does not come is given up', async () => {
    const tls = await startHttps({ https: { handshakeTimeoutMs: 50 } });
    const before = performance.now();
    expect(await exchangeBytes(tls.port, '\x16\x03\x01', 3000)).toBe('');
    expect(performance.now() - before).toBeLessThan(2500);
    expect(await serves(tls)).toBe(true);
  });

  test('handshakes under way do not hold the closing up', async () => {
    const tls = await startHttps();
    const idle = connect(tls.port, '127.0.0.1');
    await once(idle, 'connect');
    idle.resume();
    const closed = once(idle, 'close');
    await tls.listener.close(30);
    await closed;
  });
});

describe('connections', () => {
  test('over the limit are closed', async () => {
    const tls = await startHttps({ https: { maxConnections: 1 } });
    const first = await openTls(tls);
    await expect(openTls(tls)).rejects.toThrow();
    expect(await exchange(first, GET)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('closing lets calls finish and says that the connection ends', async () => {
    let answerNow = (): void => {};
    const up = await startUpstream((_req, res) => {
      answerNow = () => void res.end('{"errcode":0}');
    });
    const tls = await startHttps({ upstream: up });
    const [busy, idle] = await Promise.all([openTls(tls), openTls(tls)]);
    idle.resume();
    const idleClosed = once(idle, 'close');
    const pending = exchange(busy, GET, 1000);
    await expect.poll(() => up.seen.length).toBe(1);
    const closed = tls.listener.close(5000);
    await idleClosed;
    answerNow();
    expect(await pending).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
    await closed;
  });

  test('an address that is taken is an error', async () => {
    const { gw, certificates, port } = await startHttps();
    const options = { gateway: gw.gateway, clock: manualClock(), log: gw.log, certificates };
    await expect(listenHttps({ ...options, host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});

test('a renewed certificate serves new connections, and open ones go on', async () => {
  const clock = manualClock(Date.now());
  const tls = await startHttps({ clock });
  const untimely = { rejectUnauthorized: false };
  const serial = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber;
  const open = await openTls(tls);
  const before = serial(open);
  expect(await exchange(open, GET)).toMatch(/^HTTP\/1\.1 200 /);
  expect(serial(await openTls(tls))).toBe(before);

  await clock.advance(21 * DAY_MS);
  const renewed = await openTls(tls, untimely);
  expect(serial(renewed)).not.toBe(before);
  expect(serial(renewed)).toBe(new X509Certificate(tls.certificates.current().certificate).serialNumber);
  expect(new Date(renewed.getPeerCertificate().valid_to).getTime()).toBeGreaterThan(
    clock.now() + 28 * DAY_MS,
  );
  expect(
    renewed.getPeerX509Certificate()?.verify(new X509Certificate(tls.authority.certificate).publicKey),
  ).toBe(true);
  expect(await exchange(renewed, GET)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await exchange(open, GET)).toMatch(/^HTTP\/1\.1 200 /);
  expect(serial(open)).toBe(before);
  await expect(
    openTls(tls, { ...untimely, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }),
  ).rejects.toThrow(/version/i);
});
