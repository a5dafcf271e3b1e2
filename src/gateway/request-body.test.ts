import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { startGateway } from './gateway.fixture.ts';
import type { Respond, TestUpstream } from './wire.fixture.ts';
import {
  exchangeBytes,
  inPieces,
  sha256,
  startUpstream,
  startUpstreamWith,
  valuesOf,
} from './wire.fixture.ts';

const MIB = 1024 * 1024;

async function gatewayTo(
  up: TestUpstream,
  options: Omit<TestGatewayOptions, 'origin'> = {},
): Promise<TestGateway> {
  const gw = await startGateway({ origin: up.origin, ...options });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  return gw;
}

async function setup(
  respond: Respond,
  options: Omit<TestGatewayOptions, 'origin'> = {},
): Promise<{ gw: TestGateway; up: TestUpstream }> {
  const up = await startUpstream(respond);
  return { up, gw: await gatewayTo(up, options) };
}

describe('request bodies', () => {
  test.each([
    [0, 'length'],
    [1, 'length'],
    [65_536, 'length'],
    [65_537, 'chunks'],
    [65_537, 'length'],
    [1, 'chunks'],
    [32 * MIB, 'length'],
    [32 * MIB, 'chunks'],
  ] as const)('of %i bytes (%s) arrive byte for byte', async (size, framing) => {
    const { gw, up } = await setup((_req, res) => res.end('{}'));
    const body = randomBytes(size);
    const answer = await request(`${gw.url}/wxa/x`, {
      method: 'POST',
      body: framing === 'length' ? body : inPieces(body),
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    expect(sha256(up.seen[0]?.body ?? Buffer.alloc(0))).toBe(sha256(body));
    expect(gw.records[0]?.requestBytes).toBe(size);
    if (framing === 'length')
      expect(valuesOf(up.seen[0]?.headers ?? [], 'content-length')).toEqual([String(size)]);
  });

  test('of a GET arrive too', async () => {
    const { gw, up } = await setup((_req, res) => res.end('{}'));
    const raw = await exchangeBytes(
      gw.port,
      'GET /wxa/x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
    );
    expect(raw).toMatch(/^HTTP\/1\.1 200 /);
    expect(up.seen[0]?.body.toString()).toBe('abc');
  });

  test('over the limit are refused before anything is sent when their length is declared', async () => {
    const { gw, up } = await setup((_req, res) => res.end('{}'), { settings: { maxRequestBytes: 100_000 } });
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: Buffer.alloc(100_001) });
    expect(answer.statusCode).toBe(413);
    expect(answer.headers['connection']).toBe('close');
    expect(await answer.body.json()).toMatchObject({
      errcode: 990413,
      errmsg: expect.stringMatching(/100000 bytes.*gateway\.maxRequestBytes/),
    });
    expect(up.seen).toHaveLength(0);
    const fits = await request(`${gw.url}/wxa/x`, { method: 'POST', body: Buffer.alloc(100_000) });
    expect(fits.statusCode).toBe(200);
    await fits.body.dump();
  });

  test('over the limit are refused while they come in chunks, and the upload is broken off', async () => {
    let cut = false;
    const up = await startUpstreamWith(req => {
      req.on('data', () => {});
      req.on('error', () => {
        cut = true;
      });
    });
    const gw = await gatewayTo(up, { settings: { maxRequestBytes: 200_000 } });
    const answer = await request(`${gw.url}/wxa/x`, {
      method: 'POST',
      body: inPieces(Buffer.alloc(400_000)),
    });
    expect(answer.statusCode).toBe(413);
    await answer.body.dump();
    await expect.poll(() => cut).toBe(true);
  });

  test('over a small limit are refused while they are read ahead', async () => {
    const { gw, up } = await setup((_req, res) => res.end('{}'), { settings: { maxRequestBytes: 10 } });
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: inPieces(Buffer.alloc(11)) });
    expect(answer.statusCode).toBe(413);
    await answer.body.dump();
    expect(up.seen).toHaveLength(0);
  });

  test('are held back while the upstream does not read, and files stay within the tmp folder unnamed', async () => {
    const up = await startUpstreamWith(req => void req.pause());
    const tmpDir = mkdtempSync(join(tmpdir(), 'open-bridge-test-'));
    const gw = await gatewayTo(up, { settings: { timeoutMs: 200 }, tmpDir });
    let sent = 0;
    const endless = new Readable({
      read() {
        sent += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: endless });
    expect(answer.statusCode).toBe(504);
    await answer.body.dump().catch(() => {});
    expect(gw.records[0]?.requestBytes).toBeLessThan(24 * MIB);
    expect(sent).toBeLessThan(64 * MIB);
    expect(readdirSync(tmpDir)).toEqual([]);
    rmSync(tmpDir, { recursive: true });
  });

  test('that do not arrive in time end the call', async () => {
    const { gw, up } = await setup((_req, res) => res.end('{}'), { settings: { timeoutMs: 50 } });
    const raw = await exchangeBytes(gw.port, 'POST /wxa/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nab');
    expect(raw).toMatch(/^HTTP\/1\.1 408 /);
    expect(up.seen).toHaveLength(0);
  });

  test('an early answer does not hang, whether the body is read on or not', async () => {
    for (const size of [100_000, 8 * MIB]) {
      const up = await startUpstreamWith(
        (_req, res) => void res.writeHead(403, { 'content-type': 'text/plain' }).end('no'),
      );
      const gw = await gatewayTo(up);
      const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: inPieces(randomBytes(size)) });
      expect([answer.statusCode, await answer.body.text()]).toEqual([403, 'no']);
    }
  });

  test('an upload continues while the answer already streams', async () => {
    const up = await startUpstreamWith((req, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      req.pipe(res);
    });
    const gw = await gatewayTo(up);
    const body = randomBytes(3 * MIB);
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: inPieces(body) });
    expect(sha256(Buffer.from(await answer.body.arrayBuffer()))).toBe(sha256(body));
  });
});

test('a server that answers without reading does not keep callers from their answer', async () => {
  const server = createServer(
    (_req, res) => void res.writeHead(200, { connection: 'close' }).end('{"errcode":0}'),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const gw = await startGateway({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  onTestFinished(async () => {
    await gw.close();
    server.close();
    server.closeAllConnections();
  });
  const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: inPieces(randomBytes(4 * MIB)) });
  // The server may have reset the connection before its answer was read; both are answers.
  expect([200, 502]).toContain(answer.statusCode);
  await answer.body.dump();
});
