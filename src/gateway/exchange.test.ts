import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestGatewayOptions } from './gateway.fixture.ts';
import { gatewayBefore, startGateway } from './gateway.fixture.ts';
import type { Respond } from './wire.fixture.ts';
import { exchangeBytes, inPieces, sha256, startRawUpstream } from './wire.fixture.ts';

const MIB = 1024 * 1024;

const setup = (respond: Respond, options: Omit<TestGatewayOptions, 'origin'> = {}) =>
  gatewayBefore(options, respond);

describe('answers', () => {
  test.each([
    [0, 'application/json', 'length'],
    [10, 'image/png', 'length'],
    [MIB, 'image/png', 'length'],
    [MIB, 'image/png', 'chunks'],
    [MIB, 'application/json', 'chunks'],
    [65_536, 'application/json', 'length'],
    [65_537, 'application/json', 'chunks'],
    [32 * MIB, 'application/octet-stream', 'length'],
    [32 * MIB, 'application/octet-stream', 'chunks'],
  ] as const)('of %i bytes (%s, %s) come back byte for byte', async (size, type, framing) => {
    const bytes = randomBytes(size);
    const { gw } = await setup((_req, res) => {
      res.setHeader('content-type', type);
      if (framing === 'length') res.setHeader('content-length', size);
      inPieces(bytes).pipe(res);
    });
    const answer = await request(`${gw.url}/wxa/getwxacode`);
    expect(answer.headers['content-type']).toBe(type);
    expect(sha256(Buffer.from(await answer.body.arrayBuffer()))).toBe(sha256(bytes));
    expect(await gw.record(1)).toMatchObject({ answerBytes: size, end: 'whole', status: 200 });
  });

  test('over the limit are refused when their length is declared', async () => {
    for (const size of [1001, 500_000]) {
      const { gw } = await setup(
        (_req, res) => res.setHeader('content-length', size).end(Buffer.alloc(size)),
        { settings: { maxResponseBytes: 1000 } },
      );
      const answer = await request(`${gw.url}/wxa/x`);
      expect(answer.statusCode).toBe(502);
      expect(await answer.body.json()).toMatchObject({
        errcode: 990512,
        errmsg: expect.stringMatching(/1000 bytes.*gateway\.maxResponseBytes/),
      });
    }
  });

  test('over the limit are cut so that nobody takes them for whole, when their length was not known', async () => {
    for (const version of ['1.1', '1.0']) {
      const { gw } = await setup(
        (_req, res) => {
          res.setHeader('content-type', 'application/octet-stream');
          inPieces(Buffer.alloc(4 * MIB)).pipe(res);
        },
        { settings: { maxResponseBytes: MIB } },
      );
      const ended = await new Promise<string>(resolve => {
        const socket = connect(gw.port, '127.0.0.1');
        socket.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
        socket.on('end', () => resolve('end'));
        socket.resume();
        socket.write(`GET /wxa/x HTTP/${version}\r\n\r\n`);
      });
      expect(ended).toBe('ECONNRESET');
      expect(await gw.record(1)).toMatchObject({ end: 'cut' });
    }
  });

  test('over the limit from their first piece on are cut too', async () => {
    const up = await startRawUpstream(socket => {
      const head = 'HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n';
      socket.once('data', () => socket.write(`${head}7d0\r\n${'x'.repeat(2000)}\r\n`));
    });
    const gw = await startGateway({ origin: up.origin, settings: { maxResponseBytes: 1000 } });
    onTestFinished(async () => {
      await gw.close();
      await up.close();
    });
    const answer = await request(`${gw.url}/wxa/x`);
    expect(answer.statusCode).toBe(200);
    await expect(answer.body.text()).rejects.toThrow();
    expect(await gw.record(1)).toMatchObject({ end: 'cut' });
  });

  test('over the limit are refused while still collected', async () => {
    const { gw } = await setup(
      (_req, res) => {
        res.write('{');
        res.end('x'.repeat(200));
      },
      { settings: { maxResponseBytes: 100 } },
    );
    const answer = await request(`${gw.url}/wxa/x`);
    expect(answer.statusCode).toBe(502);
    await answer.body.dump();
  });

  test('that begin late or never end are cut at the deadline', async () => {
    const never = await setup(() => {}, { settings: { timeoutMs: 50 } });
    const answer = await request(`${never.gw.url}/wxa/x`);
    expect(answer.statusCode).toBe(504);
    expect(await answer.body.json()).toMatchObject({
      errcode: 990504,
      errmsg: expect.stringMatching(/50 ms.*gateway\.timeoutMs/),
    });

    let upstreamGone = false;
    const endless = await setup(
      (_req, res) => {
        res.on('close', () => {
          upstreamGone = true;
        });
        res.writeHead(200, { 'content-type': 'image/png' }).write('x');
      },
      { settings: { timeoutMs: 50 } },
    );
    const streaming = await request(`${endless.gw.url}/wxa/x`);
    expect(streaming.statusCode).toBe(200);
    await expect(streaming.body.text()).rejects.toThrow();
    expect(await endless.gw.record(1)).toMatchObject({ end: 'cut' });
    await expect.poll(() => upstreamGone).toBe(true);
  });

  test('begin before the upstream has finished', async () => {
    let finish = (): void => {};
    const { gw } = await setup((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 1\n\n');
      finish = () => res.end('data: 2\n\n');
    });
    const answer = await request(`${gw.url}/wxa/x`);
    const chunks: string[] = [];
    for await (const chunk of answer.body) {
      chunks.push(String(chunk));
      finish();
    }
    expect(chunks).toEqual(['data: 1\n\n', 'data: 2\n\n']);
  });

  test('are held back while the caller does not read', async () => {
    let written = 0;
    const { gw } = await setup(
      (_req, res) => {
        res.writeHead(200, { 'content-type': 'image/png' });
        new Readable({
          read() {
            written += 65_536;
            this.push(written > 64 * MIB ? null : Buffer.alloc(65_536));
          },
        }).pipe(res);
      },
      { settings: { maxResponseBytes: 100 * MIB } },
    );
    const socket = connect(gw.port, '127.0.0.1');
    socket.pause();
    socket.write('GET /wxa/x HTTP/1.1\r\n\r\n');
    await new Promise(resolve => setTimeout(resolve, 300));
    const stalled = written;
    expect(stalled).toBeLessThan(40 * MIB);
    socket.destroy();
    expect(await gw.record(1)).toMatchObject({ end: 'caller-gone' });
  });

  test('HEAD, 204, 304 and redirects pass as they are', async () => {
    const { gw, up } = await setup((req, res) => {
      if (req.method === 'HEAD') res.writeHead(200, { 'content-length': '12345', 'x-a': 'b' }).end();
      else if (req.url?.startsWith('/wxa/204')) res.writeHead(204).end();
      else if (req.url?.startsWith('/wxa/304')) res.writeHead(304, { etag: '"x"' }).end();
      else res.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' }).end('moved');
    });
    const head = await exchangeBytes(gw.port, 'HEAD /wxa/x HTTP/1.1\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/content-length: 12345\r\n/);
    expect(head).toMatch(/\r\n\r\n$/);
    for (const [path, status] of [
      ['204', 204],
      ['304', 304],
      ['302', 302],
    ] as const) {
      const answer = await request(`${gw.url}/wxa/${path}`);
      expect(answer.statusCode).toBe(status);
      expect(await answer.body.text()).toBe(status === 302 ? 'moved' : '');
      if (status === 302) expect(answer.headers['location']).toBe('http://127.0.0.1:1/elsewhere');
    }
    expect(up.seen).toHaveLength(4);
    const refused = await exchangeBytes(gw.port, 'HEAD /wxa/%00 HTTP/1.1\r\n\r\n');
    expect(refused).toMatch(/^HTTP\/1\.1 400 [\s\S]*x-openapi-seqid: [\s\S]*\r\n\r\n$/);
  });

  test('may be preceded by early hints', async () => {
    const { gw } = await setup((_req, res) =>
      res.writeEarlyHints({ link: '</x>; rel=preload' }, () => res.end('{"errcode":0}')),
    );
    const answer = await request(`${gw.url}/wxa/x`);
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, '{"errcode":0}']);
  });
});
