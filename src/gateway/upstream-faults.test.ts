import { connect } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { startGateway, upstreamsAt } from './gateway.fixture.ts';
import { exchangeBytes, startRawUpstream, startUpstream, startUpstreamWith } from './wire.fixture.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const OK = `${HEAD}Content-Length: 13\r\n\r\n{"errcode":0}`;

/** A gateway before an upstream that answers each request head with the next of the given bytes, then hangs up if told. */
async function speaking(answers: readonly (string | 'hang-up')[], then: 'stay' | 'hang-up' = 'stay') {
  let requests = 0;
  const up = await startRawUpstream(socket => {
    socket.on('data', chunk => {
      if (!chunk.includes(' HTTP/1.1\r\n')) return;
      const answer = answers[Math.min(requests, answers.length - 1)] ?? '';
      requests += 1;
      if (answer === 'hang-up') return socket.destroy();
      socket.write(Buffer.from(answer, 'latin1'), () => {
        if (then === 'hang-up') socket.end();
      });
      return undefined;
    });
  });
  const gw = await gatewayTo(up);
  return { gw, requests: () => requests };
}

async function gatewayTo(
  up: { origin: string; close(): Promise<void> },
  options: Omit<TestGatewayOptions, 'origin'> = {},
): Promise<TestGateway> {
  const gw = await startGateway({ origin: up.origin, ...options });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  return gw;
}

async function call(gw: TestGateway, method: 'GET' | 'POST' | 'HEAD' = 'GET') {
  const answer = await request(`${gw.url}/wxa/x`, { method, body: method === 'POST' ? 'x' : null });
  return { status: answer.statusCode, text: await answer.body.text(), headers: answer.headers };
}

describe('an upstream that', () => {
  test('is not there gives 502', async () => {
    const up = await startUpstream(() => {});
    await up.close();
    const gw = await gatewayTo(up);
    const answer = await call(gw);
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text)).toMatchObject({
      errcode: 990502,
      error_type: 'GatewayError',
      errmsg: expect.stringContaining('ECONNREFUSED'),
    });
    expect(gw.records[0]).toMatchObject({ failure: 'UPSTREAM_UNREACHABLE', status: 502 });
  });

  test.each(['GET', 'HEAD'] as const)(
    'hangs up before its answer is asked again once for a %s',
    async method => {
      const once = await speaking(['hang-up', OK]);
      expect(await call(once.gw, method)).toMatchObject({ status: 200 });
      expect(once.requests()).toBe(2);
      const always = await speaking(['hang-up']);
      expect(await call(always.gw, method)).toMatchObject({ status: 502 });
      expect(always.requests()).toBe(2);
    },
  );

  test('hangs up before its answer is not asked again for a POST', async () => {
    const { gw, requests } = await speaking(['hang-up', OK]);
    const answer = await call(gw, 'POST');
    expect(answer.status).toBe(502);
    expect(answer.text).toMatch(/closed the connection before it answered/);
    expect(requests()).toBe(1);
  });

  test('has closed an idle connection costs nothing', async () => {
    const up = await startUpstream((_req, res) => res.end('{"errcode":0}'));
    const gw = await gatewayTo(up);
    expect(await call(gw, 'POST')).toMatchObject({ status: 200 });
    up.server.closeAllConnections();
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(await call(gw, 'POST')).toMatchObject({ status: 200 });
  });

  test.each([
    ['part of the head', HEAD],
    ['part of a counted body', `${HEAD}Content-Length: 13\r\n\r\n{"err`],
    ['part of a chunked body', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"err`],
  ])('breaks off after %s gives 502, and is not asked again', async (_what, bytes) => {
    const { gw, requests } = await speaking([bytes], 'hang-up');
    expect(await call(gw)).toMatchObject({ status: 502 });
    expect(requests()).toBe(1);
  });

  test('breaks off in the middle of a stream cuts the caller off too', async () => {
    for (const framing of [
      'Content-Length: 5000000\r\n\r\n',
      'Transfer-Encoding: chunked\r\n\r\n4c4b40\r\n',
    ]) {
      const { gw } = await speaking(
        [`HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n${framing}${'x'.repeat(100_000)}`],
        'hang-up',
      );
      const answer = await request(`${gw.url}/wxa/x`);
      expect(answer.statusCode).toBe(200);
      await expect(answer.body.text()).rejects.toThrow();
      expect(await gw.record(1)).toMatchObject({ end: 'cut', status: 200 });
    }
  });

  test('ends its body by closing is understood', async () => {
    const { gw } = await speaking([`${HEAD}Connection: close\r\n\r\n{"errcode":0,"errmsg":"ok"}`], 'hang-up');
    expect(await call(gw)).toMatchObject({ status: 200, text: '{"errcode":0,"errmsg":"ok"}' });
  });

  test.each([
    ['is not HTTP', 'garbage\r\n\r\n'],
    ['has two lengths', `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    [
      'has a length and chunks',
      `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    ],
    ['has a broken chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}`],
    ['has an endless head', `${HEAD}${'X-A: b\r\n'.repeat(10_000)}\r\n`],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['has an odd status', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ])('gives an answer that %s gives 502', async (_what, bytes) => {
    const { gw } = await speaking([bytes], 'hang-up');
    expect(await call(gw, 'POST')).toMatchObject({ status: 502 });
  });

  test('gives a reason phrase or header bytes of its own has them passed on', async () => {
    const { gw } = await speaking(['HTTP/1.1 299 Quite Fine\r\nX-Caf: \xe9\r\nContent-Length: 2\r\n\r\n{}']);
    const raw = await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.1\r\n\r\n');
    expect(raw).toMatch(/^HTTP\/1\.1 299 Quite Fine\r\n/);
    expect(raw).toContain('X-Caf: \xe9\r\n');
  });
});

describe('a caller that goes away', () => {
  test('while it waits ends the call upstream', async () => {
    let gone = false;
    let began = false;
    const up = await startUpstreamWith((req, res) => {
      began = true;
      req.resume();
      res.on('close', () => {
        gone = true;
      });
    });
    const gw = await gatewayTo(up);
    const socket = connect(gw.port, '127.0.0.1');
    socket.write('GET /wxa/x HTTP/1.1\r\n\r\n');
    await expect.poll(() => began).toBe(true);
    socket.destroy();
    await expect.poll(() => gone).toBe(true);
    expect(await gw.record(1)).toMatchObject({ end: 'caller-gone' });
  });

  test('while it sends ends the call upstream', async () => {
    let gone = false;
    let began = false;
    const up = await startUpstreamWith(req => {
      began = true;
      req.on('data', () => {});
      req.on('error', () => {
        gone = true;
      });
    });
    const gw = await gatewayTo(up);
    const socket = connect(gw.port, '127.0.0.1');
    socket.write(`POST /wxa/x HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(200_000)}`);
    await expect.poll(() => began).toBe(true);
    socket.destroy();
    await expect.poll(() => gone).toBe(true);
    expect(await gw.record(1)).toMatchObject({ end: 'caller-gone' });
  });

  test('before a small body is complete never reaches the upstream', async () => {
    const up = await startUpstream((_req, res) => res.end('{}'));
    const gw = await gatewayTo(up);
    const socket = connect(gw.port, '127.0.0.1');
    socket.write('POST /wxa/x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc', () =>
      setTimeout(() => socket.destroy(), 20),
    );
    expect(await gw.record(1)).toMatchObject({ end: 'caller-gone' });
    expect(up.seen).toHaveLength(0);
  });

  test('while the call waits for a connection does not reach the upstream', async () => {
    const held: (() => void)[] = [];
    const up = await startUpstream((_req, res) => {
      held.push(() => res.end('{}'));
    });
    const gw = await gatewayTo(up, { settings: { connectionsPerOrigin: 1 } });
    const first = call(gw);
    await expect.poll(() => held.length).toBe(1);
    const socket = connect(gw.port, '127.0.0.1');
    socket.write('POST /wxa/x HTTP/1.1\r\nContent-Length: 1\r\n\r\na', () =>
      setTimeout(() => socket.destroy(), 20),
    );
    expect(await gw.record(1)).toMatchObject({ end: 'caller-gone' });
    held[0]?.();
    await first;
    const third = call(gw);
    await expect.poll(() => held.length).toBe(2);
    held[1]?.();
    expect(await third).toMatchObject({ status: 200 });
    expect(up.seen.map(each => each.method)).toEqual(['GET', 'GET']);
  });
});

test('settings are read anew for every call', async () => {
  const up = await startUpstream((_req, res) => res.end('{"errcode":0}'));
  const other = await startUpstream((_req, res) => res.end('{"errcode":1}'));
  onTestFinished(() => other.close());
  const gw = await gatewayTo(up);
  expect((await call(gw)).text).toBe('{"errcode":0}');
  gw.live.settings = { ...gw.live.settings, upstream: upstreamsAt(other.origin) };
  expect((await call(gw)).text).toBe('{"errcode":1}');
});
